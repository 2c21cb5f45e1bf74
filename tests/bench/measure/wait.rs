//! The wait for a condition beside `kubectl wait`: what it takes when there is nothing to wait for, and how soon a change is
//! noticed.

use super::{
    cost::{self, Cost, Measured, of_process},
    harness::{control_plane::ControlPlane, keeper},
    part,
};
use kube::{
    Api,
    api::{DynamicObject, Patch, PatchParams, PostParams},
    core::{ApiResource, GroupVersionKind},
};
use serde_json::{Value, json};
use std::{path::PathBuf, process::Command, time::Duration};

const ROUNDS: usize = 11;
const KIND: &str = "Thing";
const GROUP: &str = "wait.bench.berth.dev";

/// As long as the slower of both needs to be watching, several times over.
const SETTLED: Duration = Duration::from_millis(1_500);

struct Things<'a> {
    plane: &'a ControlPlane,
    api: Api<DynamicObject>,
    directory: PathBuf,
}

pub(crate) async fn measure(plane: &ControlPlane) -> Vec<Measured> {
    let things = Things::begin(plane).await;
    let runtime = tokio::runtime::Handle::current();
    let wait = |thing: &str| tokio::task::block_in_place(|| runtime.block_on(things.make(thing)));
    let make_true = |thing: &str| tokio::task::block_in_place(|| runtime.block_on(things.turn(thing)));
    let held = "held";
    wait(held);
    make_true(held);
    let at_once = Measured::pairs(
        "wait for a condition that holds",
        ROUNDS,
        |_| of_process(&mut things.berth(held)),
        |_| of_process(&mut things.kubectl(held)),
    );
    let noticed = |command: &dyn Fn(&str) -> Command, who: &str, round: usize| {
        let thing = format!("{who}-{round}");
        wait(&thing);
        reaction(command(&thing), || make_true(&thing))
    };
    let process = Measured::pairs(
        "from the request that makes a condition true to the end of the waiting process",
        ROUNDS,
        |round| noticed(&|thing| things.berth(thing), "berth", round),
        |round| noticed(&|thing| things.kubectl(thing), "kubectl", round),
    );
    let inside = Measured::alone(
        "from the request that makes a condition true to berth's noticing it",
        ROUNDS,
        |round| {
            let thing = format!("inside-{round}");
            wait(&thing);
            tokio::task::block_in_place(|| runtime.block_on(things.noticed(&thing)))
        },
    );
    vec![at_once, process, inside]
}

impl<'a> Things<'a> {
    async fn begin(plane: &'a ControlPlane) -> Self {
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("things.{GROUP}")},
            "spec": {
                "group": GROUP, "scope": "Namespaced",
                "names": {"kind": KIND, "plural": "things", "singular": "thing"},
                "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
                }}],
            },
        });
        plane.kubectl(&["apply", "-f", "-"], &crd.to_string());
        plane.kubectl(&["wait", "--for=condition=Established", "crd", &format!("things.{GROUP}")], "");
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(GROUP, "v1", KIND));
        let api = Api::namespaced_with(plane.client("bench").await, "default", &resource);
        Self { plane, api, directory: keeper::directory("wait") }
    }

    async fn make(&self, name: &str) {
        let object = serde_json::from_value(object(name)).unwrap();
        self.api.create(&PostParams::default(), &object).await.unwrap();
    }

    /// Makes the condition true.
    async fn turn(&self, name: &str) {
        let status = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
        self.api.patch_status(name, &PatchParams::default(), &Patch::Merge(&status)).await.unwrap();
    }

    fn berth(&self, name: &str) -> Command {
        let file = keeper::file(&self.directory, name, &object(name).to_string());
        let mut part = cost::program(std::env::current_exe().unwrap());
        part.args(["part", "wait"]).arg(&self.plane.kubeconfig).arg(file);
        part
    }

    fn kubectl(&self, name: &str) -> Command {
        let mut command = keeper::command("kubectl");
        command.arg("--kubeconfig").arg(&self.plane.kubeconfig).env("HOME", &self.plane.directory);
        command.args(["wait", "--for=condition=Ready", "--timeout=60s", &format!("things.{GROUP}/{name}")]);
        command
    }

    /// Without a process around it.
    #[allow(clippy::disallowed_methods, reason = "this measures")]
    async fn noticed(&self, name: &str) -> Cost {
        let cluster = part::cluster(self.plane.kubeconfig.clone()).await;
        let waiting = tokio::spawn({
            let object = object(name);
            async move {
                part::ready(&cluster, &object).await;
                std::time::Instant::now()
            }
        });
        tokio::time::sleep(SETTLED).await;
        let turned = std::time::Instant::now();
        self.turn(name).await;
        Cost { wall: waiting.await.unwrap().duration_since(turned).as_secs_f64() * 1000.0, cpu: 0.0 }
    }
}

fn object(name: &str) -> Value {
    json!({"apiVersion": format!("{GROUP}/v1"), "kind": KIND, "metadata": {"name": name, "namespace": "default"}})
}

/// From the request that makes the condition true until the process that waited for it has ended.
#[allow(clippy::disallowed_methods, reason = "this measures")]
fn reaction(mut waiting: Command, turn: impl FnOnce()) -> Cost {
    let mut child = waiting.stdout(std::process::Stdio::null()).spawn().unwrap();
    std::thread::sleep(SETTLED);
    assert_eq!(child.try_wait().unwrap(), None, "{waiting:?} did not wait");
    let turned = std::time::Instant::now();
    turn();
    assert!(child.wait().unwrap().success(), "{waiting:?}");
    Cost { wall: turned.elapsed().as_secs_f64() * 1000.0, cpu: 0.0 }
}
