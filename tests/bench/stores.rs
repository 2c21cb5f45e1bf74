//! The contract of the documents on a real OpenBao and a real API server, with no more rights than what berth ships.

use crate::{
    bed::{NAMESPACE, ROOT},
    contract::{Lost, UnderTest},
    harness::{
        control_plane::{self, ControlPlane},
        openbao::{self, OpenBao},
        proxy::{self, Proxy},
    },
};
use async_trait::async_trait;
use berth::{
    clients::{
        kubernetes::for_url,
        vault::{self, Access, Auth, Jwt, TIMEOUT},
    },
    clock::Clock,
    documents::Store,
    domain::names::EnvironmentName,
    rehearsal::gate::Verdict,
    stores::{kubernetes::KubernetesStore, vault::VaultStore},
};
use hyper::{Request, body::Incoming};
use reqwest::Method;
use serde_json::json;
use std::{
    collections::BTreeSet,
    process::Command,
    sync::{Arc, Mutex},
};

const CUT_AFTER: &str = "cut-after";
const CUT_BEFORE: &str = "cut-before";

/// Changes of the runs that are called so are cut.
fn cut(request: &Request<Incoming>) -> Verdict {
    let reads = matches!(request.method().as_str(), "GET" | "LIST");
    // A login is no change of a document.
    let login = request.uri().path().ends_with("/login");
    match request.headers().get("berth-run").map(|run| run.as_bytes()) {
        Some(b"cut-after") if !reads && !login => Verdict::CutAfter,
        Some(b"cut-before") if !reads && !login => Verdict::Cut,
        _ => Verdict::Pass,
    }
}

fn cut_run(lost: Lost) -> &'static str {
    match lost {
        Lost::Landed => CUT_AFTER,
        Lost::NotLanded => CUT_BEFORE,
    }
}

/// OpenBao, by one way to log in.
struct Vault {
    server: &'static OpenBao,
    mount: String,
    auth: Auth,
    proxy: Proxy,
    damaged: Arc<Mutex<BTreeSet<String>>>,
}

impl Vault {
    async fn fresh(auth: impl AsyncFnOnce(&OpenBao, &str) -> Auth) -> Self {
        crate::bed::crypto();
        let server = openbao::shared().await;
        let mount = server.fresh_mount().await;
        let auth = auth(server, &mount).await;
        let damaged = Arc::new(Mutex::<BTreeSet<String>>::default());
        let unreadable = damaged.clone();
        let garbled = json!({"data": {"data": "no object", "metadata": {"version": 1}}});
        let rule = move |request: &Request<Incoming>| {
            let path = request.uri().path().strip_suffix("/claim");
            let name = path.and_then(|path| path.rsplit('/').next()).unwrap_or_default();
            match unreadable.lock().unwrap().contains(name) {
                true => Verdict::json(200, &garbled),
                false => cut(request),
            }
        };
        let proxy = Proxy::start(&server.url, proxy::plain(), rule).await;
        Self { server, mount, auth, proxy, damaged }
    }

    fn open(&self, run: &str) -> Arc<dyn Store> {
        let access = Access {
            address: self.proxy.url.clone(),
            namespace: None,
            ca: None,
            auth: self.auth.clone(),
            timeout: TIMEOUT,
        };
        let client = vault::Vault::new(access, Clock::system(), run).unwrap();
        Arc::new(VaultStore::new(client, &self.mount, ROOT))
    }
}

#[async_trait]
impl UnderTest for Vault {
    fn store(&self, run: &str) -> Arc<dyn Store> {
        self.open(run)
    }
    fn cut(&self, lost: Lost) -> Option<Arc<dyn Store>> {
        Some(self.open(cut_run(lost)))
    }
    /// KV v2 takes nothing but objects, and any object is a document to the store: only an answer can be no document.
    async fn damage(&self, name: &EnvironmentName) {
        let path = format!("{}/data/{ROOT}/{name}/claim", self.mount);
        self.server.root(Method::POST, &path, json!({"data": {}})).await;
        self.damaged.lock().unwrap().insert(name.to_string());
    }
}

/// By a token that has the shipped policy and nothing else.
struct ByToken;

impl ByToken {
    async fn fresh() -> Vault {
        let auth = async |server: &OpenBao, policy: &str| Auth::Token(server.token(policy).await.into());
        Vault::fresh(auth).await
    }
}

/// By AppRole, with a secret id that expires.
struct ByAppRole;

impl ByAppRole {
    async fn fresh() -> Vault {
        Vault::fresh(async |server: &OpenBao, policy: &str| {
            let role = server.approle(policy).await;
            let secret_id = server.secret_id(&role, 0).await.into();
            Auth::AppRole { path: role.path, role_id: role.role_id, secret_id }
        })
        .await
    }
}

/// By a token that an identity provider signed, bound to what GitHub says of a job.
struct ByJwt;

impl ByJwt {
    async fn fresh() -> Vault {
        Vault::fresh(async |server: &OpenBao, policy: &str| {
            let trusted = server.jwt(policy).await;
            let signed = trusted.sign(&json!({}));
            let directory = crate::harness::keeper::directory("jwt");
            let token = Jwt::File(crate::harness::keeper::file(&directory, "job-token", &signed));
            Auth::Jwt { path: trusted.path, role: "berth".to_owned(), token }
        })
        .await
    }
}

/// A namespace of a real API server, as the service account of the manifest that we ship.
struct Kubernetes {
    plane: &'static ControlPlane,
    namespace: String,
    token: String,
    proxy: Proxy,
}

impl Kubernetes {
    async fn fresh() -> Self {
        crate::bed::crypto();
        let plane = control_plane::management().await;
        let namespace = plane.fresh_name("store");
        let shipped = include_str!("../../deploy/kubernetes/store.yaml");
        let shipped = shipped.replace("namespace: berth\n", &format!("namespace: {namespace}\n")).replace(
            "kind: Namespace\nmetadata:\n  name: berth\n",
            &format!("kind: Namespace\nmetadata:\n  name: {namespace}\n"),
        );
        plane.kubectl(&["apply", "-f", "-"], &shipped);
        let token = plane.token_of(&namespace, NAMESPACE).await;
        let proxy = Proxy::start(&plane.url, proxy::trusting(&plane.authority), cut).await;
        Self { plane, namespace, token, proxy }
    }

    fn open(&self, run: &str) -> Arc<dyn Store> {
        let client = for_url(&self.proxy.url, Some(self.token.clone().into()), run).unwrap();
        Arc::new(KubernetesStore::new(client, self.namespace.clone(), TIMEOUT))
    }
}

#[async_trait]
impl UnderTest for Kubernetes {
    fn store(&self, run: &str) -> Arc<dyn Store> {
        self.open(run)
    }
    fn cut(&self, lost: Lost) -> Option<Arc<dyn Store>> {
        Some(self.open(cut_run(lost)))
    }
    async fn damage(&self, name: &EnvironmentName) {
        let object = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"document": "{\"half"},
            "metadata": {"name": format!("{name}.claim"), "namespace": self.namespace, "labels": {
                "app.kubernetes.io/managed-by": "berth", "berth.dev/document": "claim", "berth.dev/environment": name,
            }},
        });
        self.plane.kubectl(&["create", "-f", "-"], &object.to_string());
    }
}

/// What the contract asks for suffices for it; this is what would be too much.
#[tokio::test]
async fn the_shipped_role_gives_nothing_but_what_the_store_asks_for() {
    let given = Kubernetes::fresh().await;
    let client = for_url(&given.proxy.url, Some(given.token.clone().into()), "run").unwrap();
    let ours = format!("/api/v1/namespaces/{}", given.namespace);
    for (method, path) in [
        (Method::GET, format!("{ours}/secrets")),
        (Method::DELETE, format!("{ours}/secrets")),
        (Method::PATCH, format!("{ours}/secrets/any")),
        (Method::PATCH, format!("{ours}/configmaps/any")),
        (Method::DELETE, format!("{ours}/configmaps")),
        (Method::GET, format!("{ours}/configmaps?watch=true")),
        (Method::GET, format!("{ours}/pods")),
        (Method::POST, format!("{ours}/serviceaccounts/berth/token")),
        (Method::GET, "/api/v1/namespaces/default/configmaps".to_owned()),
        (Method::GET, "/api/v1/namespaces/default/secrets/any".to_owned()),
        (Method::GET, "/api/v1/configmaps".to_owned()),
        (Method::GET, "/api/v1/namespaces".to_owned()),
    ] {
        let request = Request::builder().method(&method).uri(&path);
        let request =
            request.header("content-type", "application/merge-patch+json").body(b"{}".to_vec()).unwrap();
        let refused = client.request_text(request).await;
        let Err(kube::Error::Api(status)) = refused else { panic!("{method} {path}: {refused:?}") };
        assert_eq!(status.code, 403, "{method} {path}: {status:?}");
    }
}

#[tokio::test]
async fn what_no_proxy_names_is_met_directly_and_all_else_through_the_proxy() {
    let given = Kubernetes::fresh().await;
    let listed = |no_proxy: &str| {
        // Nobody listens there.
        let environment =
            [("KUBECONFIG", given.plane.kubeconfig.to_str().unwrap()), ("HTTPS_PROXY", "http://127.0.0.1:1")];
        let mut berth = Command::new(env!("CARGO_BIN_EXE_berth"));
        berth.args(["pool", "list", "--store", "kubernetes"]).env_clear().envs(environment);
        berth.env("NO_PROXY", no_proxy).env("HOME", &given.plane.directory).output().unwrap()
    };
    let directly = listed("127.0.0.0/8,example.com");
    assert!(directly.status.success(), "{}", String::from_utf8_lossy(&directly.stderr));
    assert_eq!(listed("example.com").status.code(), Some(4));
}

contract! { openbao_by_token ByToken openbao_by_approle ByAppRole openbao_by_jwt ByJwt api_server Kubernetes }
