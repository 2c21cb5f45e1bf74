//! The objects of an environment: berth's own manifests filled with the settings, or the user's templates. Pure, but for the
//! templates, which are read.
//!
//! Must never: make a name that depends on anything but the environment (an address, a commit): it must be found again.

use crate::{
    clients::files,
    domain::{
        claim::{ObjectName, ProviderKind, Removal},
        holder::Holder,
        pool::Block,
        scope::{Commit, Hosts, Scope, Target},
        template::Variables,
        yaml,
    },
    errors::{Exit, UserError},
    settings::{BuiltIn, CapiK3s, KubeVip, Machine, Manifests, Network},
};
use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use std::{net::Ipv4Addr, num::NonZeroU8, path::Path};

/// Cluster API's own kind, whatever its version.
pub(super) fn is_cluster(object: &Value) -> bool {
    object["kind"] == "Cluster"
        && object["apiVersion"].as_str().is_some_and(|version| version.starts_with("cluster.x-k8s.io/"))
}

/// All of them, at work: a Cluster is not paused.
pub(super) fn objects(settings: &CapiK3s, scope: &Scope) -> Result<Vec<Value>> {
    let mut variables = scope.variables();
    let mut objects = match &settings.manifests {
        Manifests::BuiltIn(of) => {
            say(&mut variables, settings, of, scope);
            let mut objects = yaml::filled("cluster.yaml", include_str!("cluster.yaml"), &variables)
                .context("berth's own manifests")?;
            if let Some(storage) = &of.machine.storage
                && let Some(template) = objects.last_mut()
            {
                template["spec"]["template"]["spec"]["storage"] = json!(storage.as_ref());
            }
            objects
        }
        Manifests::Templates(path) => templates(path, &variables)?,
    };
    if !objects.iter().any(is_cluster) {
        let message = "the templates make no Cluster of cluster.x-k8s.io";
        return Err(UserError::usage(message)
            .hint("one of their objects must be it: what else is made hangs on it")
            .into());
    }
    // Where berth's own namespace is not among them, it is made all the same: what is copied needs it.
    let own =
        |object: &Value| object["kind"] == "Namespace" && object["metadata"]["name"] == scope.name.as_ref();
    if !objects.iter().any(own) {
        let labels = namespace_labels(settings, scope);
        let metadata = json!({"name": scope.name, "labels": labels});
        objects.insert(0, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
    }
    Ok(objects)
}

/// What they are called: all that their removal has to know. It must not hang on addresses or commits, so it is asked twice.
pub(super) fn names(settings: &CapiK3s, holder: &Holder, hosts: &Hosts) -> Result<Vec<ObjectName>> {
    let of = |last: u8, commit: char| -> Result<Vec<ObjectName>> {
        let size = NonZeroU8::new(2).expect("two is not zero");
        let provider = ProviderKind::CapiK3s;
        let removal = Removal { provider, context: None, objects: vec![], elsewhere: vec![], hosts: vec![] };
        let head = commit.to_string().repeat(40).parse().ok();
        let scope = Scope {
            holder: holder.clone(),
            name: holder.name(),
            addresses: Block::new(Ipv4Addr::new(192, 0, 2, last), size),
            hosts: hosts.clone(),
            target: Target::Up(Commit { merge: head.clone(), head }),
            removal,
        };
        Ok(objects(settings, &scope)?.iter().map(ObjectName::of).collect())
    };
    let (names, others) = (of(2, 'a')?, of(4, 'b')?);
    match names.iter().zip(&others).find(|(one, other)| one != other) {
        None => Ok(names),
        Some((one, _)) => {
            let message =
                format!("the templates give {one} a name that depends on its addresses or its commit");
            let hint = "a name must be the environment's for all its life: use ${NAME}";
            Err(UserError::usage(message).hint(hint).into())
        }
    }
}

fn templates(path: &Path, variables: &Variables) -> Result<Vec<Value>> {
    let mut objects = Vec::new();
    for files::Text { name, text } in files::manifests(path)? {
        let filled = yaml::filled(&name, &text, variables);
        objects.extend(filled.map_err(|wrong| UserError::new(Exit::Usage, wrong))?);
    }
    Ok(objects)
}

fn say(variables: &mut Variables, settings: &CapiK3s, of: &BuiltIn, scope: &Scope) {
    let BuiltIn { version, network, machine, kube_vip } = of;
    let mut set = |name: &str, value: Value| variables.set(name, value);
    set("LABELS", labels(scope).into());
    set("NAMESPACE_LABELS", namespace_labels(settings, scope).into());
    set("VERSION", json!(version.as_ref()));
    let Network { gateway, prefix, metric, dns, pods, services, port } = network;
    set("GATEWAY", json!(gateway));
    set("PREFIX", json!(prefix.get()));
    set("METRIC", json!(metric));
    set("NODE_DNS", json!(dns));
    set("PODS", json!(pods.to_string()));
    set("SERVICES", json!(services.to_string()));
    set("PORT", json!(port));
    let Machine {
        nodes,
        source_node,
        template,
        full_clone,
        cores,
        sockets,
        memory_mib,
        memory_adjustment,
        disk_gib,
        disk_device,
        disk_format,
        storage: _,
        bridge,
        network_model,
        vm_ids,
        wait_for_cloud_init,
        wait_for_guest_agent,
        credentials,
        ssh_keys,
    } = machine;
    set("NODES", nodes.iter().map(|node| json!(node.as_ref())).collect());
    set("SOURCE_NODE", json!(source_node.as_ref()));
    set("TEMPLATE", json!(template));
    set("FULL_CLONE", json!(full_clone));
    set("CORES", json!(cores));
    set("SOCKETS", json!(sockets));
    set("MEMORY", json!(memory_mib));
    set("MEMORY_ADJUSTMENT", json!(memory_adjustment));
    set("DISK", json!(disk_gib));
    set("DISK_DEVICE", json!(disk_device.as_ref()));
    set("DISK_FORMAT", json!(disk_format.to_string()));
    set("BRIDGE", json!(bridge.as_ref()));
    set("NETWORK_MODEL", json!(network_model.to_string()));
    set("FIRST_ID", json!(vm_ids.first()));
    set("LAST_ID", json!(vm_ids.last()));
    set("SKIP_CLOUD_INIT", json!(!wait_for_cloud_init));
    set("SKIP_GUEST_AGENT", json!(!wait_for_guest_agent));
    set("CREDENTIALS", json!(credentials.as_ref()));
    set("COMMANDS", commands(ssh_keys.iter().map(AsRef::as_ref)));
    let announcer = announcer(kube_vip, *port, variables);
    variables.set("KUBE_VIP", announcer);
}

/// What the machine runs before k3s.
fn commands<'a>(ssh_keys: impl Iterator<Item = &'a str>) -> Value {
    // A key has no quote in it: its type sees to that.
    let keys: Vec<String> =
        ssh_keys.map(|key| format!("echo '{key}' >> /root/.ssh/authorized_keys")).collect();
    if keys.is_empty() {
        return json!([]);
    }
    let (first, last) = ("mkdir -p /root/.ssh".to_owned(), "chmod 600 /root/.ssh/authorized_keys".to_owned());
    [vec![first], keys, vec![last]].concat().into()
}

/// What announces the API server's address, as a text for the machine.
fn announcer(KubeVip { image, lease, renew, retry }: &KubeVip, port: u16, variables: &Variables) -> String {
    let mut own = Variables::default();
    own.set("IMAGE", image.as_ref());
    own.set("PORT", port.to_string());
    own.set("LEASE", lease.as_secs().to_string());
    own.set("RENEW", renew.as_secs().to_string());
    own.set("RETRY", retry.as_secs().to_string());
    // Where there is none, the cluster's own manifest cannot be filled either, and that is told.
    own.set("ADDRESS", variables.get("ADDRESS").cloned().unwrap_or_default());
    let filled = yaml::filled("kube-vip.yaml", include_str!("kube-vip.yaml"), &own);
    yaml::text(&filled.expect("berth's own text has no names but these"))
}

/// As the shell tool of old labels what it makes, so that its sweep and its eyes find it.
fn labels(scope: &Scope) -> Map<String, Value> {
    let mut labels = Map::from_iter([("ephemeral".to_owned(), json!("true"))]);
    if let Holder::PullRequest(pull) = &scope.holder {
        labels.insert("pr".to_owned(), json!(pull.number.to_string()));
        // A repository's name may be longer than a label, or end in what a label must not end in.
        let repo = pull.repo.repo();
        let fits = repo.len() <= 63
            && repo.ends_with(|last: char| last.is_ascii_alphanumeric())
            && repo.starts_with(|first: char| first.is_ascii_alphanumeric());
        labels.extend(fits.then(|| ("repo".to_owned(), json!(repo))));
    }
    labels
}

fn namespace_labels(settings: &CapiK3s, scope: &Scope) -> Map<String, Value> {
    let more = settings.namespace_labels.iter().map(|(key, value)| (key.to_string(), json!(value.as_ref())));
    labels(scope).into_iter().chain(more).collect()
}
