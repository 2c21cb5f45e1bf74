//! An ExternalSecret: as external-secrets treats it.

use super::Outside;
use berth::rehearsal::players::{Pace, external_secrets::ExternalSecrets};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const API: &str = "external-secrets.io/v1";
/// What existing manifests are written for.
const OLD_API: &str = "external-secrets.io/v1beta1";
const CLUSTER: &str = "kv/data/ephemeral-clusters/pr-shop-7/secrets";
const DATABASE: &str = "kv/data/shop/database";

async fn external_secrets() -> Outside {
    let held = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    };
    let values = BTreeMap::from([
        (CLUSTER.to_owned(), held(&[("token", "x"), ("user", "app")])),
        (DATABASE.to_owned(), held(&[("password", "y")])),
    ]);
    Outside::with(ExternalSecrets { pace: Pace::AT_ONCE, values }).await
}

fn store(outside: &Outside) -> Value {
    let vault = json!({"server": "https://vault.example", "path": "kv"});
    outside.object(API, "SecretStore", "vault-backend", json!({"provider": {"vault": vault}}))
}

fn external(outside: &Outside, api: &str, asks: Value) -> Value {
    let mut spec = json!({
        "refreshInterval": "1h0m0s", "secretStoreRef": {"name": "vault-backend", "kind": "SecretStore"},
        "target": {"name": "app-secrets"},
    });
    spec.as_object_mut().unwrap().extend(asks.as_object().unwrap().clone());
    outside.object(api, "ExternalSecret", "cluster-secrets", spec)
}

fn data(secret: &Secret) -> BTreeMap<String, String> {
    let data = secret.data.clone().unwrap_or_default();
    data.into_iter().map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect()
}

/// Goes on when this very version of the ExternalSecret has been fetched: its conditions do not tell.
async fn until_synced(outside: &Outside, external: &Value, generation: i64) -> Value {
    outside.until_true(external, "Ready").await;
    outside
        .until(external, "what was fetched of this generation", |external| {
            let synced = external?["status"]["syncedResourceVersion"].as_str()?;
            synced.starts_with(&format!("{generation}-")).then(|| external.unwrap().clone())
        })
        .await
}

#[tokio::test]
async fn an_external_secret_gets_its_secret_keeps_it_and_takes_it_along() {
    let outside = external_secrets().await;
    let secrets = outside.secrets().await;
    let store = store(&outside);
    let all = external(&outside, API, json!({"dataFrom": [{"extract": {"key": CLUSTER}}]}));
    outside.apply(&[&store, &all]).await;
    let synced = until_synced(&outside, &all, 1).await;
    let said = &synced["status"]["conditions"][0];
    assert_eq!(
        (&said["reason"], &synced["status"]["binding"]["name"]),
        (&json!("SecretSynced"), &json!("app-secrets"))
    );
    let made = secrets.get("app-secrets").await.unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let whole = BTreeMap::from([pair("token", "x"), pair("user", "app")]);
    assert_eq!(data(&made), whole);
    let owner = &made.metadata.owner_references.as_ref().unwrap()[0];
    assert_eq!((owner.kind.as_str(), owner.controller), ("ExternalSecret", Some(true)));
    assert_eq!(json!(owner.uid), synced["metadata"]["uid"]);
    outside.is_unchanged(&[&store, &all]).await;

    let meddled = Patch::Merge(json!({"stringData": {"token": "meddled"}}));
    secrets.patch("app-secrets", &PatchParams::default(), &meddled).await.unwrap();
    let put_back = |secret: &Secret| (data(secret) == whole).then_some(());
    crate::harness::watching::until(&secrets, "app-secrets", put_back).await;

    let one = json!([{"secretKey": "password", "remoteRef": {"key": DATABASE, "property": "password"}}]);
    let one = external(&outside, API, json!({"data": one}));
    outside.apply(&[&store, &one]).await;
    until_synced(&outside, &one, 2).await;
    let changed = secrets.get("app-secrets").await.unwrap();
    assert_eq!(data(&changed), BTreeMap::from([pair("password", "y")]));
    assert_eq!(changed.metadata.uid, made.metadata.uid);

    outside.delete(&one).await;
    outside.until_gone(&one).await;
    assert!(secrets.get_opt("app-secrets").await.unwrap().is_none(), "what it owned went first");
    outside.end();
}

#[tokio::test]
async fn an_external_secret_whose_store_or_key_is_missing_says_so() {
    let outside = external_secrets().await;
    let secrets = outside.secrets().await;
    let store = store(&outside);
    let missing = ("SecretSyncedError".to_owned(), "could not get secret data from provider".to_owned());
    let extract = |key: &str| external(&outside, OLD_API, json!({"dataFrom": [{"extract": {"key": key}}]}));
    let nowhere = extract("kv/data/nowhere");
    outside.apply(&[&nowhere]).await;
    assert_eq!(outside.until_false(&nowhere, "Ready").await, missing, "there is no store");
    outside.apply(&[&store]).await;
    outside.until_true(&store, "Ready").await;
    assert_eq!(outside.until_false(&nowhere, "Ready").await, missing, "there is no such key");
    assert!(secrets.get_opt("app-secrets").await.unwrap().is_none());

    let there = extract(CLUSTER);
    outside.apply(&[&there]).await;
    until_synced(&outside, &there, 2).await;
    assert_eq!(data(&secrets.get("app-secrets").await.unwrap()).len(), 2);
    outside.is_unchanged(&[&store, &there]).await;
    outside.end();
}

#[tokio::test]
async fn a_secret_that_was_there_is_taken_over_and_one_of_nothing_is_not_made() {
    let outside = external_secrets().await;
    let secrets = outside.secrets().await;
    let store = store(&outside);
    let nothing = external(&outside, API, json!({}));
    outside.apply(&[&store, &nothing]).await;
    let said = until_synced(&outside, &nothing, 1).await["status"]["conditions"][0]["message"].clone();
    assert_eq!(said, "secret retained due to DeletionPolicy=Retain");
    let by_hand = json!({"metadata": {"name": "app-secrets"}, "stringData": {"token": "by hand"}});
    secrets.create(&Default::default(), &serde_json::from_value(by_hand).unwrap()).await.unwrap();
    let all = external(&outside, API, json!({"dataFrom": [{"extract": {"key": CLUSTER}}]}));
    outside.apply(&[&all]).await;
    until_synced(&outside, &all, 2).await;
    let taken = secrets.get("app-secrets").await.unwrap();
    assert_eq!(data(&taken)["token"], "x");
    assert_eq!(taken.metadata.owner_references.unwrap()[0].name, "cluster-secrets");
    outside.end();
}
