//! What asking for a name comes to, fact by fact, on every pair of an authority and a resolver that there is.
//!
//! Each fact has names of its own. The servers are `super::Server`: who has this file brings them.

use super::Server;
use berth::{
    clients::dns::{Outcome, Picture},
    domain::names::DnsName,
};
use std::{collections::BTreeSet, net::IpAddr};

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn set(texts: &[&str]) -> BTreeSet<IpAddr> {
    ips(texts).into_iter().collect()
}

impl Server {
    fn name(&self, label: &str) -> DnsName {
        format!("{label}.{}", self.domain()).parse().unwrap()
    }

    async fn look(&self, label: &str, wanted: &[&str]) -> Picture {
        let zone = self.dns().zone(&self.domain().parse().unwrap()).await.unwrap();
        zone.look(&self.name(label), &set(wanted)).await.unwrap()
    }

    async fn look_for_absence(&self, label: &str) -> Picture {
        let zone = self.dns().zone(&self.domain().parse().unwrap()).await.unwrap();
        zone.look_for_absence(&self.name(label)).await.unwrap()
    }

    async fn has(&self, label: &str, addresses: &[&str]) {
        self.publish(self.name(label).as_ref(), &ips(addresses)).await;
    }
}

/// What each server said, authorities first.
fn outcomes(picture: &Picture) -> (Vec<&Outcome>, Vec<&Outcome>) {
    (
        picture.authorities.iter().map(|heard| &heard.outcome).collect(),
        picture.resolvers.iter().map(|heard| &heard.outcome).collect(),
    )
}

#[tokio::test]
async fn the_zone_of_a_domain_is_found_with_its_servers() {
    let server = Server::fresh().await;
    for domain in [server.domain().to_owned(), format!("unused.{}", server.domain())] {
        let zone = server.dns().zone(&domain.parse().unwrap()).await.unwrap();
        assert_eq!(zone.name(), server.domain());
        let servers: Vec<String> = zone.servers().collect();
        assert_eq!(servers.len(), 1, "{servers:?}");
        assert!(servers[0].ends_with(" (127.0.0.1)"), "{servers:?}");
    }
}

#[tokio::test]
async fn a_published_name_is_there_when_all_servers_say_so() {
    let server = Server::fresh().await;
    server.has("there", &["10.2.0.1"]).await;
    let picture = server.look("there", &["10.2.0.1"]).await;
    assert!(picture.is_there() && !picture.is_gone(), "{picture:?}");
    assert_eq!(picture.to_string(), "10.2.0.1 from 1 authoritative server, 1 resolver");
    assert_eq!(picture.hint(), None);
}

#[tokio::test]
async fn both_families_of_addresses_count() {
    let server = Server::fresh().await;
    server.has("families", &["10.2.0.2", "fd00::2"]).await;
    assert!(server.look("families", &["10.2.0.2", "fd00::2"]).await.is_there());
    let picture = server.look("families", &["10.2.0.2"]).await;
    let wrong = Outcome::Wrong(set(&["10.2.0.2", "fd00::2"]));
    assert_eq!(outcomes(&picture), (vec![&wrong], vec![]));
}

#[tokio::test]
async fn a_name_that_is_not_published_yet_is_never_asked_for_at_the_resolver() {
    let server = Server::fresh().await;
    for _ in 0..3 {
        let picture = server.look("early", &["10.2.0.3"]).await;
        assert!(!picture.is_there() && picture.is_gone());
        assert_eq!(outcomes(&picture), (vec![&Outcome::NoSuchName], vec![]));
    }
    // It would still deny the name, had it been asked.
    server.has("early", &["10.2.0.3"]).await;
    assert!(server.look("early", &["10.2.0.3"]).await.is_there());
}

#[tokio::test]
async fn a_domain_that_is_not_there_before_its_first_name_is_never_asked_for_at_the_resolver() {
    let server = Server::fresh().await;
    let domain: DnsName = server.name("new");
    let name: DnsName = server.name("first.new");
    let wanted = set(&["10.2.0.4"]);
    let zone = server.dns().zone(&domain).await.unwrap();
    assert!(!zone.look(&name, &wanted).await.unwrap().is_there());
    server.has("first.new", &["10.2.0.4"]).await;
    let zone = server.dns().zone(&domain).await.unwrap();
    let picture = zone.look(&name, &wanted).await.unwrap();
    assert!(picture.is_there(), "{picture}");
}

#[tokio::test]
async fn whom_somebody_asked_too_early_is_told_apart_from_the_authority() {
    let server = Server::fresh().await;
    // A machine may be too busy to come back within the time of a denial.
    for attempt in 0..10 {
        let label = &format!("denied-{attempt}");
        server.ask_resolver(server.name(label).as_ref()).await;
        server.has(label, &["10.2.0.5"]).await;
        let picture = server.look(label, &["10.2.0.5"]).await;
        if picture.is_there() {
            continue;
        }
        assert_eq!(
            outcomes(&picture),
            (vec![&Outcome::Wanted(set(&["10.2.0.5"]))], vec![&Outcome::NoSuchName])
        );
        let resolver = &picture.resolvers[0].server;
        let name = server.name(label);
        assert_eq!(picture.to_string(), format!("{resolver} says that there is no {name} (NXDOMAIN)"));
        assert!(picture.hint().unwrap().contains("keeps a denial"), "{picture:?}");
        return;
    }
    panic!("the resolver has never kept a denial");
}

#[tokio::test]
async fn an_old_address_is_a_wrong_answer_until_it_is_replaced() {
    let server = Server::fresh().await;
    server.has("moved", &["10.2.0.6"]).await;
    let picture = server.look("moved", &["10.2.0.7"]).await;
    assert_eq!(outcomes(&picture), (vec![&Outcome::Wrong(set(&["10.2.0.6"]))], vec![]));
    let said = picture.to_string();
    assert!(said.ends_with(&format!("says 10.2.0.6 for {}, not 10.2.0.7", server.name("moved"))), "{said}");
    server.has("moved", &["10.2.0.7"]).await;
    assert!(server.look("moved", &["10.2.0.7"]).await.is_there());
}

#[tokio::test]
async fn a_resolver_with_an_older_answer_is_a_wrong_answer_of_its_own() {
    let server = Server::fresh().await;
    server.has("older", &["10.2.0.8"]).await;
    assert!(server.look("older", &["10.2.0.8"]).await.is_there());
    server.has("older", &["10.2.0.9"]).await;
    let picture = server.look("older", &["10.2.0.9"]).await;
    assert_eq!(
        outcomes(&picture),
        (vec![&Outcome::Wanted(set(&["10.2.0.9"]))], vec![&Outcome::Wrong(set(&["10.2.0.8"]))])
    );
    let hint = picture.hint().unwrap();
    let left =
        hint.split_once("keeps an older answer for another ").and_then(|(_, rest)| rest.split_once(" s,"));
    assert!(left.is_some_and(|(seconds, _)| seconds.parse::<u32>().is_ok()), "{hint}");
}

#[tokio::test]
async fn a_name_is_gone_when_no_authority_has_it_and_can_come_back_at_once() {
    let server = Server::fresh().await;
    server.has("gone", &["10.2.0.10"]).await;
    let picture = server.look_for_absence("gone").await;
    assert!(!picture.is_gone() && !picture.is_there());
    let said = picture.to_string();
    assert!(said.ends_with(&format!("still says 10.2.0.10 for {}", server.name("gone"))), "{said}");
    server.withdraw(server.name("gone").as_ref()).await;
    let picture = server.look_for_absence("gone").await;
    assert!(picture.is_gone() && !picture.is_there());
    assert_eq!(picture.to_string(), "gone from 1 authoritative server");
    server.has("gone", &["10.2.0.10"]).await;
    assert!(server.look("gone", &["10.2.0.10"]).await.is_there(), "no resolver was made to keep a denial");
}

#[tokio::test]
async fn a_name_of_another_zone_is_not_asked_for() {
    let server = Server::fresh().await;
    let zone = server.dns().zone(&server.domain().parse().unwrap()).await.unwrap();
    let elsewhere: DnsName = "www.elsewhere.example".parse().unwrap();
    let error = zone.look(&elsewhere, &set(&["10.2.0.1"])).await.unwrap_err();
    let domain = server.domain();
    assert_eq!(
        error.to_string(),
        format!("www.elsewhere.example is not in the zone {domain}; is dns.domain the one of the name?")
    );
}

#[tokio::test]
async fn a_domain_that_nobody_serves_is_told_with_the_resolvers_that_were_asked() {
    let server = Server::fresh().await;
    let error = server.dns().zone(&"preview.nowhere".parse().unwrap()).await.err().unwrap();
    assert!(error.to_string().contains("knows of no zone that holds preview.nowhere"), "{error}");
}
