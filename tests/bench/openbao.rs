//! The facts of a Vault server on a real OpenBao.

use crate::{
    harness::openbao::{self, OpenBao},
    vault_server::{AppRole, Gives, Jwt, Namespace, Sealed, TokenRole, UnderTest},
};
use async_trait::async_trait;
use berth::clock::Clock;
use reqwest::Method;
use serde_json::{Value, json};

/// A mount of its own on the server that all share.
struct Real {
    server: &'static OpenBao,
    mount: String,
}

impl Real {
    async fn fresh() -> Self {
        crate::bed::crypto();
        let server = openbao::shared().await;
        Self { server, mount: server.fresh_mount().await }
    }

    /// These rules as a policy, and its name.
    async fn policy(&self, rules: &str) -> String {
        let name = self.server.fresh_name("policy");
        // A policy must not be empty.
        let rules = if rules.is_empty() { "# nothing" } else { rules };
        self.server.policy(&name, rules).await;
        name
    }
}

#[async_trait(?Send)]
impl UnderTest for Real {
    fn url(&self) -> String {
        self.server.url.clone()
    }
    fn root(&self) -> String {
        self.server.root.clone()
    }
    fn mount(&self) -> String {
        self.mount.clone()
    }
    async fn token(&self, policy: &str) -> String {
        self.server.token(&self.policy(policy).await).await
    }
    async fn fixed(&self, policy: &str) -> String {
        let policy = self.policy(policy).await;
        let asked = json!({"policies": [policy], "no_default_policy": true, "ttl": "1h", "renewable": false});
        self.server.token_with(asked).await
    }
    async fn expired(&self) -> String {
        self.server.expired().await
    }
    async fn approle(&self, policy: &str) -> AppRole {
        let role = self.server.approle(&self.policy(policy).await).await;
        let (secret_id, once) =
            (self.server.secret_id(&role, 0).await, self.server.secret_id(&role, 1).await);
        AppRole { path: role.path, role_id: role.role_id, secret_id, once }
    }
    async fn jwt(&self, policy: &str) -> Jwt {
        let trusted = self.server.jwt(&self.policy(policy).await).await;
        let now = Clock::system().now().as_second();
        let unfit = [
            json!({"aud": "https://github.com/other"}),
            json!({"iss": "https://other.test"}),
            json!({"repository_owner": "other"}),
            json!({"iat": now - 1_200, "nbf": now - 1_200, "exp": now - 600}),
            json!({"iat": now + 600, "nbf": now + 600, "exp": now + 1_200}),
        ];
        Jwt {
            role: "berth".to_owned(),
            good: trusted.sign(&json!({})),
            forged: trusted.forge(),
            unfit: unfit.iter().map(|claims| trusted.sign(claims)).collect(),
            path: trusted.path,
        }
    }
    async fn token_role(&self, policy: &str, gives: Gives) -> TokenRole {
        let policy = self.policy(policy).await;
        let name = self.server.fresh_name("made");
        let longest = match gives {
            Gives::Children | Gives::Orphans => 0,
            Gives::OrphansFor(seconds) => seconds,
        };
        let role = json!({
            "allowed_policies": [policy], "orphan": gives != Gives::Children, "token_explicit_max_ttl": longest,
        });
        self.server.root(Method::POST, &format!("auth/token/roles/{name}"), role).await;
        TokenRole { name, policy }
    }
    async fn namespace(&self) -> Namespace {
        let parent = self.server.fresh_name("team");
        let name = format!("{parent}/a");
        self.server.root(Method::POST, &format!("sys/namespaces/{parent}"), json!({})).await;
        self.server.within(Some(&parent), Method::POST, "sys/namespaces/a", json!({})).await;
        let here =
            async |path: &str, body: Value| self.server.within(Some(&name), Method::POST, path, body).await;
        here("sys/mounts/kv", json!({"type": "kv", "options": {"version": "2"}})).await;
        let rules = r#"path "kv/*" { capabilities = ["create", "read", "update", "list"] }"#;
        here("sys/policies/acl/all", json!({"policy": rules})).await;
        let asked = json!({"policies": ["all"], "no_default_policy": true, "ttl": "1h"});
        let made = here("auth/token/create", asked).await;
        Namespace { parent, token: made["auth"]["client_token"].as_str().unwrap().to_owned(), name }
    }
    async fn sealed(&self) -> Sealed {
        let server = OpenBao::start().await;
        server.root(Method::POST, "sys/seal", Value::Null).await;
        Sealed { url: server.url.clone(), root: server.root.clone(), keep: Box::new(server) }
    }
}

vault_server! { real Real }
