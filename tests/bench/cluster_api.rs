//! The real Cluster API core manager beside a real API server, and what it makes of the original template.
//!
//! Its CRDs and webhook configurations are read from its module in Go's cache. The webhooks are pointed at this machine: the
//! manager is no pod and has no Service.

use crate::players::{NoRecords, Records, Running};
use berth::{
    clock::Clock,
    rehearsal::players::{Pace, Player, k3s, proxmox},
};
use futures::future::join_all;
use hyper::Request;
use k8s_openapi::ByteString;
use kube::Client;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

/// What its webhooks are served with and by whom they are believed.
pub(crate) struct Webhooks {
    /// On loopback.
    pub(crate) port: u16,
    /// The authority, as PEM.
    pub(crate) authority: String,
    /// A directory with `tls.crt` and `tls.key`, for 127.0.0.1.
    pub(crate) directory: PathBuf,
}

const PAUSE: Duration = Duration::from_millis(50);
/// Longer than the real core and players at a real pace take: it tries a connection that failed again after 30 s.
const PATIENCE: Duration = Duration::from_secs(300);
const TEMPLATE: &str = include_str!("manifests/k3s-cluster.yaml");
const CRDS: [&str; 7] = [
    include_str!("crds/argo-cd.yaml"),
    include_str!("crds/external-dns.yaml"),
    include_str!("crds/external-secrets.yaml"),
    include_str!("crds/flux.yaml"),
    include_str!("crds/k3s.yaml"),
    include_str!("crds/metal3.yaml"),
    include_str!("crds/proxmox.yaml"),
];

/// The documents of a YAML text.
pub(crate) fn documents(text: &str) -> Vec<Value> {
    // A file of our own or of a pinned module, and a long one.
    let options = serde_saphyr::options! { budget: None, with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).unwrap()
}

/// The CRDs of everything that is not Cluster API's own.
pub(crate) fn crds() -> Vec<Value> {
    CRDS.iter().flat_map(|text| documents(text)).collect()
}

/// Cluster API's own CRDs and webhook configurations, with its webhooks on this machine.
pub(crate) fn objects(kubectl: &Path, webhooks: &Webhooks) -> Vec<Value> {
    let servers = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/servers/cluster-api");
    let mut list = Command::new("go");
    list.args(["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/cluster-api"])
        .current_dir(servers);
    let module = said(list).trim().to_owned();
    let mut kustomize = Command::new(kubectl);
    kustomize
        .arg("kustomize")
        .arg(Path::new(&module).join("core/config/default"));
    let mut objects = documents(&said(kustomize));
    objects.retain(|object| {
        let kind = object["kind"].as_str().unwrap_or("");
        kind == "CustomResourceDefinition" || kind.ends_with("WebhookConfiguration")
    });
    for object in &mut objects {
        let conversion = object.pointer_mut("/spec/conversion/webhook/clientConfig");
        conversion
            .into_iter()
            .for_each(|client| here(client, webhooks));
        for webhook in object
            .get_mut("webhooks")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            here(&mut webhook["clientConfig"], webhooks);
        }
    }
    objects
}

fn here(client: &mut Value, webhooks: &Webhooks) {
    let path = client["service"]["path"].as_str().unwrap();
    let url = format!("https://127.0.0.1:{}{path}", webhooks.port);
    *client =
        json!({ "url": url, "caBundle": ByteString(webhooks.authority.clone().into_bytes()) });
}

fn said(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Sends all of them at once, and waits until every CRD is Established: the manager would exit otherwise.
pub(crate) async fn install(client: &Client, objects: Vec<Value>) {
    join_all(objects.iter().map(|object| create(client, object)))
        .await
        .into_iter()
        .for_each(|c| c.unwrap());
    let crds: Vec<&Value> = objects
        .iter()
        .filter(|o| o["kind"] == "CustomResourceDefinition")
        .collect();
    until("established CRDs", async || {
        let all = get(
            client,
            "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        )
        .await;
        let items = all["items"].as_array().unwrap();
        let established = |crd: &&&Value| {
            let item = items
                .iter()
                .find(|item| item["metadata"]["name"] == crd["metadata"]["name"]);
            item.is_some_and(|item| condition(item, "Established") == "True")
        };
        crds.iter().all(|crd| established(&crd)).then_some(())
    })
    .await;
}

/// How the manager is started: it listens for its webhooks on all interfaces, for nothing else beyond loopback.
pub(crate) fn arguments(kubeconfig: &Path, webhooks: &Webhooks) -> Vec<String> {
    vec![
        format!("--kubeconfig={}", kubeconfig.display()),
        format!("--webhook-cert-dir={}", webhooks.directory.display()),
        format!("--webhook-port={}", webhooks.port),
        "--diagnostics-address=127.0.0.1:0".to_owned(),
        "--health-addr=127.0.0.1:0".to_owned(),
        "--insecure-diagnostics".to_owned(),
    ]
}

/// What it takes from its environment, and a pod would have.
pub(crate) const ENVIRONMENT: [(&str, &str); 3] = [
    ("POD_NAMESPACE", "capi-system"),
    ("POD_NAME", "cluster-api"),
    ("POD_UID", "cluster-api"),
];

/// Waits until its webhooks answer: a Cluster that they refuse is refused by them.
pub(crate) async fn ready(client: &Client) {
    until("Cluster API's webhooks", async || {
        match create_dry(client, &bad_cidr("default")).await {
            Err(kube::Error::Api(status)) if status.message.contains("bench-not-a-cidr") => {
                Some(())
            }
            _ => None,
        }
    })
    .await;
}

fn bad_cidr(namespace: &str) -> Value {
    json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Cluster",
        "metadata": { "name": "bad", "namespace": namespace },
        "spec": {
            "clusterNetwork": { "pods": { "cidrBlocks": ["bench-not-a-cidr"] } },
            "infrastructureRef": {
                "apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "ProxmoxCluster", "name": "bad",
            },
        },
    })
}

/// The players of an environment on Proxmox, whose own API server this kubeconfig leads to.
pub(crate) fn on_proxmox(
    kubeconfig: String,
    authority: String,
    pace: Pace,
) -> Vec<Arc<dyn Player>> {
    // k3s makes an authority for each cluster; these all have the bench's.
    let environment = k3s::Environment {
        kubeconfig,
        key: authority.clone(),
        certificate: authority,
    };
    vec![
        Arc::new(proxmox::Proxmox { pace }),
        Arc::new(k3s::K3s { pace, environment }),
    ]
}

/// One change of what a Cluster says of itself.
#[derive(Debug)]
pub(crate) struct Transition {
    /// Since the objects were applied.
    pub(crate) after: Duration,
    /// `Available=True`, or `phase=Provisioned`.
    pub(crate) what: String,
}

/// The original objects become an Available environment and go without a trace; what its Cluster said on the way.
pub(crate) async fn a_cluster_of_the_original_template_becomes_available_and_goes(
    client: &Client,
    environment: &Client,
    players: Vec<Arc<dyn Player>>,
) -> Vec<Transition> {
    let refused = create_dry(client, &bad_cidr("default")).await.unwrap_err();
    let kube::Error::Api(status) = refused else {
        panic!("{refused}")
    };
    assert_eq!(status.code, 422, "{}", status.message);
    assert!(
        status
            .message
            .contains("spec.clusterNetwork.pods.cidrBlocks"),
        "{}",
        status.message
    );

    let records: Arc<dyn Records> = Arc::new(NoRecords);
    let running = crate::players::run(players, client, Some(environment), &records);
    let clock = Clock::system();
    let begun = clock.now();
    let mut seen: Vec<Transition> = Vec::new();
    let objects = documents(TEMPLATE);
    let name = objects[0]["metadata"]["name"].as_str().unwrap().to_owned();
    for object in &objects {
        create(client, object).await.unwrap();
    }
    let credentials = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "proxmox-credentials", "namespace": name },
        "stringData": { "url": "https://proxmox.example:8006", "token": "ops@pve!capi", "secret": "not-one" },
    });
    create(client, &credentials).await.unwrap();

    let path = format!("/apis/cluster.x-k8s.io/v1beta2/namespaces/{name}/clusters/{name}");
    let note = |cluster: &Value, seen: &mut Vec<Transition>| {
        let phase = format!(
            "phase={}",
            cluster["status"]["phase"].as_str().unwrap_or("")
        );
        let said = cluster["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|condition| {
                let text = |field: &str| condition[field].as_str().unwrap_or("");
                format!("{}={}", text("type"), text("status"))
            });
        for what in said.chain([phase]) {
            let (kind, _) = what.split_once('=').unwrap();
            let last = seen
                .iter()
                .rev()
                .find(|transition| transition.what.starts_with(&format!("{kind}=")));
            if last.is_none_or(|last| last.what != what) {
                let after = Duration::try_from(clock.now().duration_since(begun)).unwrap();
                seen.push(Transition { after, what });
            }
        }
    };
    until_with("an Available Cluster", &running, async || {
        let cluster = get(client, &path).await;
        note(&cluster, &mut seen);
        (condition(&cluster, "Available") == "True").then_some(())
    })
    .await;
    until_with("a Machine with its node", &running, async || {
        let cluster = get(client, &path).await;
        note(&cluster, &mut seen);
        let machines = get(
            client,
            &format!("/apis/cluster.x-k8s.io/v1beta2/namespaces/{name}/machines"),
        )
        .await;
        (machines["items"][0]["status"]["phase"] == "Running").then_some(())
    })
    .await;
    let kubeconfig = get(
        client,
        &format!("/api/v1/namespaces/{name}/secrets/{name}-kubeconfig"),
    )
    .await;
    assert_eq!(kubeconfig["type"], "cluster.x-k8s.io/secret");

    // As berth does: the Cluster first, and the namespace when nothing is left of it.
    delete(client, &path).await;
    until_with("the Cluster's end", &running, async || {
        find(client, &path).await.is_none().then_some(())
    })
    .await;
    for kind in [
        "/apis/cluster.x-k8s.io/v1beta2/{}/machines",
        "/apis/controlplane.cluster.x-k8s.io/v1beta2/{}/kthreescontrolplanes",
        "/apis/bootstrap.cluster.x-k8s.io/v1beta2/{}/kthreesconfigs",
        "/apis/infrastructure.cluster.x-k8s.io/v1alpha1/{}/proxmoxclusters",
        "/apis/infrastructure.cluster.x-k8s.io/v1alpha1/{}/proxmoxmachines",
    ] {
        let all = get(client, &kind.replace("{}", &format!("namespaces/{name}"))).await;
        assert_eq!(all["items"], json!([]), "{kind}");
    }
    let templates = "/apis/infrastructure.cluster.x-k8s.io/v1alpha1/{}/proxmoxmachinetemplates";
    for owned in ["/api/v1/{}/secrets", templates] {
        let path = owned.replace("{}", &format!("namespaces/{name}"));
        until_with("the garbage collector", &running, async || {
            (get(client, &path).await["items"] == json!([])).then_some(())
        })
        .await;
    }
    let namespace = format!("/api/v1/namespaces/{name}");
    delete(client, &namespace).await;
    until_with("the namespace's end", &running, async || {
        find(client, &namespace).await.is_none().then_some(())
    })
    .await;
    let nodes = get(environment, "/api/v1/nodes").await;
    assert_eq!(nodes["items"], json!([]), "its node has left");
    assert_eq!(
        running.refused(),
        Vec::<String>::new(),
        "what the API server would not have of the players"
    );
    seen
}

fn condition<'a>(object: &'a Value, kind: &str) -> &'a str {
    let all = object["status"]["conditions"]
        .as_array()
        .into_iter()
        .flatten();
    all.filter(|condition| condition["type"] == kind)
        .find_map(|c| c["status"].as_str())
        .unwrap_or("")
}

async fn until<T>(what: &str, answer: impl AsyncFnMut() -> Option<T>) -> T {
    asking(answer)
        .await
        .unwrap_or_else(|| panic!("waited in vain for {what}"))
}

async fn until_with<T>(what: &str, running: &Running, answer: impl AsyncFnMut() -> Option<T>) -> T {
    let answer = asking(answer).await;
    answer.unwrap_or_else(|| {
        panic!(
            "waited in vain for {what}; the players were told: {:#?}",
            running.refused()
        )
    })
}

async fn asking<T>(mut answer: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let clock = Clock::system();
    let asking = async {
        loop {
            if let Some(answer) = answer().await {
                return answer;
            }
            clock.pass(PAUSE).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.ok()
}

async fn get(client: &Client, path: &str) -> Value {
    client
        .request(Request::get(path).body(Vec::new()).unwrap())
        .await
        .unwrap()
}

/// None only if the server itself says that there is none.
async fn find(client: &Client, path: &str) -> Option<Value> {
    match client
        .request(Request::get(path).body(Vec::new()).unwrap())
        .await
    {
        Ok(object) => Some(object),
        Err(kube::Error::Api(status)) if status.code == 404 => None,
        Err(error) => panic!("{path}: {error}"),
    }
}

async fn delete(client: &Client, path: &str) {
    let _: Value = client
        .request(Request::delete(path).body(Vec::new()).unwrap())
        .await
        .unwrap();
}

/// POSTs it; that it is there already is as good.
async fn create(client: &Client, object: &Value) -> kube::Result<()> {
    match post(client, object, "").await {
        Err(kube::Error::Api(status)) if status.reason == "AlreadyExists" => Ok(()),
        other => other.map(drop),
    }
}

async fn create_dry(client: &Client, object: &Value) -> kube::Result<Value> {
    post(client, object, "?dryRun=All").await
}

async fn post(client: &Client, object: &Value, query: &str) -> kube::Result<Value> {
    let text = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or("")
    };
    let api = match text("/apiVersion").split_once('/') {
        Some(_) => format!("/apis/{}", text("/apiVersion")),
        None => format!("/api/{}", text("/apiVersion")),
    };
    let namespace = match text("/metadata/namespace") {
        "" => String::new(),
        namespace => format!("/namespaces/{namespace}"),
    };
    let plural = format!("{}s", text("/kind").to_lowercase());
    let request = Request::post(format!("{api}{namespace}/{plural}{query}"))
        .header("content-type", "application/json")
        .body(object.to_string().into_bytes())
        .unwrap();
    client.request(request).await
}
