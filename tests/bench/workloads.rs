//! What the scheduler, the controllers and kwok's Stages play together: each fact as users meet it.

use crate::{
    bed::crypto,
    harness::{
        control_plane::ControlPlane,
        watching::{until, until_any, until_gone},
        workloads::{
            self, CRASH_LOOP, DELAY, EXIT_CODE, FAIL, HANG, IMAGE_PULL_BACK_OFF, NEVER_READY, PLAY,
            Workloads, pod,
        },
    },
};
use jiff::SignedDuration;
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        batch::v1::Job,
        core::v1::{ConfigMap, ContainerStatus, Event, Namespace, Pod, ResourceQuota},
    },
};
use kube::{
    Api, Client, Error,
    api::{DeleteParams, LogParams, Patch, PatchParams, PostParams},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::fmt::Debug;

/// A namespace of one fact.
struct Bed {
    plane: &'static ControlPlane,
    workloads: &'static Workloads,
    client: Client,
    namespace: String,
}

impl Bed {
    async fn fresh() -> Self {
        crypto();
        let (plane, workloads) = workloads::management().await;
        let namespace = plane.fresh_namespace("workloads").await;
        plane.has_service_account(&namespace).await;
        Self { plane, workloads, client: plane.client("bench").await, namespace }
    }

    fn api<K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()>>(&self) -> Api<K> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    async fn create<K>(&self, object: Value) -> kube::Result<K>
    where
        K: kube::Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug,
        K: Serialize + DeserializeOwned,
    {
        self.api().create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await
    }

    /// The pod `it` with these annotations, and what more its spec says.
    async fn pod(&self, annotations: &[(&str, &str)], spec: Value) -> Api<Pod> {
        let mut pod = pod(annotations, spec);
        pod["metadata"]["name"] = json!("it");
        self.create::<Pod>(pod).await.unwrap();
        self.api()
    }

    /// The Deployment `it` of pods like this.
    async fn deployment(&self, annotations: &[(&str, &str)], more: Value) -> Api<Deployment> {
        let template = pod(annotations, json!({}));
        let mut spec =
            json!({"replicas": 2, "selector": {"matchLabels": {"app": "app"}}, "template": template});
        spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.create::<Deployment>(json!({"metadata": {"name": "it"}, "spec": spec})).await.unwrap();
        self.api()
    }

    /// The Job `it` of pods like this.
    async fn job(&self, annotations: &[(&str, &str)]) -> Api<Job> {
        let template = pod(annotations, json!({"restartPolicy": "Never"}));
        let spec = json!({"backoffLimit": 0, "template": template});
        self.create::<Job>(json!({"metadata": {"name": "it"}, "spec": spec})).await.unwrap();
        self.api()
    }
}

/// The pod's first container.
fn container(pod: &Pod) -> Option<&ContainerStatus> {
    pod.status.as_ref()?.container_statuses.as_ref()?.first()
}

/// Status, reason and message of a pod's condition.
fn condition(pod: &Pod, kind: &str) -> Option<(String, String, String)> {
    let conditions = pod.status.as_ref()?.conditions.as_ref()?;
    let is = conditions.iter().find(|is| is.type_ == kind)?.clone();
    Some((is.status, is.reason.unwrap_or_default(), is.message.unwrap_or_default()))
}

fn is(pod: &Pod, kind: &str, status: &str) -> bool {
    condition(pod, kind).is_some_and(|(is, ..)| is == status)
}

/// Reason and message of what the pod's first container waits for.
fn waits(pod: &Pod) -> Option<(String, String)> {
    let waiting = container(pod)?.state.as_ref()?.waiting.clone()?;
    Some((waiting.reason?, waiting.message.unwrap_or_default()))
}

/// The reason of a Deployment's condition of this status.
fn progress(deployment: &Deployment, kind: &str, status: &str) -> Option<String> {
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let is = conditions
        .iter()
        .find(|is| is.type_.as_deref() == Some(kind) && is.status.as_deref() == Some(status))?;
    is.reason.clone()
}

/// The reason of a Job's condition that holds.
fn outcome(job: &Job, kind: &str) -> Option<String> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let is = conditions.iter().find(|is| is.type_ == kind && is.status == "True")?;
    Some(is.reason.clone().unwrap_or_default())
}

#[tokio::test]
async fn a_deployment_becomes_available() {
    let bed = Bed::fresh().await;
    let deployments = bed.deployment(&[], json!({})).await;
    let reason = until(&deployments, "it", |it| {
        let ready = it.status.as_ref()?.ready_replicas == Some(2);
        progress(it, "Available", "True").filter(|_| ready)
    })
    .await;
    assert_eq!(reason, "MinimumReplicasAvailable");
    // What `kubectl` thinks of it.
    let said = bed.plane.kubectl(&["rollout", "status", "deployment/it", "-n", &bed.namespace], "");
    assert!(said.contains("successfully rolled out"), "{said}");
}

#[tokio::test]
async fn a_ready_pod_has_a_kubelets_whole_status() {
    let bed = Bed::fresh().await;
    let pods = bed.pod(&[], json!({"initContainers": [{"name": "before", "image": "before:1"}]})).await;
    let it = until(&pods, "it", |it| is(it, "Ready", "True").then(|| it.clone())).await;
    for kind in ["PodScheduled", "PodReadyToStartContainers", "Initialized", "ContainersReady"] {
        assert_eq!(condition(&it, kind), Some(("True".into(), String::new(), String::new())), "{kind}");
    }
    let status = it.status.clone().unwrap();
    assert_eq!(status.phase.as_deref(), Some("Running"));
    assert_eq!(status.host_ip.as_deref(), Some("127.0.0.1"));
    assert!(status.start_time.is_some() && status.pod_ip.unwrap().starts_with("10.244."));
    let app = container(&it).unwrap();
    assert!(app.ready && app.started == Some(true) && app.state.as_ref().unwrap().running.is_some());
    let before = &status.init_container_statuses.unwrap()[0];
    let ended = before.state.as_ref().unwrap().terminated.as_ref().unwrap();
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (0, Some("Completed")));
}

#[tokio::test]
async fn a_slow_pod_creates_its_containers_until_its_delay_is_over() {
    let bed = Bed::fresh().await;
    let pods = bed.pod(&[(DELAY, "2s")], json!({})).await;
    let (waits, unready) = until(&pods, "it", |it| Some((waits(it)?, condition(it, "Ready")?))).await;
    assert_eq!(waits.0, "ContainerCreating");
    let why = "containers with unready status: [app]";
    assert_eq!(unready, ("False".into(), "ContainersNotReady".into(), why.into()));
    let (created, ready) = until(&pods, "it", |it| {
        let conditions = it.status.as_ref()?.conditions.clone()?;
        let since = |kind: &str| {
            let is = conditions.iter().find(|is| is.type_ == kind && is.status == "True")?;
            is.last_transition_time.clone()
        };
        Some((since("Initialized")?.0, since("Ready")?.0))
    })
    .await;
    assert!(ready.duration_since(created) >= SignedDuration::from_secs(2), "{created} {ready}");
}

#[tokio::test]
async fn an_image_that_is_not_to_be_had_is_tried_and_then_backed_off_from() {
    let bed = Bed::fresh().await;
    let pods = bed.pod(&[(PLAY, IMAGE_PULL_BACK_OFF)], json!({})).await;
    let tried = "rpc error: code = NotFound desc = failed to pull and unpack image \"registry.example/app:1\": \
        failed to resolve reference \"registry.example/app:1\": registry.example/app:1: not found";
    let first = until(&pods, "it", |it| waits(it).filter(|(reason, _)| reason != "ContainerCreating")).await;
    assert!(first.0 == "ErrImagePull" || first.0 == "ImagePullBackOff", "{first:?}");
    let (message, it) = until(&pods, "it", |it| match waits(it)? {
        (reason, message) if reason == "ImagePullBackOff" => Some((message, it.clone())),
        _ => None,
    })
    .await;
    assert_eq!(message, format!("Back-off pulling image \"registry.example/app:1\": ErrImagePull: {tried}"));
    assert_eq!(it.status.as_ref().unwrap().phase.as_deref(), Some("Pending"));
    assert!(is(&it, "Ready", "False") && !container(&it).unwrap().ready);
    let events: Api<Event> = bed.api();
    let said =
        until_any(&events, "involvedObject.name=it,reason=Failed", "", |event| event.message.clone()).await;
    assert_eq!(said, format!("Failed to pull image \"registry.example/app:1\": {tried}"));
}

#[tokio::test]
async fn a_crash_loop_counts_its_restarts_and_keeps_how_it_ended_last() {
    let bed = Bed::fresh().await;
    let pods = bed.pod(&[(PLAY, CRASH_LOOP), (EXIT_CODE, "137")], json!({})).await;
    let mut ever_ready = false;
    let (message, it) = until(&pods, "it", |it| {
        ever_ready |= is(it, "Ready", "True");
        match waits(it)? {
            (reason, message) if reason == "CrashLoopBackOff" && container(it)?.restart_count >= 2 => {
                Some((message, it.clone()))
            }
            _ => None,
        }
    })
    .await;
    let uid = it.metadata.uid.clone().unwrap();
    assert_eq!(
        message,
        format!("back-off 10s restarting failed container=app pod=it_{}({uid})", bed.namespace)
    );
    let ended = container(&it).unwrap().last_state.clone().unwrap().terminated.unwrap();
    assert_eq!((ended.exit_code, ended.reason.as_deref()), (137, Some("Error")));
    assert!(ended.finished_at.is_some() && !ever_ready);
    // Between two back-offs it runs.
    let restarts = container(&it).unwrap().restart_count;
    until(&pods, "it", |it| {
        let app = container(it)?;
        app.state.as_ref()?.running.as_ref()?;
        (app.restart_count > restarts).then_some(())
    })
    .await;
    let events: Api<Event> = bed.api();
    let said =
        until_any(&events, "involvedObject.name=it,reason=BackOff", "", |event| event.message.clone()).await;
    assert!(said.starts_with("Back-off restarting failed container app in pod it_"), "{said}");
}

#[tokio::test]
async fn a_pod_that_is_never_ready_runs() {
    let bed = Bed::fresh().await;
    let pods = bed.pod(&[(PLAY, NEVER_READY)], json!({})).await;
    let it = until(&pods, "it", |it| {
        container(it)?.state.as_ref()?.running.as_ref()?;
        Some(it.clone())
    })
    .await;
    let (status, reason, message) = condition(&it, "Ready").unwrap();
    assert_eq!((status.as_str(), reason.as_str()), ("False", "ContainersNotReady"));
    assert_eq!(message, "containers with unready status: [app]");
    assert_eq!(container(&it).unwrap().restart_count, 0);
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_is_unschedulable() {
    let bed = Bed::fresh().await;
    let asks = |limits: Value| json!({"containers": [{"name": "app", "image": "app", "resources": {"requests": limits}}]});
    for (spec, why) in [
        (asks(json!({"cpu": "100"})), "Insufficient cpu"),
        (json!({"nodeSelector": {"disk": "none-has-it"}}), "node affinity/selector"),
    ] {
        let pods = bed.pod(&[], spec).await;
        let (reason, message) = until(&pods, "it", |it| {
            let (status, reason, message) = condition(it, "PodScheduled")?;
            (status == "False").then_some((reason, message))
        })
        .await;
        assert_eq!(reason, "Unschedulable");
        assert!(message.starts_with("0/2 nodes are available") && message.contains(why), "{message}");
        pods.delete("it", &DeleteParams::default()).await.unwrap();
        until_gone(&pods, "it").await;
    }
}

#[tokio::test]
async fn a_deployment_of_crash_loops_exceeds_its_progress_deadline() {
    let bed = Bed::fresh().await;
    let deployments = bed.deployment(&[(PLAY, CRASH_LOOP)], json!({"progressDeadlineSeconds": 1})).await;
    let it = until(&deployments, "it", |it| {
        let late = progress(it, "Progressing", "False")? == "ProgressDeadlineExceeded";
        late.then(|| it.clone())
    })
    .await;
    assert_eq!(progress(&it, "Available", "False").as_deref(), Some("MinimumReplicasUnavailable"));
}

#[tokio::test]
async fn a_deleted_pod_is_gone_at_once() {
    let bed = Bed::fresh().await;
    let pods = bed.pod(&[], json!({})).await;
    until(&pods, "it", |it| is(it, "Ready", "True").then_some(())).await;
    pods.delete("it", &DeleteParams::default()).await.unwrap();
    until_gone(&pods, "it").await;
}

#[tokio::test]
async fn a_job_completes() {
    let bed = Bed::fresh().await;
    let jobs = bed.job(&[]).await;
    let it = until(&jobs, "it", |it| outcome(it, "Complete").map(|_| it.clone())).await;
    assert_eq!(it.status.unwrap().succeeded, Some(1));
    let phase =
        until_any(&bed.api::<Pod>(), "", "job-name=it", |pod| pod.status.as_ref()?.phase.clone()).await;
    assert_eq!(phase, "Succeeded");
}

#[tokio::test]
async fn a_job_fails_by_its_pods_exit_code() {
    let bed = Bed::fresh().await;
    let jobs = bed.job(&[(PLAY, FAIL), (EXIT_CODE, "3")]).await;
    let reason = until(&jobs, "it", |it| outcome(it, "Failed")).await;
    assert_eq!(reason, "BackoffLimitExceeded");
    let it = until_any(&bed.api::<Pod>(), "", "job-name=it", |pod| Some(pod.clone())).await;
    assert_eq!(it.status.as_ref().unwrap().phase.as_deref(), Some("Failed"));
    assert_eq!(container(&it).unwrap().state.as_ref().unwrap().terminated.as_ref().unwrap().exit_code, 3);
    assert_eq!(condition(&it, "Ready"), Some(("False".into(), "PodFailed".into(), String::new())));
}

/// Active it stays, until somebody's patience ends: here the Job's own.
#[tokio::test]
async fn a_job_that_hangs_is_active_until_its_deadline() {
    let bed = Bed::fresh().await;
    let jobs = bed.job(&[(PLAY, HANG)]).await;
    until(&jobs, "it", |it| (it.status.as_ref()?.ready == Some(1)).then_some(())).await;
    let it = jobs.get("it").await.unwrap();
    assert_eq!(it.status.as_ref().unwrap().active, Some(1));
    assert_eq!((outcome(&it, "Complete"), outcome(&it, "Failed")), (None, None));
    let deadline = json!({"spec": {"activeDeadlineSeconds": 1}});
    jobs.patch("it", &PatchParams::default(), &Patch::Merge(deadline)).await.unwrap();
    let reason = until(&jobs, "it", |it| outcome(it, "Failed")).await;
    assert_eq!(reason, "DeadlineExceeded");
}

#[tokio::test]
async fn logs_come_through_the_api_server() {
    let bed = Bed::fresh().await;
    bed.workloads
        .logs(&bed.namespace, "app", &["one", "two", "three"], &["before", "panic: out of luck"])
        .await;
    let pods = bed.pod(&[(PLAY, CRASH_LOOP)], json!({})).await;
    until(&pods, "it", |it| container(it)?.last_state.as_ref()?.terminated.clone().map(|_| ())).await;
    let whole = pods.logs("it", &LogParams::default()).await.unwrap();
    assert_eq!(whole, "one\ntwo\nthree\n");
    let last = LogParams { tail_lines: Some(1), timestamps: true, ..Default::default() };
    assert_eq!(pods.logs("it", &last).await.unwrap(), "2026-01-01T00:00:02.000000000Z three\n");
    let previous = LogParams { previous: true, container: Some("app".into()), ..Default::default() };
    assert_eq!(pods.logs("it", &previous).await.unwrap(), "before\npanic: out of luck\n");
}

#[tokio::test]
async fn a_quota_denies_what_says_no_requests_and_what_asks_for_too_much() {
    let bed = Bed::fresh().await;
    let hard = json!({"requests.cpu": "1", "configmaps": "2"});
    bed.create::<ResourceQuota>(json!({"metadata": {"name": "it"}, "spec": {"hard": hard}})).await.unwrap();
    // Before its status is there, the quota denies with other words. The root CA's ConfigMap counts.
    until(&bed.api::<ResourceQuota>(), "it", |it| {
        let used = it.status.as_ref()?.used.as_ref()?;
        (used.get("configmaps")?.0 == "1").then_some(())
    })
    .await;
    let denied = |made: kube::Result<()>| match made {
        Err(Error::Api(status)) => (status.code, status.message),
        other => panic!("{other:?}"),
    };
    let asking = |cpu: &str| {
        let mut pod = pod(
            &[],
            json!({"containers": [{"name": "app", "image": "app", "resources": {"requests": {"cpu": cpu}}}]}),
        );
        pod["metadata"]["name"] = json!("it");
        pod
    };
    let mut silent = pod(&[], json!({}));
    silent["metadata"]["name"] = json!("it");
    let (code, message) = denied(bed.create::<Pod>(silent).await.map(drop));
    assert_eq!(code, 403);
    assert!(message.contains("failed quota: it: must specify requests.cpu for: app"), "{message}");
    let (code, message) = denied(bed.create::<Pod>(asking("1500m")).await.map(drop));
    assert_eq!(code, 403);
    assert!(
        message.contains("exceeded quota: it, requested: requests.cpu=1500m, used: requests.cpu=0"),
        "{message}"
    );
    bed.create::<Pod>(asking("500m")).await.unwrap();
    let config = |name: &str| json!({"metadata": {"name": name}});
    bed.create::<ConfigMap>(config("one")).await.unwrap();
    let (code, message) = denied(bed.create::<ConfigMap>(config("two")).await.map(drop));
    assert_eq!(code, 403);
    assert!(message.contains("exceeded quota: it, requested: configmaps=1, used: configmaps=2"), "{message}");
}

#[tokio::test]
async fn a_namespace_names_the_finalizer_that_keeps_it() {
    let bed = Bed::fresh().await;
    let kept = json!({"metadata": {"name": "kept", "finalizers": ["bench.berth.dev/stays"]}});
    bed.create::<ConfigMap>(kept).await.unwrap();
    let namespaces: Api<Namespace> = Api::all(bed.client.clone());
    namespaces.delete(&bed.namespace, &DeleteParams::default()).await.unwrap();
    let (content, finalizers) = until(&namespaces, &bed.namespace, |it| {
        let conditions = it.status.as_ref()?.conditions.clone()?;
        let says = |kind: &str| {
            let is = conditions.iter().find(|is| is.type_ == kind && is.status == "True")?;
            is.message.clone()
        };
        Some((says("NamespaceContentRemaining")?, says("NamespaceFinalizersRemaining")?))
    })
    .await;
    assert_eq!(content, "Some resources are remaining: configmaps. has 1 resource instances");
    let why = "Some content in the namespace has finalizers remaining: bench.berth.dev/stays in 1 resource instances";
    assert_eq!(finalizers, why);
    let free = json!({"metadata": {"finalizers": null}});
    bed.api::<ConfigMap>().patch("kept", &PatchParams::default(), &Patch::Merge(free)).await.unwrap();
    until_gone(&namespaces, &bed.namespace).await;
}

/// One kwok and one scheduler for each control plane that asks for them.
#[tokio::test]
async fn a_second_control_plane_has_workloads_of_its_own() {
    crypto();
    let (first, _) = workloads::management().await;
    let second = ControlPlane::start("environment").await;
    let workloads = Workloads::start(&second).await;
    let namespace = second.fresh_namespace("second").await;
    second.has_service_account(&namespace).await;
    let pods: Api<Pod> = Api::namespaced(second.client("bench").await, &namespace);
    let mut pod = pod(&[], json!({}));
    pod["metadata"]["name"] = json!("it");
    pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    until(&pods, "it", |it| is(it, "Ready", "True").then_some(())).await;
    workloads.logs(&namespace, "app", &["of the second"], &[]).await;
    assert_eq!(pods.logs("it", &LogParams::default()).await.unwrap(), "of the second\n");
    let elsewhere: Api<Pod> = Api::namespaced(first.client("bench").await, &namespace);
    assert!(elsewhere.get_opt("it").await.unwrap().is_none());
}
