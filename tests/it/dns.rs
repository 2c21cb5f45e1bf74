//! The DNS client on the embedded servers: their common facts, and what only the gate can show: which server was asked when,
//! and what becomes of a question that is lost, refused, garbled or never answered.

use crate::bed::Bed;
use berth::{
    clients::{
        Kind,
        dns::{Dns, Outcome, Picture, Route, Silence, TIMEOUT, system_resolvers},
    },
    domain::{name_server::NameServer, names::DnsName},
    rehearsal::{Server as Part, gate::Verdict, players::Record, serve::Served},
};
use hickory_resolver::{
    Resolver,
    config::{NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
    proto::rr::RecordType,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

#[path = "dns_facts.rs"]
mod facts;

const DOMAIN: &str = "preview.example.com";
const NAME: &str = "pr-1.preview.example.com";
const ADDRESS: &str = "192.168.1.140";
/// For what never answers; a prompt answer needs less on the busiest machine.
const SHORT: Duration = Duration::from_secs(2);

/// The embedded authority and resolver.
pub(crate) struct Server {
    bed: Bed,
}

impl Server {
    async fn fresh() -> Self {
        Self { bed: Bed::start().await }
    }

    fn domain(&self) -> &str {
        DOMAIN
    }

    fn dns(&self) -> Dns {
        self.within(TIMEOUT)
    }

    fn within(&self, limit: Duration) -> Dns {
        let routes = [("127.0.0.1", self.bed.served.address(Part::Dns))];
        client(&[self.bed.served.address(Part::Resolver)], &routes, limit)
    }

    async fn publish(&self, name: &str, addresses: &[IpAddr]) {
        self.withdraw(name).await;
        for (kind, is_it) in [("A", IpAddr::is_ipv4 as fn(&IpAddr) -> bool), ("AAAA", IpAddr::is_ipv6)] {
            let of_it: Vec<String> = addresses.iter().filter(|ip| is_it(ip)).map(IpAddr::to_string).collect();
            if !of_it.is_empty() {
                publish(&self.bed.served, name, kind, &of_it);
            }
        }
    }

    async fn withdraw(&self, name: &str) {
        let mut world = self.bed.world();
        for record in world.zone.records().to_vec() {
            if record.name == name {
                world.zone.withdraw(&record);
            }
        }
    }

    /// As somebody does who cannot wait.
    async fn ask_resolver(&self, name: &str) {
        let found =
            independent(self.bed.served.address(Part::Resolver)).lookup(fqdn(name), RecordType::A).await;
        found.unwrap_err();
    }

    async fn picture(&self, limit: Duration) -> Picture {
        let zone = self.within(limit).zone(&name(DOMAIN)).await.unwrap();
        zone.look(&name(NAME), &wanted()).await.unwrap()
    }

    fn log(&self) -> Vec<String> {
        self.bed.gate().log()
    }
}

fn name(text: &str) -> DnsName {
    text.parse().unwrap()
}

fn wanted() -> BTreeSet<IpAddr> {
    [ADDRESS.parse().unwrap()].into()
}

fn fqdn(name: &str) -> String {
    format!("{name}.")
}

fn publish(served: &Served, name: &str, kind: &str, targets: &[String]) {
    served.lock().zone.publish(Record {
        name: name.to_owned(),
        kind: kind.to_owned(),
        targets: targets.to_vec(),
        ttl: 300,
        owner: String::new(),
        resource: String::new(),
    });
}

/// By these resolvers, and to authorities by these ways.
fn client(resolvers: &[SocketAddr], routes: &[(&str, SocketAddr)], limit: Duration) -> Dns {
    let routes: BTreeMap<IpAddr, SocketAddr> =
        routes.iter().map(|(ip, address)| (ip.parse().unwrap(), *address)).collect();
    let route: Route = Arc::new(move |ip| routes[&ip]);
    let resolvers = resolvers.iter().copied().map(NameServer::from).collect();
    Dns::new(resolvers, limit).unwrap().routed(route)
}

/// Somebody else's client.
fn independent(server: SocketAddr) -> Resolver<TokioRuntimeProvider> {
    let mut to = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut to.connections {
        connection.port = server.port();
    }
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![to]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    builder.options_mut().cache_size = 0;
    builder.build().unwrap()
}

/// Where nobody is.
const NOBODY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);

#[tokio::test]
async fn every_authority_is_asked_before_any_resolver() {
    let server = Server::fresh().await;
    server.publish(NAME, &[ADDRESS.parse().unwrap()]).await;
    let zone = server.dns().zone(&name(DOMAIN)).await.unwrap();
    let before = server.log().len();
    assert!(zone.look(&name(NAME), &wanted()).await.unwrap().is_there());
    let mut asked = server.log().split_off(before);
    let (authority, resolver) = asked.split_at_mut(2);
    authority.sort();
    resolver.sort();
    assert_eq!(
        asked,
        [
            " QUERY dns /pr-1.preview.example.com/A",
            " QUERY dns /pr-1.preview.example.com/AAAA",
            " QUERY resolver /pr-1.preview.example.com/A",
            " QUERY resolver /pr-1.preview.example.com/AAAA",
        ]
    );
}

#[tokio::test]
async fn a_resolver_is_asked_for_names_above_the_zone_only_and_for_its_servers() {
    let server = Server::fresh().await;
    server.dns().zone(&name("deep.below.preview.example.com")).await.unwrap();
    assert_eq!(
        server.log(),
        [
            " QUERY resolver /com/NS",
            " QUERY resolver /example.com/NS",
            " QUERY resolver /preview.example.com/NS",
            " QUERY resolver /ns.preview.example.com/A",
            " QUERY dns /below.preview.example.com/NS",
            " QUERY dns /deep.below.preview.example.com/NS",
        ]
    );
}

/// A second server of the zone, which has not caught up.
#[tokio::test]
async fn as_long_as_one_of_several_authorities_lags_no_resolver_is_asked() {
    let [first, second] = [Server::fresh().await, Server::fresh().await];
    let servers = [("ns1.preview.example.com", "192.0.2.1"), ("ns2.preview.example.com", "192.0.2.2")];
    for server in [&first, &second] {
        let zone = &mut server.bed.world().zone;
        zone.servers = servers.map(|(name, ip)| (name.to_owned(), ip.parse().unwrap())).into();
    }
    let routes = [
        ("192.0.2.1", first.bed.served.address(Part::Dns)),
        ("192.0.2.2", second.bed.served.address(Part::Dns)),
    ];
    let dns = client(&[first.bed.served.address(Part::Resolver)], &routes, TIMEOUT);
    let zone = dns.zone(&name(DOMAIN)).await.unwrap();
    first.publish(NAME, &wanted().into_iter().collect::<Vec<_>>()).await;
    let asked_resolver = || first.log().iter().any(|line| line.contains(&format!("resolver /{NAME}")));

    let picture = zone.look(&name(NAME), &wanted()).await.unwrap();
    assert!(!picture.is_there() && !picture.is_gone() && !asked_resolver());
    let lagging =
        "ns2.preview.example.com (192.0.2.2) says that there is no pr-1.preview.example.com (NXDOMAIN)";
    assert_eq!(picture.to_string(), lagging);

    second.publish(NAME, &wanted().into_iter().collect::<Vec<_>>()).await;
    let picture = zone.look(&name(NAME), &wanted()).await.unwrap();
    assert_eq!(picture.to_string(), format!("{ADDRESS} from 2 authoritative servers, 1 resolver"));

    first.withdraw(NAME).await;
    let picture = zone.look_for_absence(&name(NAME)).await.unwrap();
    assert!(!picture.is_gone() && !picture.is_there(), "one of them still has it");
}

#[tokio::test]
async fn one_of_several_resolvers_may_lag() {
    let [first, second] = [Server::fresh().await, Server::fresh().await];
    let resolvers = [first.bed.served.address(Part::Resolver), second.bed.served.address(Part::Resolver)];
    let dns = client(&resolvers, &[("127.0.0.1", first.bed.served.address(Part::Dns))], TIMEOUT);
    first.publish(NAME, &wanted().into_iter().collect::<Vec<_>>()).await;
    let picture = dns.zone(&name(DOMAIN)).await.unwrap().look(&name(NAME), &wanted()).await.unwrap();
    assert!(!picture.is_there());
    assert!(matches!(picture.resolvers[0].outcome, Outcome::Wanted(_)));
    assert_eq!(picture.resolvers[1].outcome, Outcome::NoSuchName);
}

/// The zone above hands the domain to servers of its own; no resolver needs to be asked about it.
#[tokio::test]
async fn a_delegation_is_followed_at_the_authority_above() {
    let [above, below] = [Server::fresh().await, Server::fresh().await];
    {
        let mut world = above.bed.world();
        world.zone.apex = "example.com".to_owned();
        world.zone.servers = vec![("ns.example.com".to_owned(), "192.0.2.1".parse().unwrap())];
    }
    let server = "ns.preview.example.com";
    publish(&above.bed.served, DOMAIN, "NS", &[server.to_owned()]);
    publish(&above.bed.served, server, "A", &["192.0.2.2".to_owned()]);
    below.publish(NAME, &wanted().into_iter().collect::<Vec<_>>()).await;
    let routes = [
        ("192.0.2.1", above.bed.served.address(Part::Dns)),
        ("192.0.2.2", below.bed.served.address(Part::Dns)),
    ];
    let dns = client(&[above.bed.served.address(Part::Resolver)], &routes, TIMEOUT);
    let zone = dns.zone(&name(DOMAIN)).await.unwrap();
    assert_eq!(
        (zone.name(), zone.servers().collect::<Vec<_>>()),
        (DOMAIN, vec![format!("{server} (192.0.2.2)")])
    );
    let picture = zone.look(&name(NAME), &wanted()).await.unwrap();
    assert!(matches!(picture.authorities[0].outcome, Outcome::Wanted(_)));
    let mut log = above.log();
    log.retain(|line| !line.contains(NAME));
    assert_eq!(
        log,
        [
            " QUERY resolver /com/NS",
            " QUERY resolver /example.com/NS",
            " QUERY resolver /ns.example.com/A",
            " QUERY dns /preview.example.com/NS",
        ]
    );
}

#[tokio::test]
async fn names_without_addresses_and_names_for_other_names_are_told_apart() {
    let server = Server::fresh().await;
    publish(&server.bed.served, NAME, "TXT", &["heritage=external-dns".to_owned()]);
    let picture = server.picture(TIMEOUT).await;
    assert_eq!(picture.authorities[0].outcome, Outcome::NoAddresses);
    assert!(picture.is_gone());
    publish(&server.bed.served, NAME, "CNAME", &["lb.elsewhere.example".to_owned()]);
    let picture = server.picture(TIMEOUT).await;
    assert_eq!(picture.authorities[0].outcome, Outcome::Alias("lb.elsewhere.example".to_owned()));
    assert!(!picture.is_gone() && !picture.is_there());
    publish(&server.bed.served, NAME, "CNAME", &["lb.preview.example.com".to_owned()]);
    publish(&server.bed.served, "lb.preview.example.com", "A", &[ADDRESS.to_owned()]);
    assert!(server.picture(TIMEOUT).await.is_there(), "an alias within the zone is followed");
}

/// By the world's clock, as the real one's are.
#[tokio::test]
async fn the_embedded_resolver_keeps_answers_and_denials_for_their_time() {
    let server = Server::fresh().await;
    let resolver = independent(server.bed.served.address(Part::Resolver));
    let ask = async || resolver.lookup(fqdn(NAME), RecordType::A).await;
    let denial = ask().await.unwrap_err();
    assert!(denial.is_nx_domain(), "{denial}");
    server.publish(NAME, &[ADDRESS.parse().unwrap()]).await;
    server.bed.pass(299);
    assert!(ask().await.unwrap_err().is_nx_domain(), "one second too early");
    server.bed.pass(1);
    assert_eq!(ask().await.unwrap().answers()[0].ttl, 300);
    server.withdraw(NAME).await;
    server.bed.pass(299);
    assert_eq!(ask().await.unwrap().answers()[0].ttl, 1);
    server.bed.pass(1);
    assert!(ask().await.unwrap_err().is_nx_domain());
}

/// At the authority, then at the resolver: what it is called, and that it is neither there nor gone.
#[tokio::test]
async fn every_fault_is_silence_and_never_a_denial() {
    let unavailable = |status| Verdict::json(status, &json!({"errors": []}));
    let faults = [
        (Verdict::Answer { status: 2, headers: vec![], body: String::new() }, "fails (SERVFAIL)"),
        (Verdict::Answer { status: 5, headers: vec![], body: String::new() }, "refuses to answer (REFUSED)"),
        (Verdict::Answer { status: 1, headers: vec![], body: String::new() }, "calls the question malformed"),
        (unavailable(503), "fails (SERVFAIL)"),
        (unavailable(403), "refuses to answer (REFUSED)"),
        (Verdict::html(404, "<html>"), "gives an answer that cannot be read"),
        (Verdict::Cut, "cannot be reached"),
        (Verdict::CutAfter, "cannot be reached"),
        (Verdict::Truncate, "cannot be reached"),
        (Verdict::Hang, "gives no answer within 2s"),
        (Verdict::HangAfter, "gives no answer within 2s"),
    ];
    let cases = [Part::Dns, Part::Resolver].into_iter().flat_map(|at| faults.iter().map(move |f| (at, f)));
    futures::future::join_all(cases.map(async |(at, (fault, said))| {
        let server = Server::fresh().await;
        server.publish(NAME, &[ADDRESS.parse().unwrap()]).await;
        let fault = fault.clone();
        let shown = format!("{fault:?} at {at}");
        server.bed.gate().rule(move |request| {
            let is_it = request.server == at && request.path[0] == NAME;
            if is_it { fault.clone() } else { Verdict::Pass }
        });
        let picture = server.picture(SHORT).await;
        assert!(!picture.is_there() && !picture.is_gone(), "{shown}: {picture:?}");
        assert!(picture.to_string().contains(said), "{shown}: {picture}");
        assert!(picture.to_string().contains(NAME), "{shown}: {picture}");
        assert!(picture.hint().unwrap().contains("can "), "{shown}: {picture:?}");
        assert_eq!(picture.resolvers.is_empty(), at == Part::Dns, "{shown}");
        server.bed.gate().open();
        assert!(server.picture(TIMEOUT).await.is_there(), "{shown}: it does not last");
    }))
    .await;
}

#[tokio::test]
async fn an_authority_whose_place_somebody_else_answers_in_is_not_believed() {
    let server = Server::fresh().await;
    let resolver = server.bed.served.address(Part::Resolver);
    let dns = client(&[resolver], &[("127.0.0.1", resolver)], TIMEOUT);
    let picture = dns.zone(&name(DOMAIN)).await.unwrap().look(&name(NAME), &wanted()).await.unwrap();
    assert_eq!(picture.authorities[0].outcome, Outcome::Silent(Silence::WithoutAuthority));
    assert!(picture.hint().unwrap().contains("dig +norecurse"), "{picture:?}");
}

#[tokio::test]
async fn a_lost_datagram_is_asked_again_over_tcp_and_a_long_answer_comes_whole() {
    let server = Server::fresh().await;
    server.publish(NAME, &[ADDRESS.parse().unwrap()]).await;
    server.bed.gate().rule(|request| match request.query["transport"].as_str() {
        "udp" => Verdict::Truncate,
        _ => Verdict::Pass,
    });
    assert!(server.picture(TIMEOUT).await.is_there());
    server.bed.gate().open();
    let many: Vec<IpAddr> = (1..=200).map(|last| IpAddr::from([10, 3, 0, last])).collect();
    server.publish(NAME, &many).await;
    let picture = server.picture(TIMEOUT).await;
    assert_eq!(picture.authorities[0].outcome, Outcome::Wrong(many.into_iter().collect()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_apart_with_its_name() {
    let server = Server::fresh().await;
    server.publish(NAME, &[ADDRESS.parse().unwrap()]).await;
    let resolver = server.bed.served.address(Part::Resolver);
    let dns = client(&[resolver], &[("127.0.0.1", NOBODY)], TIMEOUT);
    let picture = dns.zone(&name(DOMAIN)).await.unwrap().look(&name(NAME), &wanted()).await.unwrap();
    assert!(!picture.is_gone());
    let said = picture.to_string();
    assert!(said.starts_with("ns.preview.example.com (127.0.0.1) cannot be reached ("), "{said}");
}

#[tokio::test]
async fn a_zone_that_no_resolver_tells_of_is_unknown_and_not_absent() {
    let gone = NOBODY;
    let dns = client(&[gone], &[], TIMEOUT);
    let error = dns.zone(&name(DOMAIN)).await.err().unwrap();
    assert_eq!(error.kind, Kind::Unavailable { wait: None });
    let said = format!(
        "no resolver tells who serves {DOMAIN}: on the servers of {DOMAIN}: {gone} cannot be reached"
    );
    assert!(error.to_string().starts_with(&said), "{error}");
    // One that answers is enough.
    let server = Server::fresh().await;
    let resolver = server.bed.served.address(Part::Resolver);
    let dns = client(&[gone, resolver], &[("127.0.0.1", server.bed.served.address(Part::Dns))], TIMEOUT);
    assert_eq!(dns.zone(&name(DOMAIN)).await.unwrap().name(), DOMAIN);
}

#[tokio::test]
async fn a_server_of_the_zone_without_an_address_counts_as_one_that_says_nothing() {
    let server = Server::fresh().await;
    server.bed.world().zone.servers.push(("ns.elsewhere.example".to_owned(), "192.0.2.9".parse().unwrap()));
    server.publish(NAME, &[ADDRESS.parse().unwrap()]).await;
    let picture = server.picture(TIMEOUT).await;
    assert!(!picture.is_there() && picture.resolvers.is_empty());
    assert!(picture.to_string().contains("ns.elsewhere.example has no known address"), "{picture}");
}

#[test]
fn resolvers_are_addresses_with_or_without_a_port() {
    for (text, shown) in [
        ("192.168.1.3", "192.168.1.3"),
        ("192.168.1.3:53", "192.168.1.3"),
        ("192.168.1.3:5353", "192.168.1.3:5353"),
        ("fd00::3", "fd00::3"),
        ("[fd00::3]:5353", "[fd00::3]:5353"),
    ] {
        assert_eq!(text.parse::<NameServer>().unwrap().to_string(), shown);
    }
    for wrong in ["", "resolver.lan", "192.168.1.3:0", "192.168.1.3:", "192.168.1", "192.168.1.3/24"] {
        let error = wrong.parse::<NameServer>().unwrap_err().to_string();
        assert!(error.contains("is no DNS resolver: an IP address"), "{error}");
    }
}

#[test]
fn the_systems_resolvers_are_read_or_it_is_said_that_there_are_none() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("resolv.conf");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        system_resolvers(&file).map(|all| all.iter().map(NameServer::to_string).collect::<Vec<_>>())
    };
    let text = "# written by somebody\nsearch lan\nnameserver 192.168.1.3\nnameserver  fd00::3 # v6\noptions ndots:1\n";
    assert_eq!(read(text).unwrap(), ["192.168.1.3", "fd00::3"]);
    let error = read("search lan\nnameserver fe80::1%eth0\n").unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("it names no resolver that can be asked; name resolvers in dns.resolvers")
    );
    assert!(system_resolvers(&directory.path().join("none")).is_err());
    assert!(Dns::new(vec![], TIMEOUT).is_err());
}
