//! The bench's DNS: an authority that knows changes at once, and a resolver that does not.

use crate::{
    bed::crypto,
    harness::dns::{Answer, Dns, NEGATIVE_TTL, lookup, until},
};
use berth::clients::dns;
use hickory_resolver::proto::{op::ResponseCode, rr::RecordType};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};
use tokio::sync::OnceCell;

#[path = "../it/dns_facts.rs"]
mod facts;

/// CoreDNS, for the facts about berth's own client.
pub(crate) struct Server {
    dns: &'static Dns,
}

impl Server {
    async fn fresh() -> Self {
        Self { dns: shared().await }
    }

    fn domain(&self) -> &str {
        ZONE
    }

    fn dns(&self) -> dns::Dns {
        // DNS tells no ports.
        let port = self.dns.authoritative().port();
        let resolvers = vec![self.dns.resolver().into()];
        dns::Dns::new(resolvers, dns::TIMEOUT).unwrap().routed(Arc::new(move |ip| SocketAddr::new(ip, port)))
    }

    async fn publish(&self, name: &str, addresses: &[IpAddr]) {
        self.dns.publish(name, addresses, 60).await;
    }

    async fn withdraw(&self, name: &str) {
        self.dns.withdraw(name).await;
    }

    async fn ask_resolver(&self, name: &str) {
        assert_eq!(lookup(self.dns.resolver(), name, RecordType::A).await, NO_SUCH_NAME);
    }
}

pub(crate) const ZONE: &str = "preview.example";

/// The one of all facts, each with names of its own.
pub(crate) async fn shared() -> &'static Dns {
    static SHARED: OnceCell<Dns> = OnceCell::const_new();
    crypto();
    SHARED.get_or_init(|| Dns::start(ZONE)).await
}

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn addresses(texts: &[&str], ttl: u32) -> Answer {
    Answer::Addresses { of: ips(texts).into_iter().collect(), ttl }
}

const NO_SUCH_NAME: Answer = Answer::Nothing { name_exists: false, ttl: Some(NEGATIVE_TTL) };

#[tokio::test]
async fn a_published_name_resolves_at_once_at_the_authority() {
    let dns = shared().await;
    let name = "at-once.preview.example";
    assert_eq!(lookup(dns.authoritative(), name, RecordType::A).await, NO_SUCH_NAME);
    dns.publish(name, &ips(&["10.1.0.1"]), 60).await;
    assert_eq!(lookup(dns.authoritative(), name, RecordType::A).await, addresses(&["10.1.0.1"], 60));
    // Nobody had asked the resolver before.
    assert_eq!(lookup(dns.resolver(), name, RecordType::A).await, addresses(&["10.1.0.1"], 60));
}

#[tokio::test]
async fn a_resolver_that_was_asked_too_early_denies_the_name_until_the_negative_ttl_is_over() {
    let dns = shared().await;
    // A machine may be too busy to ask within that time.
    for attempt in 0..10 {
        let name = &format!("too-early-{attempt}.preview.example");
        assert_eq!(lookup(dns.resolver(), name, RecordType::A).await, NO_SUCH_NAME);
        dns.publish(name, &ips(&["10.1.0.2"]), 60).await;
        let mut denied = Vec::new();
        let found = until(dns, dns.resolver(), name, |answer| match answer {
            Answer::Nothing { name_exists: false, ttl } => {
                denied.push(ttl.unwrap());
                None
            }
            other => Some(other),
        })
        .await;
        assert_eq!(found, addresses(&["10.1.0.2"], 60));
        assert!(denied.is_sorted_by(|earlier, later| earlier >= later), "{denied:?}");
        // It answered from what it kept: the seconds ran down.
        if denied.last().is_some_and(|last| *last < NEGATIVE_TTL) {
            return;
        }
    }
    panic!("the resolver has never kept a denial");
}

#[tokio::test]
async fn a_resolver_gives_an_address_until_its_ttl_is_over() {
    let dns = shared().await;
    let name = "kept.preview.example";
    dns.publish(name, &ips(&["10.1.0.3"]), 2).await;
    assert_eq!(lookup(dns.resolver(), name, RecordType::A).await, addresses(&["10.1.0.3"], 2));
    dns.withdraw(name).await;
    assert_eq!(lookup(dns.authoritative(), name, RecordType::A).await, NO_SUCH_NAME);
    let gone = until(dns, dns.resolver(), name, |answer| match answer {
        Answer::Addresses { .. } => None,
        other => Some(other),
    })
    .await;
    assert_eq!(gone, NO_SUCH_NAME);
}

#[tokio::test]
async fn a_name_has_the_addresses_that_were_published_last() {
    let dns = shared().await;
    let name = "several.preview.example";
    dns.publish(name, &ips(&["10.1.0.4", "10.1.0.5", "fd00::4"]), 60).await;
    let server = dns.authoritative();
    assert_eq!(lookup(server, name, RecordType::A).await, addresses(&["10.1.0.4", "10.1.0.5"], 60));
    assert_eq!(lookup(server, name, RecordType::AAAA).await, addresses(&["fd00::4"], 60));
    dns.publish(name, &ips(&["10.1.0.5", "10.1.0.6"]), 30).await;
    assert_eq!(lookup(server, name, RecordType::A).await, addresses(&["10.1.0.5", "10.1.0.6"], 30));
    let none = lookup(server, name, RecordType::AAAA).await;
    assert!(matches!(none, Answer::Nothing { name_exists: true, .. }), "{none:?}");
}

#[tokio::test]
async fn case_does_not_matter() {
    let dns = shared().await;
    dns.publish("Mixed.Preview.Example", &ips(&["10.1.0.7"]), 60).await;
    for server in [dns.authoritative(), dns.resolver()] {
        for name in ["mixed.preview.example", "MIXED.preview.EXAMPLE", "mIxEd.preview.example"] {
            let Answer::Addresses { of, .. } = lookup(server, name, RecordType::A).await else {
                panic!("{name}")
            };
            assert_eq!(of.into_iter().collect::<Vec<_>>(), ips(&["10.1.0.7"]));
        }
    }
}

#[tokio::test]
async fn a_name_of_another_zone_is_refused_by_the_authority_and_unknown_to_the_resolver() {
    let dns = shared().await;
    let name = "www.elsewhere.example";
    let refused = lookup(dns.authoritative(), name, RecordType::A).await;
    assert_eq!(refused, Answer::Refused(ResponseCode::Refused));
    assert_eq!(lookup(dns.resolver(), name, RecordType::A).await, NO_SUCH_NAME);
}

/// What the module says of it: were it not so any more, the warning there could go.
#[tokio::test]
async fn the_authority_answers_for_a_name_with_what_lies_below_it() {
    let dns = shared().await;
    dns.publish("api.below.preview.example", &ips(&["10.1.0.8"]), 60).await;
    let above = lookup(dns.authoritative(), "below.preview.example", RecordType::A).await;
    assert_eq!(above, addresses(&["10.1.0.8"], 60));
    // But it is another name's: it is not withdrawn with this one.
    dns.withdraw("below.preview.example").await;
    let below = lookup(dns.authoritative(), "api.below.preview.example", RecordType::A).await;
    assert_eq!(below, addresses(&["10.1.0.8"], 60));
}
