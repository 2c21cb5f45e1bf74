//! The likely cause of a failure, from objects as API servers show them.

use berth::domain::{
    diagnosis::{Diagnosis, Failed, How, Snapshot, diagnose, speakers},
    plan::StepName,
};
use serde_json::{Value, json};

fn object(kind: &str, name: &str, rest: Value) -> Value {
    let metadata = json!({"name": name, "namespace": "default", "uid": format!("uid-of-{name}")});
    let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": metadata});
    for (key, value) in rest.as_object().unwrap() {
        object[key] = value.clone();
    }
    object
}

fn pod(phase: &str, container: Value) -> Value {
    let mut status =
        json!({"name": "app", "image": "harbor.example.com/shop:pr-42", "ready": false, "restartCount": 0});
    for (key, value) in container.as_object().unwrap() {
        status[key] = value.clone();
    }
    object("Pod", "shop-1", json!({"status": {"phase": phase, "containerStatuses": [status]}}))
}

fn waiting(reason: &str, message: &str) -> Value {
    pod("Pending", json!({"state": {"waiting": {"reason": reason, "message": message}}}))
}

fn conditions(kind: &str, name: &str, said: Value) -> Value {
    object(kind, name, json!({"status": {"conditions": [said]}}))
}

fn event(kind: &str, about: &str, reason: &str, message: &str, at: &str) -> Value {
    let about =
        json!({"kind": kind, "name": about, "namespace": "default", "uid": format!("uid-of-{about}")});
    let rest = json!({"involvedObject": about, "reason": reason, "message": message, "lastTimestamp": at, "type": "Warning"});
    object("Event", &format!("{about}.{reason}.{at}"), rest)
}

const EARLIER: &str = "2026-01-05T12:00:00Z";
const LATER: &str = "2026-01-05T12:05:00Z";

fn told(objects: Vec<Value>) -> String {
    diagnose(&Snapshot { objects, ..Snapshot::default() })
        .map_or("nothing".to_owned(), |diagnosis| diagnosis.to_string())
}

#[test]
fn every_cause_is_named_in_one_line() {
    let not_found = "failed to pull and unpack image: harbor.example.com/shop:pr-42: not found";
    let claim = |class: Value| {
        object("PersistentVolumeClaim", "data", json!({"spec": class, "status": {"phase": "Pending"}}))
    };
    let unschedulable = |message: &str| {
        let said =
            json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message});
        object("Pod", "shop-1", json!({"status": {"phase": "Pending", "conditions": [said]}}))
    };
    let replica_failure = |message: &str| {
        let said =
            json!({"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message});
        conditions("ReplicaSet", "shop-7d", said)
    };
    let ended = |reason: &str, code: i32| json!({"terminated": {"exitCode": code, "reason": reason}});
    let mut job_pod = pod("Failed", json!({"state": ended("Error", 3)}));
    job_pod["metadata"]["ownerReferences"] = json!([{"kind": "Job", "uid": "uid-of-migrate"}]);
    let backoff = json!({
        "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    });
    let running = json!({"state": {"running": {"startedAt": EARLIER}}});
    for (objects, expected) in [
        (
            vec![waiting("ErrImagePull", not_found)],
            "image not found: pod default/shop-1: harbor.example.com/shop:pr-42: not found",
        ),
        (
            vec![
                waiting("ImagePullBackOff", "Back-off pulling image \"harbor.example.com/shop:pr-42\""),
                event("Pod", "shop-1", "Failed", "Failed to pull image: 401 Unauthorized", EARLIER),
            ],
            "image refused: pod default/shop-1: harbor.example.com/shop:pr-42: Failed to pull image: 401 Unauthorized",
        ),
        (
            vec![waiting("ErrImagePull", "dial tcp 10.0.0.1:443: i/o timeout")],
            "image cannot be pulled: pod default/shop-1: harbor.example.com/shop:pr-42: dial tcp 10.0.0.1:443: i/o timeout",
        ),
        (
            vec![pod("Running", json!({"restartCount": 4, "lastState": ended("OOMKilled", 137)}))],
            "out of memory: pod default/shop-1: container app ended with exit code 137 (OOMKilled), restarted 4 times",
        ),
        (
            vec![pod(
                "Running",
                json!({
                    "restartCount": 2, "lastState": ended("Error", 1),
                    "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
                }),
            )],
            "container crashes: pod default/shop-1: container app ended with exit code 1, restarted 2 times",
        ),
        (
            vec![waiting("CreateContainerConfigError", "secret \"db\" not found")],
            "configuration missing: pod default/shop-1: container app: secret \"db\" not found",
        ),
        (
            vec![
                pod("Pending", json!({"state": {"waiting": {"reason": "ContainerCreating"}}})),
                event("Pod", "shop-1", "FailedMount", "configmap \"settings\" not found", LATER),
            ],
            "configuration missing: pod default/shop-1: configmap \"settings\" not found",
        ),
        (
            vec![replica_failure(
                "pods \"shop-7d-x\" is forbidden: exceeded quota: berth, requested: pods=1, used: pods=10",
            )],
            "quota exceeded: replicaset default/shop-7d: pods \"shop-7d-x\" is forbidden: exceeded quota: berth, requested: \
             pods=1, used: pods=10",
        ),
        (
            vec![
                object("ReplicaSet", "shop-7d", json!({})),
                event(
                    "ReplicaSet",
                    "shop-7d",
                    "FailedCreate",
                    "failed calling webhook \"v.cert-manager.io\": no endpoints",
                    LATER,
                ),
            ],
            "webhook in the way: replicaset default/shop-7d: failed calling webhook \"v.cert-manager.io\": no endpoints",
        ),
        (
            vec![replica_failure("pods \"shop\" is forbidden: violates PodSecurity \"restricted:latest\"")],
            "not permitted: replicaset default/shop-7d: pods \"shop\" is forbidden: violates PodSecurity \"restricted:latest\"",
        ),
        (
            vec![
                unschedulable("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims."),
                claim(json!({"storageClassName": "fast"})),
            ],
            "volume pending: persistentvolumeclaim default/data: it has no volume of the storage class fast",
        ),
        (
            vec![
                claim(json!({})),
                event(
                    "PersistentVolumeClaim",
                    "data",
                    "ProvisioningFailed",
                    "storageclass \"fast\" not found",
                    LATER,
                ),
            ],
            "volume pending: persistentvolumeclaim default/data: storageclass \"fast\" not found",
        ),
        (
            vec![replica_failure(
                "pods \"shop-7d-x\" is forbidden: minimum cpu usage per Container is 100m, but request is 50m",
            )],
            "requests too small: replicaset default/shop-7d: pods \"shop-7d-x\" is forbidden: minimum cpu usage per Container \
             is 100m, but request is 50m",
        ),
        (
            vec![replica_failure(
                "pods \"shop-7d-x\" is forbidden: error looking up service account default/shop: serviceaccount \"shop\" \
                 not found",
            )],
            "configuration missing: replicaset default/shop-7d: pods \"shop-7d-x\" is forbidden: error looking up service \
             account default/shop: serviceaccount \"shop\" not found",
        ),
        (
            vec![
                pod("Pending", json!({"state": {"waiting": {"reason": "ContainerCreating"}}})),
                event(
                    "Pod",
                    "shop-1",
                    "FailedAttachVolume",
                    "Multi-Attach error for volume \"pvc-1\"",
                    LATER,
                ),
            ],
            "volume pending: pod default/shop-1: Multi-Attach error for volume \"pvc-1\"",
        ),
        (
            vec![unschedulable("0/1 nodes are available: 1 Insufficient memory.")],
            "unschedulable: pod default/shop-1: 0/1 nodes are available: 1 Insufficient memory.",
        ),
        (
            vec![conditions(
                "Certificate",
                "tls",
                json!({
                    "type": "Ready", "status": "False", "reason": "DoesNotExist", "message": "Issuing certificate as Secret does not exist",
                }),
            )],
            "certificate not issued: certificate default/tls: Issuing certificate as Secret does not exist",
        ),
        (
            vec![conditions("Job", "migrate", backoff), job_pod],
            "job failed: job default/migrate: Job has reached the specified backoff limit; pod default/shop-1: container app \
             ended with exit code 3",
        ),
        (
            vec![
                pod("Running", running.clone()),
                event(
                    "Pod",
                    "shop-1",
                    "Unhealthy",
                    "Readiness probe failed: HTTP probe failed with statuscode: 500",
                    EARLIER,
                ),
                event(
                    "Pod",
                    "shop-1",
                    "Unhealthy",
                    "Readiness probe failed: HTTP probe failed with statuscode: 503",
                    LATER,
                ),
            ],
            "probe fails: pod default/shop-1: container app: Readiness probe failed: HTTP probe failed with statuscode: 503",
        ),
        (
            vec![conditions(
                "Node",
                "n1",
                json!({"type": "Ready", "status": "Unknown", "message": "Kubelet stopped posting node status."}),
            )],
            "node not ready: node default/n1: Kubelet stopped posting node status.",
        ),
        (
            vec![
                conditions(
                    "Cluster",
                    "pr-shop-42",
                    json!({"type": "Available", "status": "False", "message": "* InfrastructureReady: no"}),
                ),
                conditions(
                    "ProxmoxMachine",
                    "pr-shop-42-cp-x",
                    json!({"type": "Ready", "status": "False", "message": "no free memory on node03"}),
                ),
            ],
            "machine not ready: proxmoxmachine default/pr-shop-42-cp-x: no free memory on node03",
        ),
        (
            vec![conditions(
                "Deployment",
                "shop",
                json!({
                    "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
                    "message": "ReplicaSet \"shop-7d\" has timed out progressing.",
                }),
            )],
            "rollout stuck: deployment default/shop: ReplicaSet \"shop-7d\" has timed out progressing.",
        ),
    ] {
        assert_eq!(told(objects), expected);
    }
}

#[test]
fn the_root_is_named_and_not_what_follows_from_it() {
    let deployment = conditions(
        "Deployment",
        "shop",
        json!({"type": "Progressing", "status": "False", "message": "timed out progressing"}),
    );
    let told = told(vec![deployment, waiting("ErrImagePull", "manifest unknown")]);
    assert!(told.starts_with("image not found"), "{told}");
}

#[test]
fn what_is_well_on_its_way_out_or_silent_explains_nothing() {
    let ready = pod("Running", json!({"ready": true, "state": {"running": {}}, "restartCount": 0}));
    let ended = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
    let recovered = pod(
        "Running",
        json!({"ready": true, "state": {"running": {}}, "restartCount": 1, "lastState": ended}),
    );
    let mut ending = waiting("ErrImagePull", "not found");
    ending["metadata"]["deletionTimestamp"] = json!(EARLIER);
    let first_consumer =
        object("PersistentVolumeClaim", "data", json!({"spec": {}, "status": {"phase": "Pending"}}));
    let stale = event("Pod", "gone-before", "FailedMount", "not found", EARLIER);
    assert_eq!(told(vec![ready, recovered, ending, first_consumer, stale]), "nothing");
    assert_eq!(told(vec![]), "nothing");
    assert_eq!(told(vec![json!({}), json!("text"), json!({"kind": "Pod", "status": 7})]), "nothing");
}

#[test]
fn what_went_well_after_all_explains_nothing() {
    let mut pod = pod("Running", json!({"ready": true, "state": {"running": {}}, "restartCount": 0}));
    pod["metadata"]["ownerReferences"] = json!([{"kind": "ReplicaSet", "uid": "uid-of-shop-7d"}]);
    let mounted = event("Pod", "shop-1", "FailedMount", "configmap \"settings\" not found", EARLIER);
    let made = event("ReplicaSet", "shop-7d", "FailedCreate", "forbidden: exceeded quota: berth", EARLIER);
    let set = object("ReplicaSet", "shop-7d", json!({"spec": {"replicas": 1}}));
    assert_eq!(told(vec![pod, set, mounted, made]), "nothing");
}

#[test]
fn a_mount_that_failed_and_went_well_later_explains_nothing() {
    let mount = |at: &str| {
        let said = "MountVolume.SetUp failed for volume \"settings\" : configmap \"settings\" not found";
        event("Pod", "shop-1", "FailedMount", said, at)
    };
    let creating = || pod("Pending", json!({"state": {"waiting": {"reason": "ContainerCreating"}}}));
    for later in ["Pulling", "Pulled", "Created", "Started"] {
        let went_on = event("Pod", "shop-1", later, "later", LATER);
        assert_eq!(told(vec![creating(), mount(EARLIER), went_on]), "nothing", "{later}");
    }
    let earlier = event("Pod", "shop-1", "Pulled", "of its life before", EARLIER);
    assert!(told(vec![creating(), mount(LATER), earlier]).starts_with("configuration missing"));
    // Before its own container is begun, all volumes are there.
    let mut preparing = creating();
    preparing["status"]["initContainerStatuses"] = json!([{"name": "before", "state": {"running": {}}}]);
    assert_eq!(told(vec![preparing, mount(LATER)]), "nothing");
    assert!(
        told(vec![waiting("ImagePullBackOff", "Back-off"), mount(EARLIER)])
            .starts_with("image cannot be pulled")
    );
}

#[test]
fn what_a_server_answers_explains_itself_whatever_objects_say() {
    let step = StepName::new("deploy");
    let answered = |line: &str| {
        let failed = Some(Failed { step, how: How::Answered(vec![line.to_owned()]) });
        let objects = vec![waiting("ErrImagePull", "not found")];
        let told = diagnose(&Snapshot { objects, failed, ..Snapshot::default() });
        told.map_or("nothing".to_owned(), |diagnosis| diagnosis.to_string())
    };
    for (line, expected) in [
        (
            "could not apply pod default/it at https://10.0.0.1:6443: pods \"it\" is forbidden: exceeded quota: berth",
            "quota exceeded: pod default/it: pods \"it\" is forbidden: exceeded quota: berth",
        ),
        (
            "could not apply service default/it: admission webhook \"policy.example.com\" denied the request: no owner",
            "not permitted: service default/it: admission webhook \"policy.example.com\" denied the request: no owner",
        ),
        (
            "could not apply service default/it: services \"it\" is forbidden: ValidatingAdmissionPolicy 'owned' with binding \
             'owned' denied request: no owner",
            "not permitted: service default/it: services \"it\" is forbidden: ValidatingAdmissionPolicy 'owned' with binding \
             'owned' denied request: no owner",
        ),
        ("could not apply service default/it: spec.ports: Required value", "nothing"),
        ("could not read kv/pr-shop-42/claim: 503", "nothing"),
    ] {
        assert_eq!(answered(line), expected);
    }
}

#[test]
fn a_message_of_many_lines_is_one_and_ends_where_nobody_reads_on() {
    let long = told(vec![waiting("ErrImagePull", &format!("not\n  found {}", "ä".repeat(1000)))]);
    assert!(
        long.contains(":pr-42: not found ä") && long.ends_with("ä…") && long.chars().count() < 400,
        "{long}"
    );
}

#[test]
fn where_nobody_answered_at_last_objects_tell_unless_what_was_said_does() {
    let unanswered = |step: &'static str, line: &str, waited: Option<&str>, objects: Vec<Value>| {
        let how = How::Unanswered { said: vec![line.to_owned()], waited: waited.map(str::to_owned) };
        let failed = Some(Failed { step: StepName::new(step), how });
        let told = diagnose(&Snapshot { objects, failed, ..Snapshot::default() });
        told.map_or("nothing".to_owned(), |diagnosis| diagnosis.to_string())
    };
    let line = "could not read deployments: 503 Service Unavailable";
    let absent = || vec![waiting("ErrImagePull", "not found")];
    assert!(unanswered("deploy", line, None, absent()).starts_with("image not found: pod default/shop-1"));
    assert_eq!(unanswered("deploy", line, None, vec![]), "nothing");
    assert_eq!(
        unanswered("dns", line, Some("one resolver says NXDOMAIN"), vec![]),
        "name does not lead here: dns: one resolver says NXDOMAIN"
    );
    let webhook =
        "could not apply service default/it: failed calling webhook \"v.example.com\": no endpoints";
    assert!(
        unanswered("deploy", webhook, None, absent()).starts_with("webhook in the way: service default/it")
    );
}

#[test]
fn what_the_diagnosis_is_about_is_heard_first_and_of_each_owner_one_pod() {
    let made = |kind: &str, name: &str, owner: Option<&str>| {
        let ended = json!({"terminated": {"exitCode": 1, "reason": "Error"}});
        let status = json!({"name": "app", "ready": false, "restartCount": 2, "lastState": ended});
        let status = json!({"phase": "Running", "containerStatuses": [status]});
        let mut made = object(kind, name, if kind == "Pod" { json!({"status": status}) } else { json!({}) });
        if let Some(owner) = owner {
            made["metadata"]["ownerReferences"] = json!([{"uid": format!("uid-of-{owner}")}]);
        }
        made
    };
    let running = |name: &str| {
        let mut pod = pod("Running", json!({"state": {"running": {}}}));
        pod["metadata"]["name"] = json!(name);
        pod["metadata"]["uid"] = json!(name);
        pod
    };
    let objects = vec![
        made("Pod", "a-1", Some("a")),
        made("Pod", "a-2", Some("a")),
        made("Pod", "b-1", Some("b")),
        running("not-ready"),
        made("Deployment", "shop", None),
        made("ReplicaSet", "shop-7d", Some("shop")),
        made("Pod", "shop-7d-1", Some("shop-7d")),
        made("Pod", "shop-7d-2", Some("shop-7d")),
    ];
    let all = Snapshot { objects, ..Snapshot::default() };
    let heard = |about: &str| {
        let found =
            Diagnosis { cause: "any", object: about.to_owned(), detail: String::new(), advice: "any" };
        speakers(&all, Some(&found)).map(|(pod, ..)| pod.name).collect::<Vec<_>>()
    };
    assert_eq!(heard("pod default/shop-7d-2"), ["shop-7d-2", "a-1", "b-1"]);
    assert_eq!(heard("deployment default/shop"), ["shop-7d-1", "a-1", "b-1"]);
    assert_eq!(heard("pod default/not-ready"), ["not-ready", "a-1", "b-1", "shop-7d-1"]);
    assert_eq!(heard("node n1"), ["a-1", "b-1", "shop-7d-1"]);
}
