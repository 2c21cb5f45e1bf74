//! The bench's DNS as a place where external-dns keeps its records: the addresses, each with its mark of ownership beside
//! it, as the real one's provider for CoreDNS lays them down.
//!
//! Records of names are not kept: a lookup here asks for addresses.

use super::{
    dns::{Dns, Entry},
    players::Records,
};
use anyhow::{Result, bail, ensure};
use async_trait::async_trait;
use berth::rehearsal::players::Record;
use std::{collections::BTreeMap, net::IpAddr};

const HERITAGE: &str = "heritage=external-dns";
const OWNER: &str = "external-dns/owner=";
const RESOURCE: &str = "external-dns/resource=";

#[async_trait]
impl Records for &'static Dns {
    async fn list(&self) -> Result<Vec<Record>> {
        let mut records: BTreeMap<(String, &'static str), Record> = BTreeMap::new();
        for Entry { name, address, ttl, text } in self.entries().await {
            let kind = kind(address);
            let record = records.entry((name.clone(), kind)).or_insert_with(|| Record {
                name,
                kind: kind.to_owned(),
                targets: Vec::new(),
                ttl,
                owner: marked(&text, OWNER),
                resource: marked(&text, RESOURCE),
            });
            record.targets.push(address.to_string());
            record.targets.sort();
        }
        Ok(records.into_values().collect())
    }

    async fn publish(&self, record: &Record) -> Result<()> {
        let addresses = record.targets.iter().map(|target| target.parse());
        let addresses: Vec<IpAddr> = addresses.collect::<Result<_, _>>()?;
        ensure!(addresses.iter().all(|of| kind(*of) == record.kind), "{record:?} holds other addresses");
        let mark = format!("{HERITAGE},{OWNER}{},{RESOURCE}{}", record.owner, record.resource);
        replace(self, record, &addresses, &mark).await
    }

    async fn withdraw(&self, record: &Record) -> Result<()> {
        replace(self, record, &[], "").await
    }
}

async fn replace(dns: &Dns, record: &Record, addresses: &[IpAddr], mark: &str) -> Result<()> {
    if !dns.serves(&record.name) {
        bail!("{} is of another zone", record.name);
    }
    let of_this_kind = |address| kind(address) == record.kind;
    dns.replace(&record.name, of_this_kind, addresses, record.ttl, mark).await;
    Ok(())
}

fn kind(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "A" } else { "AAAA" }
}

/// Nobody's if there is no mark.
fn marked(text: &str, what: &str) -> String {
    let marks = text.strip_prefix(HERITAGE).unwrap_or_default();
    marks.split(',').find_map(|mark| mark.strip_prefix(what)).unwrap_or_default().to_owned()
}
