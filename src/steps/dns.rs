//! The names lead to the environment: every authoritative server says so, then every resolver; undone: what asks for records
//! there is deleted, and the records were seen gone.
//!
//! That comes before the cluster goes, for with it goes who would take the records away. Must never: ask a resolver before
//! the authoritative servers agree; call a name gone for which somebody gave no answer.

use super::{Context, DEPLOY, DNS, InsideStep};
use crate::{
    clients::{
        Failure, Kind,
        dns::{Dns, Picture, Zone},
        kubernetes::{Area, Deletion, Dependents, Kubernetes, Seen, Survey},
    },
    clock::Rhythm,
    domain::{names::DnsName, plan::Spec},
    errors::{Exit, UserError},
    progress::{Progress, Wait},
    providers::{Access, Witness as _},
};
use anyhow::Result;
use async_trait::async_trait;
use futures::future::try_join_all;
use std::{collections::BTreeSet, net::IpAddr, sync::Arc, time::Duration};

/// DNS cannot be watched.
const ASKING: Duration = Duration::from_secs(2);

/// See the module.
pub struct Names {
    patience: Duration,
    /// `None`: environments have no names here.
    dns: Option<Arc<Dns>>,
    asking: Rhythm,
}

#[async_trait(?Send)]
impl InsideStep for Names {
    fn spec(&self) -> Spec {
        Spec { name: DNS, needs: &[DEPLOY], patience: self.patience }
    }

    async fn ensure(&self, cx: &Context<'_>, _: &Access) -> Result<Progress> {
        let (hosts, Some(block)) = (cx.scope.hosts.all().collect::<Vec<_>>(), cx.scope.addresses) else {
            return Ok(Progress::done("it has no address"));
        };
        if hosts.is_empty() {
            return Ok(Progress::done("it has no name"));
        }
        let dns = self.dns(hosts[0])?;
        // Its API server's and its machine's both lead to it.
        let wanted: BTreeSet<IpAddr> = block.addresses().map(IpAddr::from).collect();
        let pictures = try_join_all(hosts.iter().map(async |host| {
            let zone = zone(dns, host).await?;
            zone.look(host, &wanted).await.map_err(|failure| looking(host, failure))
        }));
        let pictures = pictures.await?;
        match pictures.iter().find(|picture| !picture.is_there()) {
            Some(silent) if silent.is_unknown() => Err(unanswered(silent)),
            Some(behind) => Ok(Progress::Waiting(self.again(cx, behind))),
            None => {
                self.asking.rest();
                Ok(Progress::done(pictures[0].to_string()))
            }
        }
    }

    async fn remove(&self, cx: &Context<'_>, inside: &Access) -> Result<Progress> {
        let (surveys, gone) = (sources(&inside.kubernetes).await?, "what asks for records");
        // Looked at, then the claim, then exactly what was seen.
        cx.guard.look().await?;
        let mut going = Vec::new();
        for seen in surveys.iter().flat_map(|survey| survey.seen.clone()) {
            // All that is in there is the environment's own, whoever made it.
            match inside.kubernetes.writer(cx.fence).delete_anyones(&seen, Dependents::Later).await? {
                Deletion::UnderWay => going.push(seen),
                Deletion::Absent | Deletion::Foreign(_) => {}
            }
        }
        if !going.is_empty() {
            return Ok(Progress::Waiting(Seen::any_changed(&going, format!("{gone} to be gone"))));
        }
        match self.left(cx).await? {
            Some(Wait { on, wake }) => {
                // What a superseded run had under way may still come, and would keep the names.
                let mut waits = vec![Wait { on: String::new(), wake }];
                waits.extend(surveys.into_iter().map(|survey| survey.changed("")));
                Ok(Progress::Waiting(Wait { on, ..Wait::any(waits) }))
            }
            // Before that, a source of a superseded run could still come, and outlive everybody who could take its record.
            None if cx.clock.now() < cx.quiet => {
                let left = cx.quiet.duration_since(cx.clock.now()).unsigned_abs();
                let on = "an earlier run to have nothing under way";
                Ok(Progress::Waiting(Wait::new(on, cx.clock.passed(left))))
            }
            None => Ok(Progress::done("its names are gone")),
        }
    }

    /// Whoever took the records away lived in the environment: if it could not before that went, the addresses wait.
    async fn remains(&self, cx: &Context<'_>) -> Result<Option<String>> {
        Ok(self.left(cx).await?.map(|left| left.on))
    }
}

impl Names {
    /// Whom environments have their names from.
    pub fn new(patience: Duration, dns: Option<Arc<Dns>>) -> Self {
        Self { patience, dns, asking: Rhythm::new(ASKING) }
    }

    fn dns(&self, host: &DnsName) -> Result<&Dns> {
        self.dns.as_deref().ok_or_else(|| {
            UserError::usage(format!("nobody says who is to be asked for {host}"))
                .hint("set `dns.resolvers` in the platform file")
                .into()
        })
    }

    fn again(&self, cx: &Context<'_>, on: impl std::fmt::Display) -> Wait {
        Wait::new(on, self.asking.next(cx.clock))
    }

    /// `None`: every authoritative server says that none of its names leads to it.
    async fn left(&self, cx: &Context<'_>) -> Result<Option<Wait>> {
        let hosts = &cx.scope.removal.hosts;
        let Some(first) = hosts.first() else { return Ok(None) };
        let dns = self.dns(first)?;
        let pictures = try_join_all(hosts.iter().map(async |host| {
            let zone = zone(dns, host).await?;
            zone.look_for_absence(host).await.map_err(|failure| looking(host, failure))
        }));
        let pictures = pictures.await?;
        let gone = hosts.iter().zip(&pictures).filter(|(_, picture)| picture.is_gone());
        gone.for_each(|(host, picture)| cx.gone(host.as_ref(), &picture.denial()));
        match pictures.iter().find(|picture| !picture.is_gone()) {
            Some(silent) if silent.is_unknown() => Err(unanswered(silent)),
            left => Ok(left.map(|left| self.again(cx, left))),
        }
    }
}

/// Asked for by the domain above the name: there is no zone of the name's own.
async fn zone(dns: &Dns, host: &DnsName) -> Result<Zone> {
    let above = host.as_ref().split_once('.').and_then(|(_, above)| above.parse().ok());
    let domain: DnsName = above.unwrap_or_else(|| host.clone());
    dns.zone(&domain).await.map_err(|failure| looking(host, failure))
}

/// Silence is no answer: not that the name is there, nor that it is not.
fn unanswered(picture: &Picture) -> anyhow::Error {
    let failure = Failure { kind: Kind::Unavailable { wait: None }, detail: picture.to_string() };
    let failed = UserError::new(Exit::Unknown, "could not find out where the environment's name leads");
    let hint = picture.hint().unwrap_or_else(|| "can its servers be reached from here?".to_owned());
    anyhow::Error::new(failure).context(failed.hint(hint))
}

fn looking(host: &DnsName, failure: Failure) -> anyhow::Error {
    let hint = match failure.kind {
        Kind::Invalid => "`dns.domain` must be below a domain that exists, and `dns.resolvers` must know it",
        _ => "can the resolvers of `dns.resolvers` be reached from here, over UDP and TCP?",
    };
    let message = format!("could not find out where {host} leads");
    anyhow::Error::new(failure).context(UserError::new(Exit::Unknown, message).hint(hint))
}

/// All that external-dns makes records of.
async fn sources(environment: &Kubernetes) -> Result<Vec<Survey>> {
    let kinds = [("networking.k8s.io/v1", "Ingress"), ("externaldns.k8s.io/v1alpha1", "DNSEndpoint")];
    let areas = kinds.map(|(api_version, kind)| Area::of(api_version, kind));
    try_join_all(areas.iter().map(|area| environment.survey(area))).await
}
