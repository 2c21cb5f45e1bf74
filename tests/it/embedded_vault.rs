//! The facts of a Vault server on the embedded one.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{
    bed::{Bed, TOKEN},
    vault_server::{AppRole, Gives, Jwt, Namespace, Sealed, TokenRole, UnderTest},
};
use async_trait::async_trait;
use berth::rehearsal::{
    Server,
    kv::{self, Capability, Grant, Login, Rule},
};
use std::sync::atomic::{AtomicU32, Ordering};

struct Embedded {
    bed: Bed,
    issued: AtomicU32,
}

impl Embedded {
    async fn fresh() -> Self {
        Self { bed: Bed::start().await, issued: AtomicU32::default() }
    }

    fn issue(&self, grant: Grant) -> String {
        let token = format!("hvs.{}", self.issued.fetch_add(1, Ordering::Relaxed));
        self.bed.world().vault.add_token(&token, grant);
        token
    }
}

const HOUR: u32 = 3600;

fn hour(policy: &str) -> Grant {
    Grant { policy: Some(rules(policy)), ttl: Some(HOUR), ..Grant::default() }
}

fn login(policy: &str) -> Grant {
    Grant { ttl: Some(600), max_ttl: Some(900), ..hour(policy) }
}

/// A policy of which each rule is one line.
fn rules(policy: &str) -> Vec<Rule> {
    let lines = policy.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(rule).collect()
}

fn rule(line: &str) -> Rule {
    let texts: Vec<&str> = line.split('"').skip(1).step_by(2).collect();
    let [path, capabilities @ ..] = texts.as_slice() else { panic!("no rule: {line}") };
    let capabilities = capabilities.iter().map(|text| match *text {
        "create" => Capability::Create,
        "read" => Capability::Read,
        "update" => Capability::Update,
        "delete" => Capability::Delete,
        "list" => Capability::List,
        other => panic!("no capability: {other}"),
    });
    Rule::new(path, &capabilities.collect::<Vec<_>>())
}

#[async_trait(?Send)]
impl UnderTest for Embedded {
    fn url(&self) -> String {
        self.bed.served.url(Server::Vault)
    }
    fn root(&self) -> String {
        TOKEN.to_owned()
    }
    fn mount(&self) -> String {
        "kv".to_owned()
    }
    async fn token(&self, policy: &str) -> String {
        self.issue(hour(policy))
    }
    async fn fixed(&self, policy: &str) -> String {
        self.issue(Grant { fixed: true, ..hour(policy) })
    }
    async fn expired(&self) -> String {
        let token = self.issue(Grant { ttl: Some(1), ..Grant::default() });
        self.bed.pass(1);
        token
    }
    async fn approle(&self, policy: &str) -> AppRole {
        let vault = &mut self.bed.world().vault;
        vault.add_login("approle", Login::approle("berth", "often"), login(policy));
        vault.add_login("approle", Login::approle("berth", "once").uses(1), login(policy));
        let [path, role_id, secret_id, once] = ["approle", "berth", "often", "once"].map(str::to_owned);
        AppRole { path, role_id, secret_id, once }
    }
    /// Of signed tokens it knows no more than which one is right.
    async fn jwt(&self, policy: &str) -> Jwt {
        self.bed.world().vault.add_login("ci/jwt", Login::jwt("berth", "good"), login(policy));
        let [path, role, good, forged] = ["ci/jwt", "berth", "good", "forged"].map(str::to_owned);
        Jwt { path, role, good, forged, unfit: vec![] }
    }
    async fn token_role(&self, policy: &str, gives: Gives) -> TokenRole {
        let [name, allowed] = ["made", "allowed"].map(|word| {
            let number = self.issued.fetch_add(1, Ordering::Relaxed);
            format!("{word}-{number}")
        });
        let role = kv::TokenRole::default().allowing(&allowed, rules(policy));
        let role = match gives {
            Gives::Children => role,
            Gives::Orphans => role.orphans(),
            Gives::OrphansFor(seconds) => role.orphans().max_ttl(seconds),
        };
        self.bed.world().vault.add_token_role(&name, role);
        TokenRole { name, policy: allowed }
    }
    async fn namespace(&self) -> Namespace {
        self.bed.world().vault.namespace = Some("team/a".to_owned());
        let [parent, name] = ["team", "team/a"].map(str::to_owned);
        Namespace { parent, name, token: TOKEN.to_owned() }
    }
    async fn sealed(&self) -> Sealed {
        self.bed.world().vault.sealed = true;
        Sealed { url: self.url(), root: self.root(), keep: Box::new(()) }
    }
}

vault_server! { embedded Embedded }
