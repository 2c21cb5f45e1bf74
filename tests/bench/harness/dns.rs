//! The DNS of one zone: CoreDNS with authority over it, whose records lie in an etcd and change at once, and before it
//! a second CoreDNS, a resolver that keeps answers, the negative ones too, as long as their TTL says.
//!
//! A negative TTL is [`NEGATIVE_TTL`] everywhere; only that of "no such type, but the name is there" is the etcd
//! plugin's own 30 s, of which the resolver keeps 5. One thing is not as in a real zone: the plugin answers for a name
//! with all that lies below it, so no fact may publish `api.pr-1` and ask for `pr-1`.

use super::{
    ask,
    etcd::Etcd,
    keeper::{self, Process, file},
    ports,
};
use hickory_resolver::{
    Resolver,
    config::{NameServerConfig, ResolveHosts, ResolverConfig},
    net::{DnsError, NetError, runtime::TokioRuntimeProvider},
    proto::{
        op::ResponseCode,
        rr::{RData, RecordType},
    },
};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

/// Seconds for which a resolver may say that there is no such name.
pub(crate) const NEGATIVE_TTL: u32 = 5;

/// Both servers and the etcd. They end when it is dropped.
pub(crate) struct Dns {
    zone: String,
    authoritative: Server,
    resolver: Server,
    etcd: Etcd,
}

struct Server {
    address: SocketAddr,
    process: Process,
}

/// What a server says about the addresses of a name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Addresses {
        of: BTreeSet<IpAddr>,
        ttl: u32,
    },
    /// There is no such name (NXDOMAIN), or it has no such addresses; and for how many seconds that may be kept.
    Nothing {
        name_exists: bool,
        ttl: Option<u32>,
    },
    /// Any other code, such as REFUSED.
    Refused(ResponseCode),
}

/// One address of a name.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
    pub(crate) ttl: u32,
    pub(crate) text: String,
}

impl Dns {
    /// For a zone, without a dot at its end. Both servers answer for it when this returns.
    pub(crate) async fn start(zone: &str) -> Self {
        let directory = keeper::directory("dns");
        let etcd = Etcd::start(&directory);
        let [authority, nothing, cache] = [(); 3].map(|()| ports::free());
        let soa = |owner: &str| {
            let numbers = format!("1 7200 1800 86400 {NEGATIVE_TTL}");
            format!("{owner} {NEGATIVE_TTL} IN SOA ns.dns.{zone}. hostmaster.{zone}. {numbers}")
        };
        let server_name = format!("ns.dns.{zone}");
        // Plugins have an order of their own, where `template` comes before `etcd`: so what etcd knows nothing about
        // is forwarded to a block beside it.
        let authoritative = format!(
            r#"{zone}:{authority} {{
                bind 127.0.0.1
                errors
                template IN SOA {zone} {{
                    match "^{apex}\.$"
                    answer "{soa}"
                    fallthrough
                }}
                template IN NS {zone} {{
                    match "^{apex}\.$"
                    answer "{zone}. {NEGATIVE_TTL} IN NS {server_name}."
                    fallthrough
                }}
                template IN A {server_name} {{
                    answer "{server_name}. {NEGATIVE_TTL} IN A 127.0.0.1"
                }}
                etcd {{
                    path /skydns
                    endpoint {etcd_url}
                    fallthrough
                }}
                forward . 127.0.0.1:{nothing}
            }}
            {zone}:{nothing} {{
                bind 127.0.0.1
                template ANY ANY {{
                    rcode NXDOMAIN
                    authority "{soa}"
                }}
            }}"#,
            apex = zone.replace('.', "\\."),
            etcd_url = etcd.url,
            soa = soa(&format!("{zone}.")),
        );
        // In this world there is no name outside of the zone.
        let resolver = format!(
            r#"{zone}:{cache} {{
                bind 127.0.0.1
                errors
                cache {{
                    success 9984 3600 0
                    denial 9984 {NEGATIVE_TTL} 0
                }}
                forward . 127.0.0.1:{authority}
            }}
            .:{cache} {{
                bind 127.0.0.1
                template ANY ANY {{
                    rcode NXDOMAIN
                    authority "{soa}"
                }}
            }}"#,
            soa = soa("."),
        );
        let server = |name: &str, port: u16, corefile: &str| {
            let mut command = keeper::command("coredns");
            command.arg("-conf").arg(file(&directory, &format!("{name}.corefile"), corefile));
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            Server { address, process: Process::start(name, command, &directory) }
        };
        let dns = Self {
            zone: zone.to_owned(),
            authoritative: server("coredns-authoritative", authority, &authoritative),
            resolver: server("coredns-resolver", cache, &resolver),
            etcd,
        };
        dns.ready().await;
        dns
    }

    async fn ready(&self) {
        self.etcd.ready().await;
        for server in [&self.authoritative, &self.resolver] {
            ask("the zone's SOA record", &server.process, async || {
                let found = client(server.address).lookup(format!("{}.", self.zone), RecordType::SOA).await;
                found.ok().filter(|found| !found.answers().is_empty())
            })
            .await;
        }
    }

    /// The server with authority: knows every change at once, and no other zone.
    pub(crate) fn authoritative(&self) -> SocketAddr {
        self.authoritative.address
    }

    /// The server that keeps answers; at users' sites this is the one that clients ask.
    pub(crate) fn resolver(&self) -> SocketAddr {
        self.resolver.address
    }

    /// From now on the name, which is in the zone, has these addresses and no others.
    pub(crate) async fn publish(&self, name: &str, addresses: &[IpAddr], ttl: u32) {
        self.replace(name, |_| true, addresses, ttl, "").await;
    }

    /// From now on the name has no address.
    pub(crate) async fn withdraw(&self, name: &str) {
        self.publish(name, &[], 0).await;
    }

    /// From now on the name has these addresses in place of those that are `old`. The text lies beside each, where
    /// external-dns keeps its marks.
    pub(crate) async fn replace(
        &self,
        name: &str,
        old: impl Fn(IpAddr) -> bool,
        addresses: &[IpAddr],
        ttl: u32,
        text: &str,
    ) {
        let prefix = self.key(name);
        // First the new ones, so that the name is never without any.
        for address in addresses {
            let record = json!({"host": address, "ttl": ttl, "text": text});
            self.etcd.put(&format!("{prefix}{address}"), &record.to_string()).await;
        }
        for (key, _) in self.etcd.entries(&prefix).await {
            let last = &key[prefix.len()..];
            // What lies deeper belongs to other names.
            if !last.contains('/')
                && !addresses.iter().any(|address| address.to_string() == last)
                && old(last.parse().unwrap())
            {
                self.etcd.delete(&key).await;
            }
        }
    }

    /// All addresses of all names, as of one moment.
    pub(crate) async fn entries(&self) -> Vec<Entry> {
        let of = |(key, value): (String, String)| {
            let labels = key.strip_prefix("/skydns/").unwrap().rsplit('/').skip(1);
            let value: Value = serde_json::from_str(&value).unwrap();
            Entry {
                name: labels.collect::<Vec<_>>().join("."),
                address: value["host"].as_str().unwrap().parse().unwrap(),
                ttl: u32::try_from(value["ttl"].as_u64().unwrap()).unwrap(),
                text: value["text"].as_str().unwrap().to_owned(),
            }
        };
        self.etcd.entries("/skydns/").await.into_iter().map(of).collect()
    }

    /// Whether a name can be published here.
    pub(crate) fn serves(&self, name: &str) -> bool {
        let name = name.trim_end_matches('.').to_lowercase();
        let inside = name.strip_suffix(&self.zone).and_then(|rest| rest.strip_suffix('.'));
        inside.is_some_and(|inside| !inside.is_empty())
    }

    /// Where a name's records lie: its labels, last first.
    fn key(&self, name: &str) -> String {
        assert!(self.serves(name), "{name} is not in the zone {}", self.zone);
        let name = name.trim_end_matches('.').to_lowercase();
        let labels: Vec<&str> = name.rsplit('.').collect();
        format!("/skydns/{}/", labels.join("/"))
    }
}

fn client(server: SocketAddr) -> Resolver<TokioRuntimeProvider> {
    let mut to = NameServerConfig::udp_and_tcp(server.ip());
    for connection in &mut to.connections {
        connection.port = server.port();
    }
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![to]);
    let mut builder = Resolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = Duration::from_secs(5);
    builder.build().unwrap()
}

/// Asks one server for a name's addresses of this type, `A` or `AAAA`.
pub(crate) async fn lookup(server: SocketAddr, name: &str, kind: RecordType) -> Answer {
    let name = format!("{}.", name.trim_end_matches('.'));
    match client(server).lookup(name, kind).await {
        Ok(found) => {
            let ttl = found.answers().iter().map(|record| record.ttl).min().unwrap();
            let of = found.answers().iter().map(|record| match &record.data {
                RData::A(address) => IpAddr::from(address.0),
                RData::AAAA(address) => IpAddr::from(address.0),
                other => panic!("an address was asked for, not {other}"),
            });
            Answer::Addresses { of: of.collect(), ttl }
        }
        Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match none.response_code {
            ResponseCode::NXDomain => Answer::Nothing { name_exists: false, ttl: none.negative_ttl },
            ResponseCode::NoError => Answer::Nothing { name_exists: true, ttl: none.negative_ttl },
            code => Answer::Refused(code),
        },
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Answer::Refused(code),
        Err(error) => panic!("{server} on {kind}: {error}"),
    }
}

/// Asks until the answer is the wanted one.
pub(crate) async fn until<T>(
    dns: &Dns,
    server: SocketAddr,
    name: &str,
    mut wanted: impl FnMut(Answer) -> Option<T>,
) -> T {
    let process = if server == dns.resolver() { &dns.resolver } else { &dns.authoritative };
    ask(&format!("another answer for {name}"), &process.process, async || {
        wanted(lookup(server, name, RecordType::A).await)
    })
    .await
}
