//! Vault's client on a real OpenBao, with no more rights than what berth ships.

use crate::harness::openbao;
use berth::{
    clients::{
        Failure, Kind,
        vault::{Access, Auth, Renewal, TIMEOUT, Vault},
    },
    clock::Clock,
    documents::Read,
};
use reqwest::Method;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test]
async fn a_secret_is_read_and_a_token_made_renewed_and_revoked_by_the_shipped_policy() {
    crate::bed::crypto();
    let server = openbao::shared().await;
    let mount = server.fresh_mount().await;
    server.root(Method::POST, &format!("{mount}/data/berth/a"), json!({"data": {"says": "a"}})).await;
    let theirs = server.fresh_name("theirs");
    let rules = format!(r#"path "{mount}/data/berth/*" {{ capabilities = ["read"] }}"#);
    server.policy(&theirs, &rules).await;
    // The one that the shipped policy names, which no other fact uses.
    let role = "berth-environment";
    let allows = json!({"allowed_policies": [theirs], "orphan": true, "token_explicit_max_ttl": "2h"});
    server.root(Method::POST, &format!("auth/token/roles/{role}"), allows).await;
    let by = |token: String| {
        let (address, auth) = (server.url.clone(), Auth::Token(token.into()));
        let access = Access { address, namespace: None, ca: None, auth, timeout: TIMEOUT };
        Vault::new(access, Clock::system(), "run").unwrap()
    };
    let ours = by(server.token(&mount).await);

    assert_eq!(ours.read(&mount, "berth/a").await.unwrap().document().unwrap()["says"], "a");
    assert!(matches!(ours.read(&mount, "berth/never").await.unwrap(), Read::Absent { .. }));
    let elsewhere = ours.read(&mount, "other/a").await.unwrap_err();
    assert_eq!(Failure::of(&elsewhere), Kind::Refused);

    let meta = BTreeMap::from([("environment".to_owned(), "pr-1".to_owned())]);
    let made = ours.create_token(role, std::slice::from_ref(&theirs), 24 * HOUR, &meta).await.unwrap();
    let child = by(secrecy::ExposeSecret::expose_secret(&made.token).to_owned());
    assert_eq!(child.read(&mount, "berth/a").await.unwrap().document().unwrap()["says"], "a");
    assert_eq!(ours.renew_accessor(&made.accessor, HOUR).await.unwrap(), Renewal::Lasts(HOUR));
    // No longer than the role lets it.
    let Renewal::Lasts(most) = ours.renew_accessor(&made.accessor, 24 * HOUR).await.unwrap() else {
        panic!()
    };
    assert!(most <= 2 * HOUR && most > HOUR, "{most:?}");
    for _ in 0..2 {
        ours.revoke_accessor(&made.accessor).await.unwrap();
        assert_eq!(ours.renew_accessor(&made.accessor, HOUR).await.unwrap(), Renewal::Gone);
    }
    let ended = child.read(&mount, "berth/a").await.unwrap_err();
    assert_eq!(Failure::of(&ended), Kind::Refused);
}
