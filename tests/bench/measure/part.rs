//! What berth does in the middle of its pipeline, as a process of its own, so that it can be measured as kubectl is.

use super::{taking::Takings, timeline};
use berth::{
    clients::kubernetes::{
        Judgement, Kubernetes, Target,
        condition::condition,
        connect,
        manifest::{Bundle, Manifest},
    },
    clock::Clock,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(60);

/// Plays this part, if these arguments name one.
pub(crate) fn play(arguments: &[String]) -> bool {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // As the binary has it.
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments[..] {
        ["part", "apply", kubeconfig, bundle, generation] => {
            runtime().block_on(apply(kubeconfig.into(), bundle.as_ref(), generation.parse().unwrap()));
        }
        ["part", "wait", kubeconfig, object] => runtime().block_on(wait(kubeconfig.into(), object.as_ref())),
        ["part", "up", directory] => runtime().block_on(timeline::up(directory.as_ref())),
        ["part", "dig", server, name] => runtime().block_on(timeline::dig(server, name)),
        _ => return false,
    }
    true
}

/// The cluster that a kubeconfig names.
pub(crate) async fn cluster(kubeconfig: PathBuf) -> Kubernetes {
    let target = Target::Kubeconfig { files: vec![kubeconfig], context: None };
    Kubernetes::new(connect(&target, "bench").await.unwrap(), LIMIT, Clock::system())
}

/// Objects in a file of one JSON document after the other.
fn objects(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let documents = text.split("---\n").filter(|document| !document.is_empty());
    documents.map(|document| serde_json::from_str(document).unwrap()).collect()
}

/// As the environment's run of this generation.
async fn apply(kubeconfig: PathBuf, bundle: &Path, generation: u32) {
    let takings = Takings::new();
    for _ in 1..generation {
        takings.take(7).await;
    }
    let fence = takings.take(7).await;
    let bundle = Bundle::of(objects(bundle)).unwrap();
    cluster(kubeconfig).await.writer(&fence).apply(&bundle).await.unwrap();
}

async fn wait(kubeconfig: PathBuf, object: &Path) {
    ready(&cluster(kubeconfig).await, &objects(object)[0]).await;
}

/// Until the object is `Ready`.
pub(crate) async fn ready(cluster: &Kubernetes, object: &Value) {
    let name = Manifest::parse(object.clone()).unwrap().name().clone();
    let judge = |seen: &[berth::clients::kubernetes::Seen]| {
        Ok(match seen[0].object().map(|object| condition(object.value(), "Ready")) {
            Some(said) if said.is_true() => Judgement::Met,
            said => Judgement::Lacking(format!("{said:?}")),
        })
    };
    cluster.wait_until(&[name], "a ready object", LIMIT, judge).await.unwrap();
}
