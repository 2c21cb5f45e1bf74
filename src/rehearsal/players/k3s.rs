//! The k3s providers of Cluster API: the control plane (machines, certificates, the kubeconfig), and the bootstrap data that
//! makes a VM a server of it ([`bootstrap`]).
//!
//! They speak `v1beta2` of their own API, which keeps the older contract with Cluster API core. Not played: rolling out a
//! changed spec, remediation, workers.

mod bootstrap;
pub(super) mod machines;

use super::{
    Change, Cluster, Kind, Objects, Pace, Player, Reaction,
    conditions::{Not, is_true, say, stamp, summarize},
    draft::{Draft, controller, reference},
    names,
    objects::{
        CLUSTER, CLUSTER_NAME, MACHINE, SECRET, has_finalizer, is_going, is_paused, name, namespace, number,
        text, uid, yes,
    },
    proxmox::{PROXMOX_MACHINE, PROXMOX_MACHINE_TEMPLATE},
};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Value, json};

pub(super) const CONTROL_PLANE: Kind = Kind {
    group: "controlplane.cluster.x-k8s.io",
    version: "v1beta2",
    kind: "KThreesControlPlane",
    plural: "kthreescontrolplanes",
};
pub(super) const CONFIG: Kind = Kind {
    group: "bootstrap.cluster.x-k8s.io",
    version: "v1beta2",
    kind: "KThreesConfig",
    plural: "kthreesconfigs",
};
const FINALIZER: &str = "kthrees.controlplane.cluster.x-k8s.io";
/// What `Ready` sums up.
const SUMMARY: &[&str] = &[
    "MachinesSpecUpToDate",
    "Resized",
    "MachinesReady",
    "Available",
    "CertificatesAvailable",
    "TokenAvailable",
];

/// Both providers, and the k3s servers that they make.
#[derive(Debug, Clone)]
pub struct K3s {
    /// How long servers take.
    pub pace: Pace,
    /// What environments are to be reached by.
    pub environment: Environment,
}

/// How an environment's own API server is reached, and who signs for it.
#[derive(Debug, Clone)]
pub struct Environment {
    /// A kubeconfig; in it `{cluster}` stands for the name of the environment's Cluster.
    pub kubeconfig: String,
    /// The authority's certificate, as PEM.
    pub certificate: String,
    /// Its key, as PEM.
    pub key: String,
}

impl Environment {
    /// One whose API server has this URL: plain HTTP, so its authority signs nothing.
    pub fn at(url: &str) -> Self {
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "{cluster}",
            "clusters": [{ "name": "{cluster}", "cluster": { "server": url } }],
            "users": [{ "name": "default", "user": {} }],
            "contexts": [{ "name": "{cluster}", "context": { "cluster": "{cluster}", "user": "default" } }],
        });
        let pem = |what: &str| format!("-----BEGIN {what}-----\nbm9uZQ==\n-----END {what}-----\n");
        Self {
            kubeconfig: kubeconfig.to_string(),
            certificate: pem("CERTIFICATE"),
            key: pem("EC PRIVATE KEY"),
        }
    }
}

impl Player for K3s {
    fn name(&self) -> &'static str {
        "capi-k3s-control-plane-controller-manager"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CLUSTER, MACHINE, SECRET, CONTROL_PLANE, CONFIG, PROXMOX_MACHINE, PROXMOX_MACHINE_TEMPLATE]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        for plane in objects.all(CONTROL_PLANE) {
            let Some(cluster) = objects.owner(plane, CLUSTER) else { continue };
            let waits = !yes(cluster, "/status/initialization/infrastructureProvisioned");
            if waits || is_paused(cluster, plane) {
                continue;
            }
            let look = Look { player: self, objects, cluster, plane, now };
            if is_going(plane) {
                look.end(&mut reaction);
            } else {
                look.keep(&mut reaction);
            }
        }
        bootstrap::react(&mut reaction, objects, now);
        reaction
    }
}

/// One control plane and what it belongs to.
struct Look<'a> {
    player: &'a K3s,
    objects: &'a Objects<'a>,
    cluster: &'a Value,
    plane: &'a Value,
    now: Timestamp,
}

impl Look<'_> {
    fn keep(&self, reaction: &mut Reaction) {
        let mut draft = Draft::of(CONTROL_PLANE, self.plane);
        if draft.hold(FINALIZER) {
            return reaction.push(draft.end());
        }
        self.adopt_template(reaction);
        self.go_on(&mut draft, reaction);
        self.count(&mut draft, reaction);
        summarize(&mut draft, self.now, SUMMARY);
        if let Some(generation) = number(self.plane, "/metadata/generation") {
            draft.set(&["status", "observedGeneration"], generation);
        }
        reaction.push(draft.end());
    }

    /// The next thing that is missing, in the order of the real one: each look of it ends where it has to wait.
    fn go_on(&self, draft: &mut Draft<'_>, reaction: &mut Reaction) {
        let certificates = ["ca", "cca", "etcd"];
        if certificates.iter().any(|purpose| self.secret(purpose).is_none()) {
            let missing = certificates.into_iter().filter(|purpose| self.secret(purpose).is_none());
            return reaction.push(missing.map(|purpose| self.certificate(purpose)).map(Change::Create));
        }
        say(draft, self.now, "CertificatesAvailable", Ok(()));
        if self.secret("token").is_none() {
            let token = names::token(&["server", uid(self.plane), name(self.plane)]);
            return reaction.push([Change::Create(self.make_secret("token", &[("value", &token)]))]);
        }
        say(draft, self.now, "TokenAvailable", Ok(()));
        let endpoint = (text(self.cluster, "/spec/controlPlaneEndpoint/host"), self.endpoint_port());
        if endpoint.0.is_empty() || endpoint.1 == 0 {
            return;
        }
        if self.secret("kubeconfig").is_none() {
            let text = self.player.environment.kubeconfig.replace("{cluster}", name(self.cluster));
            return reaction.push([Change::Create(self.make_secret("kubeconfig", &[("value", &text)]))]);
        }
        self.scale(draft, reaction);
    }

    fn endpoint_port(&self) -> i64 {
        number(self.cluster, "/spec/controlPlaneEndpoint/port").unwrap_or(0)
    }

    fn secret(&self, purpose: &str) -> Option<&Value> {
        let secret = format!("{}-{purpose}", name(self.cluster));
        self.objects.get(SECRET, namespace(self.plane), &secret)
    }

    fn certificate(&self, purpose: &str) -> Value {
        let environment = &self.player.environment;
        self.make_secret(purpose, &[("tls.crt", &environment.certificate), ("tls.key", &environment.key)])
    }

    fn make_secret(&self, purpose: &str, data: &[(&str, &str)]) -> Value {
        let data: serde_json::Map<String, Value> = data
            .iter()
            .map(|(key, text)| ((*key).to_owned(), json!(ByteString(text.as_bytes().to_vec()))))
            .collect();
        json!({
            "apiVersion": "v1", "kind": "Secret", "type": "cluster.x-k8s.io/secret",
            "metadata": {
                "namespace": namespace(self.plane), "name": format!("{}-{purpose}", name(self.cluster)),
                "labels": { CLUSTER_NAME: name(self.cluster) },
                "ownerReferences": [controller(CONTROL_PLANE, self.plane)],
            },
            "data": data,
        })
    }

    /// The machine template goes with the Cluster.
    fn adopt_template(&self, reaction: &mut Reaction) {
        if let Some(template) = self.template().filter(|template| !is_going(template)) {
            let mut draft = Draft::of(PROXMOX_MACHINE_TEMPLATE, template);
            draft.own(reference(CLUSTER, self.cluster));
            reaction.push(draft.end());
        }
    }

    fn template(&self) -> Option<&Value> {
        let reference = &self.plane["spec"]["machineTemplate"]["infrastructureRef"];
        if text(reference, "/kind") != PROXMOX_MACHINE_TEMPLATE.kind {
            return None;
        }
        self.objects.get(PROXMOX_MACHINE_TEMPLATE, namespace(self.plane), text(reference, "/name"))
    }

    /// All its machines first, whatever else the cluster has; then itself.
    fn end(&self, reaction: &mut Reaction) {
        if !has_finalizer(self.plane, FINALIZER) {
            return;
        }
        let mut draft = Draft::of(CONTROL_PLANE, self.plane);
        let owned = self.owned();
        if owned.is_empty() {
            draft.let_go(FINALIZER);
            return reaction.push(draft.end());
        }
        let only_ours = self.objects.of_cluster(MACHINE, self.cluster).count() == owned.len();
        let waits = if only_ours { "" } else { "Waiting for worker nodes to be deleted first" };
        let deleting = Not { severity: "Info", reason: "Deleting".to_owned(), message: waits.to_owned() };
        say(&mut draft, self.now, "Resized", Err(deleting));
        if only_ours {
            let alive = owned.into_iter().filter(|machine| !is_going(machine));
            reaction.push(alive.map(|machine| Change::Delete(super::objects::target(MACHINE, machine))));
        }
        self.count(&mut draft, reaction);
        summarize(&mut draft, self.now, SUMMARY);
        reaction.push(draft.end());
    }

    /// Which environment its nodes join.
    fn environment(&self) -> Cluster {
        Cluster { namespace: namespace(self.cluster).to_owned(), name: name(self.cluster).to_owned() }
    }
}
