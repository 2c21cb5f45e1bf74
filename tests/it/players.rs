//! The controllers of the world outside, over objects in memory: each comes to rest, takes its time, says what is wrong, leaves
//! what is not its own, and falls over nothing that users write.

use berth::rehearsal::{
    BEGINNING,
    players::{
        Change, Objects, Pace, Player, Record, Target,
        cluster_api::ClusterApi,
        external_dns::{ExternalDns, Policy},
        external_secrets::ExternalSecrets,
        flux::{FAILS, Flux},
        k3s::{Environment, K3s},
        metal3::Metal3,
        proxmox::{self, Proxmox},
    },
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub(crate) const NS: &str = "pr-shop-7";

/// What an API server does to objects, as far as players can tell.
struct Stage {
    objects: BTreeMap<String, Value>,
    records: Vec<Record>,
    nodes: BTreeSet<String>,
    players: Vec<Box<dyn Player>>,
    now: Timestamp,
    version: u64,
    /// Everything that a condition or a state ever said, without what it said just before.
    said: Vec<String>,
}

impl Stage {
    fn new(players: Vec<Box<dyn Player>>) -> Self {
        let (objects, records, nodes) = Default::default();
        Self { objects, records, nodes, players, now: BEGINNING, version: 0, said: Vec::new() }
    }

    fn create(&mut self, mut object: Value) {
        self.version += 1;
        let metadata = &mut object["metadata"];
        metadata["uid"] = format!("uid-{}", self.version).into();
        metadata["resourceVersion"] = self.version.to_string().into();
        metadata["generation"] = 1.into();
        metadata["creationTimestamp"] = self.now.to_string().into();
        self.objects.insert(id(&object), object);
    }

    fn merge(&mut self, id: &str, patch: &Value, part: Part) {
        let old = self.objects[id].clone();
        let (seen, sent) = (&old["metadata"]["resourceVersion"], &patch["metadata"]["resourceVersion"]);
        assert!(sent.is_null() || sent == seen, "a stale patch of {id}");
        let mut new = old.clone();
        json_merge(&mut new, patch);
        match part {
            Part::Object => assert_eq!(new["status"], old["status"], "a patch of {id} that would be lost"),
            Part::Status => assert_eq!(new["spec"], old["spec"], "a patch of {id} that would be lost"),
            Part::Anything => {}
        }
        assert_ne!(new, old, "a patch of {id} that changes nothing");
        self.version += 1;
        new["metadata"]["resourceVersion"] = self.version.to_string().into();
        if new["spec"] != old["spec"] {
            new["metadata"]["generation"] = (old["metadata"]["generation"].as_u64().unwrap() + 1).into();
        }
        let gone = new["metadata"]["deletionTimestamp"].is_string() && is_free(&new);
        self.objects.insert(id.to_owned(), new);
        if gone {
            self.end(id);
        }
    }

    fn set(&mut self, id: &str, patch: &Value) {
        self.merge(id, patch, Part::Anything);
    }

    fn delete(&mut self, id: &str) {
        let Some(object) = self.objects.get_mut(id) else { return };
        if is_free(object) {
            return self.end(id);
        }
        if object["metadata"]["deletionTimestamp"].is_null() {
            self.version += 1;
            object["metadata"]["deletionTimestamp"] = self.now.to_string().into();
            object["metadata"]["resourceVersion"] = self.version.to_string().into();
        }
    }

    /// And with it, what it controls.
    fn end(&mut self, id: &str) {
        let uid = self.objects.remove(id).unwrap()["metadata"]["uid"].clone();
        let controls = |object: &Value| {
            let owners = object["metadata"]["ownerReferences"].as_array().into_iter().flatten();
            owners.into_iter().any(|owner| owner["uid"] == uid)
        };
        let orphans: Vec<String> =
            self.objects.iter().filter(|(_, object)| controls(object)).map(|(id, _)| id.clone()).collect();
        orphans.iter().for_each(|orphan| self.delete(orphan));
    }

    /// One look of every player; whether any did something, and when the first wants to look again.
    fn look(&mut self) -> (bool, Option<Timestamp>) {
        let (mut did, mut again) = (false, None);
        for at in 0..self.players.len() {
            let reaction = {
                let objects = Objects::new(self.objects.values(), &self.records);
                self.players[at].react(&objects, self.now)
            };
            let mut touched = BTreeSet::new();
            for change in &reaction.changes {
                if let Some(id) = subject(change) {
                    assert!(touched.insert(id), "two changes of one object: {:#?}", reaction.changes);
                }
            }
            did |= !reaction.changes.is_empty();
            again = [again, reaction.again].into_iter().flatten().min();
            assert!(again.is_none_or(|again| again > self.now), "a look that could be taken now");
            reaction.changes.into_iter().for_each(|change| self.carry_out(change));
        }
        self.note();
        (did, again)
    }

    fn carry_out(&mut self, change: Change) {
        match change {
            Change::Create(object) if self.objects.contains_key(&id(&object)) => {}
            Change::Create(object) => self.create(object),
            Change::Merge(target, patch) if self.objects.contains_key(&name(&target)) => {
                self.merge(&name(&target), &patch, Part::Object);
            }
            Change::MergeStatus(target, patch) if self.objects.contains_key(&name(&target)) => {
                self.merge(&name(&target), &patch, Part::Status);
            }
            Change::Merge(..) | Change::MergeStatus(..) => {}
            Change::Delete(target) => self.delete(&name(&target)),
            Change::Publish(record) => {
                self.records.retain(|r| (&r.name, &r.kind) != (&record.name, &record.kind));
                self.records.push(record);
            }
            Change::Withdraw(record) => self.records.retain(|r| *r != record),
            Change::Join(_, node) => {
                self.nodes.insert(node["metadata"]["name"].as_str().unwrap().to_owned());
            }
            Change::Leave(_, node) => {
                self.nodes.remove(&node);
            }
        }
    }

    /// Until nothing more happens; time stands still.
    fn rest(&mut self) -> Option<Timestamp> {
        for _ in 0..200 {
            if let (false, again) = self.look() {
                return again;
            }
        }
        panic!("it never comes to rest: {:#?}", self.said);
    }

    /// Until nothing more will happen; how long that takes.
    fn settle(&mut self) -> SignedDuration {
        let begun = self.now;
        while let Some(again) = self.rest() {
            self.now = again;
        }
        self.now.duration_since(begun)
    }

    fn note(&mut self) {
        for object in self.objects.values() {
            let kind = object["kind"].as_str().unwrap();
            if let Some(state) = object["status"]["provisioning"]["state"].as_str() {
                note(&mut self.said, kind, state);
            }
            for condition in object["status"]["conditions"].as_array().into_iter().flatten() {
                let text = |field: &str| condition[field].as_str().unwrap_or("");
                let said = format!("{}={} {}", text("type"), text("status"), text("reason"));
                note(&mut self.said, &format!("{kind} {}", text("type")), said.trim_end());
            }
        }
    }

    fn said(&self, of: &str) -> Vec<&str> {
        let of = format!("{of}: ");
        self.said.iter().filter_map(|said| said.strip_prefix(&of)).collect()
    }
}

enum Part {
    Object,
    Status,
    Anything,
}

fn note(all: &mut Vec<String>, of: &str, said: &str) {
    let said = format!("{of}: {said}");
    let last = all.iter().rev().find(|known| known.starts_with(&format!("{of}: ")));
    if last != Some(&said) {
        all.push(said);
    }
}

fn is_free(object: &Value) -> bool {
    object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

fn id(object: &Value) -> String {
    format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
}

fn name(target: &Target) -> String {
    format!("{} {}", target.kind.kind, target.name)
}

fn subject(change: &Change) -> Option<String> {
    match change {
        Change::Create(object) => Some(id(object)),
        Change::Merge(target, _) | Change::MergeStatus(target, _) | Change::Delete(target) => {
            Some(name(target))
        }
        Change::Publish(_) | Change::Withdraw(_) | Change::Join(..) | Change::Leave(..) => None,
    }
}

fn json_merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            into.as_object_mut().unwrap().remove(key);
        } else {
            json_merge(&mut into[key], value);
        }
    }
}

fn object(api: &str, kind: &str, name: &str, spec: Value) -> Value {
    json!({ "apiVersion": api, "kind": kind, "metadata": { "namespace": NS, "name": name }, "spec": spec })
}

const INFRASTRUCTURE: &str = "infrastructure.cluster.x-k8s.io/v1alpha1";

fn proxmox_cluster(endpoint: &str, addresses: &[&str]) -> Value {
    object(
        INFRASTRUCTURE,
        "ProxmoxCluster",
        NS,
        json!({
            "allowedNodes": ["node03"], "controlPlaneEndpoint": { "host": endpoint, "port": 6443 },
            "credentialsRef": { "name": "proxmox-credentials" }, "dnsServers": ["192.168.1.3"],
            "ipv4Config": { "addresses": addresses, "gateway": "192.168.1.1", "prefix": 24 },
        }),
    )
}

/// The original template's objects.
fn original() -> Vec<Value> {
    let cluster = object(
        "cluster.x-k8s.io/v1beta2",
        "Cluster",
        NS,
        json!({
            "controlPlaneEndpoint": { "host": "192.168.1.140", "port": 6443 },
            "controlPlaneRef": {
                "apiGroup": "controlplane.cluster.x-k8s.io", "kind": "KThreesControlPlane", "name": format!("{NS}-cp"),
            },
            "infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "ProxmoxCluster", "name": NS,
            },
        }),
    );
    let plane = json!({
        "replicas": 1, "version": "v1.30.6+k3s1",
        "machineTemplate": { "infrastructureRef": { "kind": "ProxmoxMachineTemplate", "name": "mt" } },
        "kthreesConfigSpec": { "agentConfig": { "nodeName": "{{ ds.meta_data.local_hostname }}" } },
    });
    let vm = json!({ "sourceNode": "node03", "templateID": 9004, "vmIDRange": { "start": 401, "end": 402 } });
    vec![
        cluster,
        proxmox_cluster("192.168.1.140", &["192.168.1.141-192.168.1.142"]),
        object("controlplane.cluster.x-k8s.io/v1beta2", "KThreesControlPlane", &format!("{NS}-cp"), plane),
        object(INFRASTRUCTURE, "ProxmoxMachineTemplate", "mt", json!({ "template": { "spec": vm } })),
    ]
}

fn credentials() -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": NS, "name": "proxmox-credentials" } })
}

fn cluster_api(pace: Pace) -> Stage {
    let environment = Environment {
        kubeconfig: "leads to {cluster}".to_owned(),
        certificate: "certificate".to_owned(),
        key: "key".to_owned(),
    };
    let mut stage = Stage::new(vec![
        Box::new(ClusterApi),
        Box::new(Proxmox { pace }),
        Box::new(K3s { pace, environment }),
    ]);
    original().into_iter().for_each(|object| stage.create(object));
    stage
}

fn only<'a>(stage: &'a Stage, kind: &str) -> &'a Value {
    let of_kind: Vec<_> = stage.objects.values().filter(|object| object["kind"] == kind).collect();
    assert_eq!(of_kind.len(), 1, "{kind}");
    of_kind[0]
}

#[test]
fn the_original_template_becomes_a_cluster_and_goes() {
    let mut stage = cluster_api(Pace::AT_ONCE);
    stage.create(credentials());
    assert_eq!(stage.settle(), SignedDuration::ZERO);
    let plane = &only(&stage, "KThreesControlPlane")["status"];
    assert_eq!(
        (&plane["initialized"], &plane["ready"], &plane["readyReplicas"]),
        (&json!(true), &json!(true), &json!(1))
    );
    let vm = only(&stage, "ProxmoxMachine");
    assert_eq!(vm["spec"]["virtualMachineID"], 401);
    assert_eq!(vm["status"]["addresses"][1], json!({ "type": "InternalIP", "address": "192.168.1.141" }));
    assert_eq!(stage.nodes, BTreeSet::from([vm["metadata"]["name"].as_str().unwrap().to_owned()]));
    let kubeconfig = &stage.objects[&format!("Secret {NS}-kubeconfig")];
    assert_eq!(kubeconfig["type"], "cluster.x-k8s.io/secret");
    // "leads to pr-shop-7", as the API server writes bytes.
    assert_eq!(kubeconfig["data"]["value"], "bGVhZHMgdG8gcHItc2hvcC03");

    stage.delete(&format!("Cluster {NS}"));
    stage.settle();
    // The garbage collector, which is no player, also takes what lost its last owner.
    assert_eq!(stage.objects.keys().collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(stage.nodes, BTreeSet::new());
}

#[test]
fn a_vm_goes_through_its_stages_in_their_order() {
    let mut stage = cluster_api(Pace::AT_ONCE);
    stage.create(credentials());
    stage.settle();
    let stages = [
        "VMProvisioned=False WaitingForBootstrapData",
        "VMProvisioned=False Cloning",
        "VMProvisioned=False WaitingForStaticIPAllocation",
        "VMProvisioned=False PoweringOn",
        "VMProvisioned=True",
    ];
    assert_eq!(stage.said("ProxmoxMachine VMProvisioned"), stages);
    let plane = ["Available=False WaitingForKthreesServer", "Available=True"];
    assert_eq!(stage.said("KThreesControlPlane Available"), plane);
}

/// As the real core was seen to speak of the original template.
#[test]
fn a_cluster_repeats_what_its_parts_say_in_the_real_core_s_words() {
    let mut stage = cluster_api(Pace::AT_ONCE);
    stage.create(credentials());
    stage.settle();
    stage.delete(&format!("Cluster {NS}"));
    stage.settle();
    for (of, expected) in [
        ("Cluster Paused", &["Paused=False NotPaused"] as &[_]),
        (
            "Cluster InfrastructureReady",
            &["InfrastructureReady=False NotReady", "InfrastructureReady=True Ready"],
        ),
        (
            "Cluster RemoteConnectionProbe",
            &["RemoteConnectionProbe=False ProbeFailed", "RemoteConnectionProbe=True ProbeSucceeded"],
        ),
        (
            "Cluster ControlPlaneInitialized",
            &["ControlPlaneInitialized=False NotInitialized", "ControlPlaneInitialized=True Initialized"],
        ),
        (
            "Cluster ControlPlaneAvailable",
            &[
                "ControlPlaneAvailable=False NotAvailable",
                "ControlPlaneAvailable=False WaitingForKthreesServer",
                "ControlPlaneAvailable=True Available",
                "ControlPlaneAvailable=False ObjectDeleted",
            ],
        ),
        (
            "Cluster Available",
            &["Available=False NotAvailable", "Available=True Available", "Available=False NotAvailable"],
        ),
        (
            "Cluster Deleting",
            &[
                "Deleting=False NotDeleting",
                "Deleting=True WaitingForControlPlaneDeletion",
                "Deleting=True WaitingForInfrastructureDeletion",
            ],
        ),
        (
            "Machine BootstrapConfigReady",
            &["BootstrapConfigReady=False NotReady", "BootstrapConfigReady=True Ready"],
        ),
        (
            "Machine NodeReady",
            &[
                "NodeReady=Unknown InspectionFailed",
                "NodeReady=True NodeReady",
                "NodeReady=False NodeDeleted",
            ],
        ),
        (
            "Machine Deleting",
            &[
                "Deleting=False NotDeleting",
                "Deleting=True WaitingForInfrastructureDeletion",
                "Deleting=True WaitingForBootstrapDeletion",
            ],
        ),
    ] {
        assert_eq!(stage.said(of), expected, "{of}");
    }
}

#[test]
fn what_keeps_a_cluster_from_being_available_is_told_line_by_line() {
    let mut stage = cluster_api(Pace::REAL);
    let available = |stage: &Stage| {
        let conditions = &only(stage, "Cluster")["status"]["conditions"];
        let available = conditions.as_array().unwrap().iter().find(|said| said["type"] == "Available");
        available.unwrap()["message"].as_str().unwrap().to_owned()
    };
    stage.rest();
    let waits =
        "* ControlPlaneAvailable: KThreesControlPlane status.initialization.controlPlaneInitialized is false";
    assert_eq!(
        available(&stage),
        format!(
            "* RemoteConnectionProbe: Remote connection not established yet\n\
             * InfrastructureReady: secrets \"proxmox-credentials\" not found\n{waits}"
        )
    );
    stage.create(credentials());
    stage.rest();
    assert_eq!(
        available(&stage),
        "* RemoteConnectionProbe: Remote connection not established yet\n\
         * ControlPlaneAvailable: WaitingForKthreesServer"
    );
    stage.settle();
    assert_eq!(available(&stage), "");
    let machine = only(&stage, "Machine");
    assert_eq!(
        (
            &machine["status"]["phase"],
            only(&stage, "KThreesControlPlane")["status"]["conditions"][0]["status"].as_str()
        ),
        (&json!("Running"), Some("True"))
    );
    assert_eq!(machine["status"]["nodeRef"]["name"], only(&stage, "ProxmoxMachine")["metadata"]["name"]);
    stage.delete(&format!("Cluster {NS}"));
    stage.rest();
    assert_eq!(available(&stage), "* Deleting: Waiting for KThreesControlPlane to be deleted");
}

#[test]
fn a_cluster_takes_as_long_as_its_vm_and_its_server() {
    let mut stage = cluster_api(Pace::REAL);
    stage.create(credentials());
    let pace = Pace::REAL;
    let whole = pace.clone + pace.power_on + pace.server + pace.node;
    assert_eq!(stage.settle(), whole);
    let mut stage = cluster_api(Pace::REAL);
    stage.create(credentials());
    assert_eq!(stage.rest(), Some(BEGINNING + pace.clone));
    stage.now = BEGINNING + pace.clone - SignedDuration::from_secs(1);
    stage.rest();
    assert!(only(&stage, "ProxmoxMachine")["spec"]["providerID"].is_null(), "it is still being cloned");
}

#[test]
fn credentials_that_are_missing_are_named_and_waited_for() {
    let mut stage = cluster_api(Pace::AT_ONCE);
    stage.settle();
    let status = &only(&stage, "ProxmoxCluster")["status"];
    assert_eq!(status["failureMessage"], "credentials secret not found");
    assert_eq!(stage.said("ProxmoxCluster Ready"), ["Ready=False ProxmoxUnreachable"]);
    stage.create(credentials());
    stage.settle();
    let status = &only(&stage, "ProxmoxCluster")["status"];
    assert_eq!((&status["ready"], &status["failureMessage"]), (&json!(true), &Value::Null));
    let held = &stage.objects["Secret proxmox-credentials"]["metadata"]["finalizers"];
    assert_eq!(held, &json!(["proxmoxcluster.infrastructure.cluster.x-k8s.io/secret"]));
}

#[test]
fn nothing_is_done_to_a_paused_cluster() {
    let mut stage = cluster_api(Pace::AT_ONCE);
    stage.create(credentials());
    stage.set(&format!("Cluster {NS}"), &json!({ "spec": { "paused": true } }));
    stage.settle();
    assert!(only(&stage, "ProxmoxCluster")["status"].is_null());
    stage.set(&format!("Cluster {NS}"), &json!({ "spec": { "paused": false } }));
    stage.settle();
    assert_eq!(only(&stage, "ProxmoxCluster")["status"]["ready"], true);
}

#[test]
fn a_control_plane_grows_one_by_one_and_shrinks() {
    let mut stage = cluster_api(Pace::AT_ONCE);
    stage.create(credentials());
    let plane = format!("KThreesControlPlane {NS}-cp");
    stage.set(&plane, &json!({ "spec": { "replicas": 2 } }));
    stage.settle();
    let vms: Vec<_> = stage.objects.values().filter(|o| o["kind"] == "ProxmoxMachine").collect();
    let ids: BTreeSet<_> = vms.iter().map(|vm| vm["spec"]["virtualMachineID"].as_i64().unwrap()).collect();
    let addresses: BTreeSet<_> =
        vms.iter().map(|vm| vm["status"]["ipAddresses"]["net0"]["ipv4"].to_string()).collect();
    assert_eq!((ids.len(), addresses.len(), stage.nodes.len()), (2, 2, 2), "each has its own");
    stage.set(&plane, &json!({ "spec": { "replicas": 3 } }));
    stage.settle();
    assert!(
        stage.said("ProxmoxMachine VMProvisioned").contains(&"VMProvisioned=False CloningFailed"),
        "no id is left"
    );
    stage.set(&plane, &json!({ "spec": { "replicas": 1 } }));
    stage.settle();
    only(&stage, "ProxmoxMachine");
    assert_eq!(stage.objects[&plane]["status"]["replicas"], 1);
}

#[test]
fn a_range_that_holds_the_endpoint_is_refused() {
    let refused = |addresses: &[&str]| proxmox::refused(&proxmox_cluster("192.168.1.140", addresses));
    for range in ["192.168.1.140", "192.168.1.140-192.168.1.149", "192.168.1.0/24", "0.0.0.0/0"] {
        let why = refused(&["10.0.0.1", range]).unwrap().why().to_owned();
        assert!(why.contains("addresses may not contain the endpoint IP"), "{range}: {why}");
    }
    for range in ["192.168.1.141-192.168.1.141", "192.168.2.0/24", "fe80::1", "::/0"] {
        assert_eq!(refused(&[range]), None, "{range}");
    }
    for range in ["", "192.168.1.", "192.168.1.9-192.168.1.1", "1.1.1.1/33", "1.1.1.1-::1", "a"] {
        assert!(refused(&[range]).unwrap().why().contains("not valid IP addresses"), "{range}");
    }
    let endpoint = |host: &str| proxmox::refused(&proxmox_cluster(host, &["192.168.1.141"]));
    assert_eq!((endpoint("k3s.example.org"), endpoint("k3s")), (None, None));
    for host in ["", "192.168.1.", "192.168.1.300", "-a.example"] {
        assert!(endpoint(host).unwrap().why().contains("not a valid IP or FQDN"), "{host}");
    }
    let mut without = proxmox_cluster("192.168.1.140", &[]);
    without["spec"]["ipv4Config"].take();
    without["spec"].as_object_mut().unwrap().remove("ipv4Config");
    assert!(proxmox::refused(&without).unwrap().why().contains("at least one IP pool config"));
}

pub(crate) fn host(spec: Value) -> Value {
    let mut host = object("metal3.io/v1alpha1", "BareMetalHost", "rack1-host7", spec);
    host["spec"]["online"] = true.into();
    host["spec"]["bmc"] = json!({ "address": "redfish://10.0.0.7", "credentialsName": "bmc" });
    host
}

#[test]
fn a_host_is_provisioned_while_it_has_an_image_and_cleaned_when_it_has_none() {
    let mut stage = Stage::new(vec![Box::new(Metal3 { pace: Pace::REAL })]);
    stage.create(host(json!({})));
    stage.settle();
    let status = &only(&stage, "BareMetalHost")["status"];
    assert_eq!(
        (&status["errorType"], &status["operationalStatus"]),
        (&json!("registration error"), &json!("error"))
    );
    stage.create(
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": NS, "name": "bmc" } }),
    );
    stage.settle();
    let status = &only(&stage, "BareMetalHost")["status"];
    assert_eq!((&status["operationalStatus"], &status["poweredOn"]), (&json!("OK"), &json!(true)));
    stage.set("BareMetalHost rack1-host7", &json!({ "spec": { "online": false } }));
    stage.settle();
    assert_eq!(
        only(&stage, "BareMetalHost")["status"]["poweredOn"],
        false,
        "as it is wanted while available"
    );
    let image = |url: Value| json!({ "spec": { "image": { "url": url } } });
    stage.set("BareMetalHost rack1-host7", &image(json!("http://images/a.qcow2")));
    assert_eq!(stage.settle(), Pace::REAL.provision);
    stage.set("BareMetalHost rack1-host7", &json!({ "spec": { "image": null } }));
    assert_eq!(stage.settle(), Pace::REAL.deprovision);
    let written = &only(&stage, "BareMetalHost")["status"]["provisioning"]["image"];
    assert!(written.is_null(), "{written}");
    stage.set("BareMetalHost rack1-host7", &image(json!("http://images/b.qcow2")));
    stage.settle();
    stage.delete("BareMetalHost rack1-host7");
    stage.settle();
    let states = [
        "registering",
        "inspecting",
        "preparing",
        "available",
        "provisioning",
        "provisioned",
        "deprovisioning",
        "available",
        "provisioning",
        "provisioned",
        "deprovisioning",
        "powering off before delete",
        "deleting",
    ];
    assert_eq!(stage.said("BareMetalHost"), states);
    assert!(!stage.objects.contains_key("BareMetalHost rack1-host7"));
}

#[test]
fn another_image_is_written_only_after_cleaning() {
    let mut stage = Stage::new(vec![Box::new(Metal3 { pace: Pace::AT_ONCE })]);
    stage.create(
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": NS, "name": "bmc" } }),
    );
    stage.create(host(json!({ "image": { "url": "http://images/a.qcow2" } })));
    stage.settle();
    stage.set(
        "BareMetalHost rack1-host7",
        &json!({ "spec": { "image": { "url": "http://images/b.qcow2" } } }),
    );
    stage.settle();
    let states = stage.said("BareMetalHost");
    assert_eq!(states[5..], ["provisioned", "deprovisioning", "available", "provisioning", "provisioned"]);
    let written = &only(&stage, "BareMetalHost")["status"]["provisioning"]["image"]["url"];
    assert_eq!(written, "http://images/b.qcow2");
}

pub(crate) fn release(values: &Value) -> Value {
    let chart = json!({
        "chart": "charts/app", "version": "0.1.0",
        "sourceRef": { "kind": "GitRepository", "name": "apps", "namespace": NS },
    });
    let spec =
        json!({ "interval": "5m", "releaseName": "relpr-7", "chart": { "spec": chart }, "values": values });
    object("helm.toolkit.fluxcd.io/v2", "HelmRelease", "relpr-7", spec)
}

fn flux(pace: Pace, values: &Value) -> Stage {
    let mut stage = Stage::new(vec![Box::new(Flux { pace })]);
    stage.create(release(values));
    stage
}

pub(crate) fn repository() -> Value {
    object(
        "source.toolkit.fluxcd.io/v1",
        "GitRepository",
        "apps",
        json!({ "interval": "1m", "url": "https://git/apps" }),
    )
}

#[test]
fn a_release_waits_for_its_source_then_installs_upgrades_and_goes() {
    let mut stage = flux(Pace::REAL, &json!({ "prNumber": 7, "prSHA": "a" }));
    stage.settle();
    assert_eq!(stage.said("HelmRelease Ready"), ["Ready=False SourceNotReady"]);
    stage.create(repository());
    assert_eq!(stage.settle(), Pace::REAL.chart + Pace::REAL.install);
    let release = |stage: &Stage| only(stage, "HelmRelease").clone();
    assert_eq!(release(&stage)["status"]["history"][0]["version"], 1);
    stage.set("HelmRelease relpr-7", &json!({ "spec": { "values": { "prSHA": "b" } } }));
    stage.rest();
    let status = &release(&stage)["status"];
    let ready = status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
    assert_eq!(ready["status"], "Unknown", "what is being upgraded is not ready");
    assert_ne!(status["observedGeneration"], release(&stage)["metadata"]["generation"]);
    stage.settle();
    let now = release(&stage);
    assert_eq!(now["status"]["observedGeneration"], now["metadata"]["generation"]);
    assert_eq!(now["status"]["history"].as_array().unwrap().len(), 2);
    assert_eq!(now["status"]["history"][1]["status"], "superseded");
    assert_eq!(
        stage.said("HelmRelease Released"),
        ["Released=True InstallSucceeded", "Released=True UpgradeSucceeded"]
    );
    // What is no matter of Helm's is observed, and nothing is upgraded.
    stage.set("HelmRelease relpr-7", &json!({ "spec": { "interval": "10m" } }));
    stage.rest();
    assert_eq!(stage.said("HelmRelease Ready").last(), Some(&"Ready=False SourceNotReady"));
    stage.settle();
    let now = release(&stage);
    assert_eq!(stage.said("HelmRelease Ready").last(), Some(&"Ready=True UpgradeSucceeded"));
    assert_eq!(now["status"]["observedGeneration"], now["metadata"]["generation"]);
    assert_eq!(now["status"]["history"].as_array().unwrap().len(), 2);
    stage.delete("HelmRelease relpr-7");
    assert_eq!(stage.settle(), Pace::REAL.uninstall);
    assert_eq!(stage.objects.keys().collect::<Vec<_>>(), ["GitRepository apps"]);
}

#[test]
fn a_release_that_fails_says_why_until_its_values_change() {
    let mut stage = flux(Pace::AT_ONCE, &json!({ FAILS: "timed out waiting for the condition" }));
    stage.create(repository());
    stage.settle();
    let status = &only(&stage, "HelmRelease")["status"];
    let ready = status["conditions"].as_array().unwrap().iter().find(|c| c["type"] == "Ready").unwrap();
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("InstallFailed")));
    assert!(ready["message"].as_str().unwrap().ends_with("timed out waiting for the condition"));
    assert_eq!(status["installFailures"], 1);
    stage.set("HelmRelease relpr-7", &json!({ "spec": { "values": { FAILS: null } } }));
    stage.settle();
    assert_eq!(stage.said("HelmRelease Ready").last(), Some(&"Ready=True InstallSucceeded"));
    assert!(only(&stage, "HelmRelease")["status"]["failures"].is_null());
}

fn dns(policy: Policy) -> Stage {
    let player = ExternalDns {
        pace: Pace::REAL,
        owner: "here".to_owned(),
        domains: vec!["example.org".to_owned()],
        policy,
    };
    Stage::new(vec![Box::new(player)])
}

fn ingress(host: &str, ip: &str) -> Value {
    let mut ingress =
        object("networking.k8s.io/v1", "Ingress", "app", json!({ "rules": [{ "host": host }] }));
    ingress["status"] = json!({ "loadBalancer": { "ingress": [{ "ip": ip }] } });
    ingress
}

fn published(stage: &Stage) -> Vec<String> {
    let mut all: Vec<_> =
        stage.records.iter().map(|r| format!("{} {} {:?} {}", r.name, r.kind, r.targets, r.owner)).collect();
    all.sort();
    all
}

#[test]
fn records_follow_their_ingress_and_go_with_it() {
    let mut stage = dns(Policy::Sync);
    stage.create(ingress("Shop.example.org", "192.168.1.140"));
    stage.rest();
    assert_eq!(published(&stage), Vec::<String>::new(), "it looks once in an interval");
    assert_eq!(stage.settle(), Pace::REAL.dns);
    assert_eq!(published(&stage), ["shop.example.org A [\"192.168.1.140\"] here"]);
    let moved = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "192.168.1.142" }, { "hostname": "lb.example" }] } } });
    stage.set("Ingress app", &moved);
    stage.settle();
    let both =
        ["shop.example.org A [\"192.168.1.142\"] here", "shop.example.org CNAME [\"lb.example\"] here"];
    assert_eq!(published(&stage), both);
    stage.set(
        "Ingress app",
        &json!({ "metadata": { "annotations": { "external-dns.alpha.kubernetes.io/target": "10.0.0.1" } } }),
    );
    stage.settle();
    assert_eq!(published(&stage), ["shop.example.org A [\"10.0.0.1\"] here"]);
    stage.delete("Ingress app");
    stage.settle();
    assert_eq!(published(&stage), Vec::<String>::new());
}

#[test]
fn records_of_others_are_left_alone() {
    let foreign = |name: &str, owner: &str| Record {
        name: name.to_owned(),
        kind: "A".to_owned(),
        targets: vec!["10.9.9.9".to_owned()],
        ttl: 60,
        owner: owner.to_owned(),
        resource: String::new(),
    };
    let mut stage = dns(Policy::Sync);
    stage.records = vec![foreign("shop.example.org", "elsewhere"), foreign("hand.example.org", "")];
    stage.create(ingress("shop.example.org", "192.168.1.140"));
    let endpoints = json!({ "endpoints": [
        { "dnsName": "hand.example.org", "recordType": "A", "targets": ["192.168.1.140"], "recordTTL": 300 },
        { "dnsName": "new.example.org", "recordType": "A", "targets": ["192.168.1.140"], "recordTTL": 300 },
        { "dnsName": "new.notexample.org", "recordType": "A", "targets": ["192.168.1.140"] },
    ] });
    stage.create(object("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "extra", endpoints));
    stage.settle();
    let all = [
        "hand.example.org A [\"10.9.9.9\"] ",
        "new.example.org A [\"192.168.1.140\"] here",
        "shop.example.org A [\"10.9.9.9\"] elsewhere",
    ];
    assert_eq!(published(&stage), all);
    assert_eq!(only(&stage, "DNSEndpoint")["status"]["observedGeneration"], 1);
    stage.delete("DNSEndpoint extra");
    stage.delete("Ingress app");
    stage.settle();
    assert_eq!(published(&stage), [all[0], all[2]]);
}

#[test]
fn upsert_only_never_takes_a_record_away() {
    let mut stage = dns(Policy::UpsertOnly);
    stage.create(ingress("shop.example.org", "192.168.1.140"));
    stage.settle();
    stage.delete("Ingress app");
    stage.settle();
    assert_eq!(published(&stage).len(), 1);
}

#[test]
fn an_external_secret_is_made_of_what_its_store_holds() {
    let held = [("token".to_owned(), "x".to_owned()), ("user".to_owned(), "app".to_owned())];
    let path = "kv/data/ephemeral-clusters/pr-shop-7/secrets";
    let values = BTreeMap::from([(path.to_owned(), BTreeMap::from(held))]);
    let mut stage = Stage::new(vec![Box::new(ExternalSecrets { pace: Pace::AT_ONCE, values })]);
    let spec = json!({
        "secretStoreRef": { "name": "vault-backend", "kind": "SecretStore" }, "target": { "name": "app-secrets" },
        "dataFrom": [{ "extract": { "key": path } }],
    });
    stage.create(object("external-secrets.io/v1", "ExternalSecret", "cluster-secrets", spec));
    stage.settle();
    assert_eq!(stage.said("ExternalSecret Ready"), ["Ready=False SecretSyncedError"]);
    stage.create(object(
        "external-secrets.io/v1",
        "SecretStore",
        "vault-backend",
        json!({ "provider": { "vault": {} } }),
    ));
    stage.settle();
    assert_eq!(stage.said("ExternalSecret Ready").last(), Some(&"Ready=True SecretSynced"));
    assert_eq!(stage.objects["Secret app-secrets"]["data"], json!({ "token": "eA==", "user": "YXBw" }));
    stage.set("Secret app-secrets", &json!({ "data": { "token": "bm8=" } }));
    stage.settle();
    assert_eq!(stage.objects["Secret app-secrets"]["data"]["token"], "eA==", "it is put back");
    stage.set(
        "ExternalSecret cluster-secrets",
        &json!({ "spec": { "dataFrom": [{ "extract": { "key": "nowhere" } }] } }),
    );
    stage.settle();
    assert_eq!(stage.said("ExternalSecret Ready").last(), Some(&"Ready=False SecretSyncedError"));
    let synced = only(&stage, "ExternalSecret")["status"]["syncedResourceVersion"].as_str().unwrap();
    assert!(synced.starts_with("1-"), "of what was fetched last: {synced}");
    // Nothing that is asked for makes no Secret, and no unrest.
    stage.set("ExternalSecret cluster-secrets", &json!({ "spec": { "dataFrom": [] } }));
    stage.settle();
    assert_eq!(stage.said("ExternalSecret Ready").last(), Some(&"Ready=True SecretSynced"));
    assert_eq!(stage.objects["Secret app-secrets"]["data"]["token"], "eA==", "it is kept");
}

/// All of them, at once; environments' own API server has this URL.
pub(crate) fn everybody(environment: &str) -> Vec<Arc<dyn Player>> {
    let pace = Pace::AT_ONCE;
    let environment = Environment::at(environment);
    vec![
        Arc::new(ClusterApi),
        Arc::new(Proxmox { pace }),
        Arc::new(K3s { pace, environment }),
        Arc::new(Flux { pace }),
        Arc::new(Metal3 { pace }),
        Arc::new(ExternalDns { pace, owner: "here".to_owned(), domains: Vec::new(), policy: Policy::Sync }),
        Arc::new(ExternalSecrets { pace, values: BTreeMap::new() }),
    ]
}

/// Objects of all kinds as they are in the middle of their lives.
fn lived() -> Vec<Value> {
    let mut stage = cluster_api(Pace::AT_ONCE);
    stage.create(credentials());
    stage.settle();
    let mut flux = flux(Pace::AT_ONCE, &json!({ "prNumber": 7 }));
    flux.create(repository());
    flux.settle();
    let mut metal = Stage::new(vec![Box::new(Metal3 { pace: Pace::AT_ONCE })]);
    metal.create(
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": NS, "name": "bmc" } }),
    );
    metal.create(host(json!({ "image": { "url": "http://images/a.qcow2" } })));
    metal.settle();
    let mut all: Vec<Value> =
        [stage, flux, metal].into_iter().flat_map(|stage| stage.objects.into_values()).collect();
    all.push(ingress("shop.example.org", "192.168.1.140"));
    all.push(object(
        "external-secrets.io/v1",
        "ExternalSecret",
        "x",
        json!({ "dataFrom": [{ "extract": { "key": "k" } }] }),
    ));
    all
}

pub(crate) fn junk() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(-1.5)),
        Just(json!("")),
        Just(json!("9999-99-99T99:99:99Z")),
        Just(json!("-009999-01-02T01:59:59Z")),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,8}", inner, 0..3)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// The pointers to everything in an object.
pub(crate) fn places(value: &Value, at: &str, all: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.replace('~', "~0").replace('/', "~1"), v)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(i, v)| (i.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (key, child) in children {
        let place = format!("{at}/{key}");
        places(child, &place, all);
        all.push(place);
    }
}

thread_local! {
    static LIVED: Vec<Value> = lived();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_player_falls_over_what_users_write(
        hits in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), junk()), 1..6)
    ) {
        let mut objects = LIVED.with(Clone::clone);
        for (which, place, junk) in hits {
            let which = which.index(objects.len());
            let mut all = Vec::new();
            places(&objects[which], "", &mut all);
            if !all.is_empty() {
                let place = &all[place.index(all.len())];
                *objects[which].pointer_mut(place).unwrap() = junk;
            }
        }
        for player in everybody("http://localhost") {
            let reaction = player.react(&Objects::new(&objects, &[]), BEGINNING);
            for (at, change) in reaction.changes.iter().enumerate() {
                prop_assert!(!reaction.changes[..at].contains(change), "{:?} twice", change);
            }
        }
    }
}
