//! OpenBao as a development server: in memory, unsealed, with a root token of this run.

use super::{
    ask,
    control_plane::token,
    keeper::{self, Process},
    ports, proxy,
};
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
    _process: Process,
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
        let (root, port) = (token(), ports::free());
        let mut command = keeper::command("bao");
        command.args(["server", "-dev", "-dev-no-store-token", "-log-level=warn"]);
        command.arg(format!("-dev-root-token-id={root}"));
        command.arg(format!("-dev-listen-address=127.0.0.1:{port}"));
        let process = Process::start("bao", command, &directory);
        let url = format!("http://127.0.0.1:{port}");
        let server = Self { url, root, issued: AtomicU32::default(), _process: process };
        // Unsealed is not yet ready: the dev server makes its root token after that.
        ask("an unsealed server that knows our token", &server._process, async || {
            let answer = server.send(Method::GET, "auth/token/lookup-self", &Value::Null).await;
            answer.ok()?.error_for_status().ok()
        })
        .await;
        server
    }

    async fn send(&self, method: Method, path: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        // Each fact has a runtime of its own, and a client's connections die with theirs.
        let request = proxy::plain().request(method, format!("{}/v1/{path}", self.url));
        let request = request.header("x-vault-token", &self.root);
        if body.is_null() { request.send().await } else { request.json(body).send().await }
    }

    /// One request with all rights, which must succeed.
    pub(crate) async fn root(&self, method: Method, path: &str, body: Value) -> Value {
        let answer = self.send(method.clone(), path, &body).await.unwrap();
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
        let policy = include_str!("../../../deploy/vault/berth.hcl").replace("\"kv/", &format!("\"{mount}/"));
        assert!(policy.contains(&mount));
        self.root(Method::PUT, &format!("sys/policies/acl/{mount}"), json!({"policy": policy})).await;
        mount
    }

    /// A token with nothing but this policy: not even the default one.
    pub(crate) async fn token(&self, policy: &str) -> String {
        let asked = json!({"policies": [policy], "no_default_policy": true, "ttl": "1h"});
        let made = self.root(Method::POST, "auth/token/create", asked).await;
        made["auth"]["client_token"].as_str().unwrap().to_owned()
    }
}
