//! CloudNativePG: a database's pods with their claims, its Services, the Secret that its application reads.
//!
//! It does nothing before its own Deployment is available. What becomes of a Cluster's pods stands in the Cluster's
//! annotations. Not played: the Jobs that initialise and join instances, failover, backups, roles, poolers.

use super::{
    Change, Kind, Objects, Pace, Player, Reaction,
    cert_manager::operator,
    conditions::{is_true, tell},
    draft::{Draft, controller},
    names,
    objects::{SECRET, annotation, is_going, label, name, namespace, number, target, text, uid},
    workloads::{CLAIM, POD, SERVICE, play},
};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

const CLUSTER: Kind =
    Kind { group: "postgresql.cnpg.io", version: "v1", kind: "Cluster", plural: "clusters" };
const OF_CLUSTER: &str = "cnpg.io/cluster";
const ROLE: &str = "cnpg.io/instanceRole";
const IMAGE: &str = "ghcr.io/cloudnative-pg/postgresql:17.5";

/// CloudNativePG's operator.
#[derive(Debug, Clone)]
pub struct CloudNativePg {
    /// How long a database takes to come up.
    pub pace: Pace,
}

impl Player for CloudNativePg {
    fn name(&self) -> &'static str {
        "cloudnative-pg"
    }

    fn watches(&self) -> &'static [Kind] {
        &[CLUSTER, POD, CLAIM, SERVICE, SECRET, super::workloads::DEPLOYMENT]
    }

    fn react(&self, objects: &Objects<'_>, now: Timestamp) -> Reaction {
        let mut reaction = Reaction::default();
        if operator(objects, "cloudnative-pg").is_none() {
            return reaction;
        }
        for cluster in objects.all(CLUSTER).filter(|cluster| !is_going(cluster)) {
            Look { pace: self.pace, objects, cluster, now }.keep(&mut reaction);
        }
        reaction
    }
}

/// One Cluster.
struct Look<'a> {
    pace: Pace,
    objects: &'a Objects<'a>,
    cluster: &'a Value,
    now: Timestamp,
}

impl<'a> Look<'a> {
    fn keep(&self, reaction: &mut Reaction) {
        let wanted = number(self.cluster, "/spec/instances").unwrap_or(1).clamp(1, 9);
        let pods: Vec<&'a Value> = self
            .objects
            .all(POD)
            .filter(|pod| {
                namespace(pod) == namespace(self.cluster) && label(pod, OF_CLUSTER) == name(self.cluster)
            })
            .collect();
        self.secret(reaction);
        self.services(reaction);
        // Each copies from the one before.
        for at in 1..=wanted {
            match pods.iter().find(|pod| name(pod) == self.instance(at)) {
                Some(pod) if is_true(pod, "Ready") => {}
                Some(_) => break,
                None => {
                    self.create(reaction, at);
                    break;
                }
            }
        }
        let spare = pods.iter().filter(|pod| !(1..=wanted).any(|at| name(pod) == self.instance(at)));
        reaction.push(spare.map(|pod| Change::Delete(target(POD, pod))));
        self.status(reaction, wanted, &pods);
    }

    fn instance(&self, at: i64) -> String {
        format!("{}-{at}", name(self.cluster))
    }

    fn metadata(&self, called: &str) -> Value {
        json!({
            "namespace": namespace(self.cluster), "name": called,
            "labels": { OF_CLUSTER: name(self.cluster) }, "ownerReferences": [controller(CLUSTER, self.cluster)],
        })
    }

    fn image(&self) -> &'a str {
        match text(self.cluster, "/spec/imageName") {
            "" => IMAGE,
            image => image,
        }
    }

    fn create(&self, reaction: &mut Reaction, at: i64) {
        let called = self.instance(at);
        let mut metadata = self.metadata(&called);
        metadata["labels"][ROLE] = if at == 1 { "primary" } else { "replica" }.into();
        metadata["labels"]["cnpg.io/instanceName"] = called.as_str().into();
        metadata["labels"]["cnpg.io/podRole"] = "instance".into();
        let plays = [play::PLAY, play::DELAY, play::EXIT_CODE, play::LOG];
        let plays = plays.into_iter().map(|key| (key, annotation(self.cluster, key)));
        let mut annotations: Map<String, Value> = plays
            .filter(|(_, said)| !said.is_empty())
            .map(|(key, said)| (key.to_owned(), said.into()))
            .collect();
        if !self.pace.database.is_zero() && !annotations.contains_key(play::DELAY) {
            annotations.insert(play::DELAY.to_owned(), format!("{}s", self.pace.database.as_secs()).into());
        }
        metadata["annotations"] = annotations.into();
        if self.objects.get(CLAIM, namespace(self.cluster), &called).is_none() {
            let storage = &self.cluster["spec"]["storage"];
            let size = if storage["size"].is_string() { storage["size"].clone() } else { "1Gi".into() };
            let mut spec =
                json!({ "accessModes": ["ReadWriteOnce"], "resources": { "requests": { "storage": size } } });
            if storage["storageClass"].is_string() {
                spec["storageClassName"] = storage["storageClass"].clone();
            }
            reaction.push([Change::Create(json!({
                "apiVersion": "v1", "kind": CLAIM.kind, "metadata": self.metadata(&called), "spec": spec,
                "status": { "phase": "Pending" },
            }))]);
        }
        reaction.push([Change::Create(json!({
            "apiVersion": "v1", "kind": POD.kind, "metadata": metadata, "status": { "phase": "Pending" },
            "spec": {
                "restartPolicy": "Always", "hostname": called,
                "containers": [{
                    "name": "postgres", "image": self.image(), "ports": [{ "name": "postgresql", "containerPort": 5432 }],
                }],
                "volumes": [{ "name": "pgdata", "persistentVolumeClaim": { "claimName": called } }],
            },
        }))]);
    }

    fn services(&self, reaction: &mut Reaction) {
        for (suffix, role) in [("rw", Some("primary")), ("ro", Some("replica")), ("r", None)] {
            let called = format!("{}-{suffix}", name(self.cluster));
            if self.objects.get(SERVICE, namespace(self.cluster), &called).is_some() {
                continue;
            }
            let mut selector = json!({ OF_CLUSTER: name(self.cluster), "cnpg.io/podRole": "instance" });
            if let Some(role) = role {
                selector[ROLE] = role.into();
            }
            reaction.push([Change::Create(json!({
                "apiVersion": "v1", "kind": SERVICE.kind, "metadata": self.metadata(&called),
                "spec": {
                    "type": "ClusterIP", "selector": selector,
                    "ports": [{ "name": "postgres", "port": 5432, "protocol": "TCP", "targetPort": 5432 }],
                },
            }))]);
        }
    }

    /// What its application connects with, unless the user has brought it.
    fn secret(&self, reaction: &mut Reaction) {
        let initdb = &self.cluster["spec"]["bootstrap"]["initdb"];
        let called = format!("{}-app", name(self.cluster));
        let brought = !text(initdb, "/secret/name").is_empty();
        if brought || self.objects.get(SECRET, namespace(self.cluster), &called).is_some() {
            return;
        }
        let given = |field: &str, default: &'a str| -> String {
            Some(text(initdb, field)).filter(|text| !text.is_empty()).unwrap_or(default).to_owned()
        };
        let database = given("/database", "app");
        let user = Some(text(initdb, "/owner")).filter(|user| !user.is_empty()).unwrap_or(&database);
        let password = names::token(&["password", uid(self.cluster)]);
        let host = format!("{}-rw", name(self.cluster));
        let place = format!("{host}.{}:5432/{database}", namespace(self.cluster));
        let data = [
            ("dbname", database.clone()),
            ("host", host.clone()),
            ("port", "5432".to_owned()),
            ("user", user.to_owned()),
            ("username", user.to_owned()),
            ("password", password.clone()),
            ("uri", format!("postgresql://{user}:{password}@{place}")),
            ("jdbc-uri", format!("jdbc:postgresql://{place}?password={password}&user={user}")),
            ("pgpass", format!("{host}:5432:{database}:{user}:{password}\n")),
        ];
        let data: Map<String, Value> = data
            .into_iter()
            .map(|(key, text)| (key.to_owned(), json!(ByteString(text.into_bytes()))))
            .collect();
        reaction.push([Change::Create(json!({
            "apiVersion": "v1", "kind": SECRET.kind, "type": "kubernetes.io/basic-auth",
            "metadata": self.metadata(&called), "data": data,
        }))]);
    }

    fn status(&self, reaction: &mut Reaction, wanted: i64, pods: &[&Value]) {
        let mut draft = Draft::of(CLUSTER, self.cluster);
        let ready = pods.iter().filter(|pod| is_true(pod, "Ready")).count();
        let all = usize::try_from(wanted).is_ok_and(|wanted| ready == wanted && pods.len() == wanted);
        let names: Vec<&str> = pods.iter().map(|pod| name(pod)).collect();
        draft.set(&["status", "instances"], wanted);
        draft.set(&["status", "readyInstances"], ready);
        draft.set(&["status", "instanceNames"], names);
        draft.set(&["status", "image"], self.image());
        draft.set(&["status", "writeService"], format!("{}-rw", name(self.cluster)));
        draft.set(&["status", "readService"], format!("{}-r", name(self.cluster)));
        draft.set(&["status", "targetPrimary"], self.instance(1));
        if ready > 0 {
            draft.set(&["status", "currentPrimary"], self.instance(1));
        }
        let phase = match (all, ready) {
            (true, _) => "Cluster in healthy state",
            (false, 0) => "Setting up primary",
            (false, _) => "Creating a new replica",
        };
        draft.set(&["status", "phase"], phase);
        match all {
            true => tell(&mut draft, self.now, "Ready", "True", "ClusterIsReady", "Cluster is Ready"),
            false => {
                tell(&mut draft, self.now, "Ready", "False", "ClusterIsNotReady", "Cluster Is Not Ready")
            }
        }
        reaction.push(draft.end());
    }
}
