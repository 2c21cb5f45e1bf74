//! OpenBao as a development server: in memory, unsealed, with a root token of this run.

use super::{
    ask,
    control_plane::token,
    keeper::{self, Process},
    ports, proxy,
    signature::Issuer,
};
use berth::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU32, Ordering};
use tokio::sync::OnceCell;

/// A running server. It ends when it is dropped.
pub(crate) struct OpenBao {
    /// `http://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// May do everything.
    pub(crate) root: String,
    issued: AtomicU32,
    process: Process,
}

/// A way to log in by role and secret id.
pub(crate) struct AppRole {
    /// Where it is mounted.
    pub(crate) path: String,
    pub(crate) role_id: String,
}

/// A way to log in with what an identity provider signed, bound to what GitHub says of a job.
pub(crate) struct Jwt {
    /// Where it is mounted.
    pub(crate) path: String,
    issuer: Issuer,
}

static SHARED: OnceCell<OpenBao> = OnceCell::const_new();

/// The one that all facts of this process share, each with a mount of its own.
pub(crate) async fn shared() -> &'static OpenBao {
    SHARED.get_or_init(OpenBao::start).await
}

impl OpenBao {
    /// Ready when this returns.
    pub(crate) async fn start() -> Self {
        let directory = keeper::directory("openbao");
        // It takes the port after its own, too, for its cluster.
        let (root, port) = (token(), ports::pair());
        let mut command = keeper::command("bao");
        command.args(["server", "-dev", "-dev-no-store-token", "-log-level=warn"]);
        command.arg(format!("-dev-root-token-id={root}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let process = Process::start("bao", command, &directory);
        let url = format!("http://127.0.0.1:{port}");
        let server = Self { url, root, issued: AtomicU32::default(), process };
        // Unsealed is not yet ready: the dev server makes its root token after that.
        ask("an unsealed server that knows our token", &server.process, async || {
            let answer = server.send(None, Method::GET, "auth/token/lookup-self", &Value::Null).await;
            answer.ok()?.error_for_status().ok()
        })
        .await;
        server
    }

    async fn send(
        &self,
        namespace: Option<&str>,
        method: Method,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<reqwest::Response> {
        // Each fact has a runtime of its own, and a client's connections die with theirs.
        let request = proxy::plain().request(method, format!("{}/v1/{path}", self.url));
        let request = request.header("x-vault-token", &self.root);
        let request = request.header("x-vault-namespace", namespace.unwrap_or_default());
        if body.is_null() { request.send().await } else { request.json(body).send().await }
    }

    /// The names in a folder; none, if there is no such folder.
    pub(crate) async fn names(&self, path: &str) -> Vec<String> {
        let list = Method::from_bytes(b"LIST").unwrap();
        let answer = self.send(None, list, path, &Value::Null).await.unwrap();
        if answer.status() == 404 {
            return Vec::new();
        }
        let listed: Value = answer.error_for_status().unwrap().json().await.unwrap();
        serde_json::from_value(listed["data"]["keys"].clone()).unwrap()
    }

    /// One request with all rights, which must succeed.
    pub(crate) async fn root(&self, method: Method, path: &str, body: Value) -> Value {
        self.within(None, method, path, body).await
    }

    /// The same in a namespace.
    pub(crate) async fn within(
        &self,
        namespace: Option<&str>,
        method: Method,
        path: &str,
        body: Value,
    ) -> Value {
        let answer = self.send(namespace, method.clone(), path, &body).await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// A name that nobody else uses.
    pub(crate) fn fresh_name(&self, what: &str) -> String {
        format!("{what}-{}", self.issued.fetch_add(1, Ordering::Relaxed))
    }

    /// A KV v2 store of its own, and a policy of the same name: the one that we ship, for this mount.
    pub(crate) async fn fresh_mount(&self) -> String {
        let mount = self.fresh_name("kv");
        self.root(
            Method::POST,
            &format!("sys/mounts/{mount}"),
            json!({"type": "kv", "options": {"version": "2"}}),
        )
        .await;
        // It is made ready behind our back, and answers 400 until then.
        let config = format!("{mount}/config");
        ask("a mount of version 2", &self.process, async || {
            let answer = self.send(None, Method::GET, &config, &Value::Null).await;
            answer.ok()?.error_for_status().ok()
        })
        .await;
        let policy = include_str!("../../../deploy/vault/berth.hcl").replace("\"kv/", &format!("\"{mount}/"));
        assert!(policy.contains(&mount));
        self.policy(&mount, &policy).await;
        mount
    }

    pub(crate) async fn policy(&self, name: &str, rules: &str) {
        self.root(Method::PUT, &format!("sys/policies/acl/{name}"), json!({"policy": rules})).await;
    }

    /// A token with nothing but this policy: not even the default one.
    pub(crate) async fn token(&self, policy: &str) -> String {
        self.token_with(json!({"policies": [policy], "no_default_policy": true, "ttl": "1h"})).await
    }

    pub(crate) async fn token_with(&self, asked: Value) -> String {
        text(&self.root(Method::POST, "auth/token/create", asked).await["auth"]["client_token"])
    }

    /// What is known of all tokens, whoever made them.
    pub(crate) async fn tokens(&self) -> Vec<Value> {
        let list = Method::from_bytes(b"LIST").unwrap();
        let listed = self.root(list, "auth/token/accessors", Value::Null).await;
        let mut tokens = Vec::new();
        for accessor in listed["data"]["keys"].as_array().unwrap() {
            let asked = json!({"accessor": accessor});
            let answer = self.send(None, Method::POST, "auth/token/lookup-accessor", &asked).await.unwrap();
            // Another has ended since.
            if let Ok(answer) = answer.error_for_status() {
                tokens.push(answer.json::<Value>().await.unwrap()["data"].clone());
            }
        }
        tokens
    }

    /// A token that has ended.
    pub(crate) async fn expired(&self) -> String {
        let token = self.token_with(json!({"policies": ["default"], "ttl": "1s"})).await;
        let url = format!("{}/v1/auth/token/lookup-self", self.url);
        ask("the end of a token", &self.process, async || {
            let answer = proxy::plain().get(&url).header("x-vault-token", &token).send().await.unwrap();
            (answer.status() == 403).then_some(())
        })
        .await;
        token
    }

    /// A role `berth` of an AppRole of its own, whose tokens have this policy, and not even the default one, for ten minutes.
    pub(crate) async fn approle(&self, policy: &str) -> AppRole {
        let path = self.fresh_name("approle");
        self.root(Method::POST, &format!("sys/auth/{path}"), json!({"type": "approle"})).await;
        let role = format!("auth/{path}/role/berth");
        let limits = json!({
            "token_policies": [policy], "token_no_default_policy": true, "token_ttl": "10m", "token_max_ttl": "15m",
            "secret_id_ttl": "1h",
        });
        self.root(Method::POST, &role, limits).await;
        let id = self.root(Method::GET, &format!("{role}/role-id"), Value::Null).await;
        AppRole { path, role_id: text(&id["data"]["role_id"]) }
    }

    /// A secret id of that role, good for so many logins; 0: for any number.
    pub(crate) async fn secret_id(&self, role: &AppRole, uses: u32) -> String {
        let path = format!("auth/{}/role/berth/secret-id", role.path);
        text(&self.root(Method::POST, &path, json!({"num_uses": uses})).await["data"]["secret_id"])
    }

    /// A role `berth` for the jobs of an organization, whose tokens have this policy and not even the default one.
    pub(crate) async fn jwt(&self, policy: &str) -> Jwt {
        let (path, issuer) = (self.fresh_name("jwt"), Issuer::new());
        self.root(Method::POST, &format!("sys/auth/{path}"), json!({"type": "jwt"})).await;
        let trusted =
            json!({"jwt_validation_pubkeys": [issuer.public_pem()], "bound_issuer": "https://issuer.test"});
        self.root(Method::POST, &format!("auth/{path}/config"), trusted).await;
        let role = json!({
            "role_type": "jwt", "user_claim": "sub", "bound_audiences": ["https://github.com/acme"],
            "bound_claims": {"repository_owner": "acme"}, "token_policies": [policy],
            "token_no_default_policy": true, "token_ttl": "10m",
        });
        self.root(Method::POST, &format!("auth/{path}/role/berth"), role).await;
        Jwt { path, issuer }
    }
}

impl Jwt {
    /// A job's token that the role takes, but for these claims.
    pub(crate) fn sign(&self, other: &Value) -> String {
        self.sign_as(&self.issuer, other)
    }

    /// The same with the signature of somebody of whom the server does not know.
    pub(crate) fn forge(&self) -> String {
        self.sign_as(&Issuer::new(), &json!({}))
    }

    fn sign_as(&self, issuer: &Issuer, other: &Value) -> String {
        let now = Clock::system().now().as_second();
        let mut claims = json!({
            "iss": "https://issuer.test", "aud": "https://github.com/acme", "sub": "repo:acme/shop:pull_request",
            "repository_owner": "acme", "iat": now, "nbf": now - 5, "exp": now + 600,
        });
        claims.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        issuer.sign(&claims)
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}
