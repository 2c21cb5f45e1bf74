//! Ingresses and DNSEndpoints: as external-dns treats them, before the bench's own DNS.

use super::Outside;
use crate::{
    bed::crypto,
    dns::{ZONE, shared},
    harness::{
        dns::{Answer, Dns, lookup, until},
        players::Records,
    },
};
use berth::rehearsal::players::{
    Pace, Record,
    external_dns::{ExternalDns, Policy},
};
use hickory_resolver::proto::rr::RecordType;
use k8s_openapi::api::networking::v1::Ingress;
use kube::{
    Api,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, net::IpAddr, sync::Arc};

async fn external_dns() -> (&'static Dns, Outside) {
    crypto();
    let dns = shared().await;
    let player = |namespace: &str| ExternalDns {
        pace: Pace::AT_ONCE,
        // Each its own, so that nobody takes another's records for what is left of its own.
        owner: namespace.to_owned(),
        domains: vec![ZONE.to_owned()],
        policy: Policy::Sync,
    };
    (dns, Outside::keeping(Arc::new(dns), player).await)
}

fn addresses(texts: &[&str]) -> BTreeSet<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// Goes on when the authority says so, and whoever reads them from it.
async fn until_published(dns: &Dns, name: &str, texts: &[&str]) -> u32 {
    let wanted = addresses(texts);
    until(dns, dns.authoritative(), name, |answer| match answer {
        Answer::Addresses { of, ttl } if of == wanted => Some(ttl),
        _ => None,
    })
    .await
}

async fn until_withdrawn(dns: &Dns, name: &str) {
    until(dns, dns.authoritative(), name, |answer| matches!(answer, Answer::Nothing { .. }).then_some(()))
        .await;
}

async fn says(dns: &Dns, name: &str, texts: &[&str], kind: RecordType) {
    match lookup(dns.authoritative(), name, kind).await {
        Answer::Addresses { of, .. } => assert_eq!(of, addresses(texts)),
        other => panic!("{name}: {other:?}"),
    }
}

#[tokio::test]
async fn a_name_of_an_ingress_resolves_as_long_as_it_has_an_address() {
    let (dns, outside) = external_dns().await;
    let host = format!("app.{}.{ZONE}", outside.namespace);
    let backend = json!({"service": {"name": "app", "port": {"number": 80}}});
    let path = json!({"path": "/", "pathType": "Prefix", "backend": backend});
    let spec = json!({"ingressClassName": "traefik", "rules": [{"host": host, "http": {"paths": [path]}}]});
    let ingress = outside.object("networking.k8s.io/v1", "Ingress", "app", spec);
    outside.apply(&[&ingress]).await;

    // As the cluster's load balancer does, when it has found one.
    let ingresses: Api<Ingress> = Api::namespaced(outside.plane.client("balancer").await, &outside.namespace);
    for address in ["10.7.0.1", "10.7.0.2"] {
        let balanced = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}});
        ingresses.patch_status("app", &PatchParams::default(), &Patch::Merge(balanced)).await.unwrap();
        until_published(dns, &host, &[address]).await;
    }
    outside.is_unchanged(&[&ingress]).await;
    outside.delete(&ingress).await;
    outside.until_gone(&ingress).await;
    until_withdrawn(dns, &host).await;
    outside.end();
}

#[tokio::test]
async fn the_names_of_an_endpoint_resolve_until_it_is_deleted() {
    let (dns, outside) = external_dns().await;
    let host = |name: &str| format!("{name}.{}.{ZONE}", outside.namespace);
    let endpoint = |name: &str, kind: &str, target: &str| json!({"dnsName": host(name), "recordType": kind, "recordTTL": 120, "targets": [target]});
    let of = |endpoints: Value| {
        outside.object("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "names", json!({"endpoints": endpoints}))
    };
    let both = of(json!([
        endpoint("both", "A", "10.7.1.1"),
        endpoint("both", "AAAA", "fd00::7"),
        endpoint("early", "A", "10.7.1.2"),
    ]));
    outside.apply(&[&both]).await;
    assert_eq!(until_published(dns, &host("both"), &["10.7.1.1"]).await, 120);
    until_published(dns, &host("early"), &["10.7.1.2"]).await;
    says(dns, &host("both"), &["fd00::7"], RecordType::AAAA).await;
    // It publishes first, and tells then: a change in between would meet that.
    let observed =
        |of: u32| move |object: Option<&Value>| (object?["status"]["observedGeneration"] == of).then_some(());
    outside.until(&both, "the names observed", observed(1)).await;

    // What is asked for no more goes, and nothing else of the same name.
    let fewer = of(json!([endpoint("both", "AAAA", "fd00::7"), endpoint("late", "A", "10.7.1.3")]));
    outside.apply(&[&fewer]).await;
    outside.until(&fewer, "the change observed", observed(2)).await;
    until_withdrawn(dns, &host("both")).await;
    until_withdrawn(dns, &host("early")).await;
    until_published(dns, &host("late"), &["10.7.1.3"]).await;
    says(dns, &host("both"), &["fd00::7"], RecordType::AAAA).await;

    outside.delete(&fewer).await;
    outside.until_gone(&fewer).await;
    until_withdrawn(dns, &host("late")).await;
    outside.end();
}

#[tokio::test]
async fn a_record_of_somebody_else_is_left_alone() {
    let (dns, outside) = external_dns().await;
    let host = |name: &str| format!("{name}.{}.{ZONE}", outside.namespace);
    let by_hand = host("by-hand");
    dns.publish(&by_hand, &["10.7.2.1".parse().unwrap()], 60).await;
    let foreign = Record {
        name: host("foreign"),
        kind: "A".to_owned(),
        targets: vec!["10.7.2.2".to_owned()],
        ttl: 60,
        owner: "another-cluster".to_owned(),
        resource: "ingress/shop/app".to_owned(),
    };
    Records::publish(&dns, &foreign).await.unwrap();
    let endpoint = |name: &str| json!({"dnsName": host(name), "recordType": "A", "targets": ["10.7.2.9"]});
    let endpoints = json!({"endpoints": [endpoint("by-hand"), endpoint("foreign"), endpoint("own")]});
    let endpoints = outside.object("externaldns.k8s.io/v1alpha1", "DNSEndpoint", "names", endpoints);
    outside.apply(&[&endpoints]).await;
    until_published(dns, &host("own"), &["10.7.2.9"]).await;
    says(dns, &by_hand, &["10.7.2.1"], RecordType::A).await;
    says(dns, &foreign.name, &["10.7.2.2"], RecordType::A).await;

    outside.delete(&endpoints).await;
    until_withdrawn(dns, &host("own")).await;
    says(dns, &by_hand, &["10.7.2.1"], RecordType::A).await;
    let left = Records::list(&dns).await.unwrap();
    assert!(left.contains(&foreign), "with its mark: {left:#?}");
    outside.end();
}
