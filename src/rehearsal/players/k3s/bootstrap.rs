//! The bootstrap data of a machine: cloud-init's user data, in a Secret that the machine's VM is given.

use super::{CLUSTER, CLUSTER_NAME, CONFIG, MACHINE, SECRET};
use crate::rehearsal::players::{
    Change, Objects, Reaction,
    conditions::{Not, say, summarize},
    draft::{Draft, controller},
    objects::{is_going, is_paused, label, list, name, namespace, number, text, yes},
};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

pub(super) fn react(reaction: &mut Reaction, objects: &Objects<'_>, now: Timestamp) {
    for config in objects.all(CONFIG) {
        let Some(machine) = objects.owner(config, MACHINE) else { continue };
        let Some(cluster) = objects.get(CLUSTER, namespace(machine), label(machine, CLUSTER_NAME)) else {
            continue;
        };
        if is_paused(cluster, config) || is_going(config) {
            continue;
        }
        let mut draft = Draft::of(CONFIG, config);
        if yes(cluster, "/status/initialization/infrastructureProvisioned") {
            provide(&mut draft, reaction, objects, cluster, config, now);
        } else {
            let waits = Not::yet("WaitingForClusterInfrastructure");
            say(&mut draft, now, "DataSecretAvailable", Err(waits));
        }
        summarize(&mut draft, now, &["DataSecretAvailable", "CertificatesAvailable"]);
        if let Some(generation) = number(config, "/metadata/generation") {
            draft.set(&["status", "observedGeneration"], generation);
        }
        reaction.push(draft.end());
    }
}

fn provide(
    draft: &mut Draft<'_>,
    reaction: &mut Reaction,
    objects: &Objects<'_>,
    cluster: &Value,
    config: &Value,
    now: Timestamp,
) {
    if yes(config, "/status/ready") {
        return;
    }
    if objects.get(SECRET, namespace(config), name(config)).is_some() {
        draft.set(&["status", "dataSecretName"], name(config));
        draft.set(&["status", "ready"], true);
        return say(draft, now, "DataSecretAvailable", Ok(()));
    }
    let token = format!("{}-token", name(cluster));
    match (objects.get(SECRET, namespace(config), &token), user_data(objects, config)) {
        // The control plane makes it.
        (None, _) => say(draft, now, "DataSecretAvailable", Err(Not::yet("WaitingForControlPlaneAvailable"))),
        (Some(_), Err(why)) => {
            say(draft, now, "DataSecretAvailable", Err(Not::warning("DataSecretGenerationFailed", why)));
        }
        (Some(_), Ok(data)) => {
            say(draft, now, "CertificatesAvailable", Ok(()));
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "type": "cluster.x-k8s.io/secret",
                "metadata": {
                    "namespace": namespace(config), "name": name(config),
                    "labels": { CLUSTER_NAME: name(cluster) },
                    "ownerReferences": [controller(CONFIG, config)],
                },
                "data": { "value": ByteString(data.into_bytes()), "format": ByteString(b"cloud-config".to_vec()) },
            });
            reaction.push([Change::Create(secret)]);
        }
    }
}

/// What cloud-init is given. It fills in what stands in double braces, on the VM.
fn user_data(objects: &Objects<'_>, config: &Value) -> Result<String, String> {
    let mut files = Vec::new();
    for file in list(config, "/spec/files") {
        let mut file = file.clone();
        if let Some(source) = file.get("contentFrom").cloned() {
            let (from, key) = (text(&source, "/secret/name"), text(&source, "/secret/key"));
            let secret = objects.get(SECRET, namespace(config), from);
            let secret = secret.ok_or_else(|| format!("secret not found: {}/{from}", namespace(config)))?;
            let content = secret["data"].get(key).filter(|content| content.is_string());
            let content =
                content.ok_or_else(|| format!("secret references non-existent secret key: {key:?}"))?;
            file = json!({ "path": file["path"], "encoding": "base64", "content": content });
        }
        files.push(file);
    }
    let server = json!({ "agent": config["spec"]["agentConfig"], "server": config["spec"]["serverConfig"] });
    files.push(json!({ "path": "/etc/rancher/k3s/config.yaml", "permissions": "0640", "content": server.to_string() }));
    let commands = |when: &str| list(config, &format!("/spec/{when}K3sCommands")).to_vec();
    let start = vec![json!("curl -sfL https://get.k3s.io | sh -s - server")];
    let commands = [commands("pre"), start, commands("post")].concat();
    let document = json!({ "write_files": files, "runcmd": commands });
    Ok(format!("## template: jinja\n#cloud-config\n{document}\n"))
}
