//! The contract of the documents on a real OpenBao and a real API server, with no more rights than what berth ships.

use crate::{
    bed::{NAMESPACE, ROOT},
    contract::{Lost, UnderTest},
    harness::{
        control_plane::{self, ControlPlane},
        openbao::{self, OpenBao},
        proxy::{self, Proxy},
        signature,
    },
};
use async_trait::async_trait;
use berth::{
    clients::kubernetes::for_url,
    clock::Clock,
    documents::Store,
    domain::names::EnvironmentName,
    rehearsal::gate::Verdict,
    stores::{
        kubernetes::KubernetesStore,
        vault::{Access, Auth, Jwt, TIMEOUT, VaultStore},
    },
};
use hyper::{Request, body::Incoming};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
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
            mount: self.mount.clone(),
            path: ROOT.to_owned(),
            auth: self.auth.clone(),
            timeout: TIMEOUT,
        };
        Arc::new(VaultStore::new(access, Clock::system(), run).unwrap())
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
    /// KV v2 keeps nothing but objects, so what lies there is never damaged: only the answer can be.
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
            let path = server.fresh_name("approle");
            server.root(Method::POST, &format!("sys/auth/{path}"), json!({"type": "approle"})).await;
            let role = format!("auth/{path}/role/berth");
            let limits = json!({
                "token_policies": [policy], "token_no_default_policy": true, "token_ttl": "10m", "secret_id_ttl": "1h",
            });
            server.root(Method::POST, &role, limits).await;
            let id = server.root(Method::GET, &format!("{role}/role-id"), Value::Null).await;
            let secret = server.root(Method::POST, &format!("{role}/secret-id"), json!({})).await;
            let text = |answer: &Value, field: &str| answer["data"][field].as_str().unwrap().to_owned();
            Auth::AppRole { path, role_id: text(&id, "role_id"), secret_id: text(&secret, "secret_id").into() }
        })
        .await
    }
}

/// By a token that an identity provider signed, bound to what GitHub says of a job.
struct ByJwt;

impl ByJwt {
    async fn fresh() -> Vault {
        Vault::fresh(async |server: &OpenBao, policy: &str| {
            let (path, issuer) = (server.fresh_name("jwt"), signature::Issuer::new());
            server.root(Method::POST, &format!("sys/auth/{path}"), json!({"type": "jwt"})).await;
            let trusted = json!({"jwt_validation_pubkeys": [issuer.public_pem()], "bound_issuer": "https://issuer.test"});
            server.root(Method::POST, &format!("auth/{path}/config"), trusted).await;
            let role = json!({
                "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["https://github.com/acme"],
                "bound_claims": {"repository_owner": "acme"}, "token_policies": [policy],
                "token_no_default_policy": true, "token_ttl": "10m",
            });
            server.root(Method::POST, &format!("auth/{path}/role/berth"), role).await;
            let now = Clock::system().now().as_second();
            let signed = issuer.sign(&json!({
                "iss": "https://issuer.test", "aud": "https://github.com/acme", "sub": "repo:acme/shop:pull_request",
                "repository_owner": "acme", "iat": now, "nbf": now - 5, "exp": now + 600,
            }));
            let directory = crate::harness::keeper::directory("jwt");
            let token = Jwt::File(crate::harness::keeper::file(&directory, "job-token", &signed));
            Auth::Jwt { path, role: "berth".to_owned(), token }
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

contract! { openbao_by_token ByToken openbao_by_approle ByAppRole openbao_by_jwt ByJwt api_server Kubernetes }
