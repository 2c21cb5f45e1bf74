//! A claim that waits: it gets its place in its turn, or is told its place in the line, or leaves it.
//!
//! Must never: keep in the line what shall not wait; end as queued without having looked once more after its claim said so.

use super::Run;
use crate::{
    documents::claims::Check,
    domain::{
        claim::Wish,
        report::{Outcome, Status},
        scope::Scope,
    },
    engine::{Holding, Removed, handle::CLAIM},
    providers::Provider,
    settings::WhenFull,
    steps::Board,
};
use anyhow::Result;
use std::{collections::BTreeSet, net::Ipv4Addr};

impl Run<'_> {
    /// waiting -> held. An outcome: it did not come to that.
    pub(super) async fn hold(&mut self, provider: &dyn Provider, scope: &Scope) -> Result<Option<Outcome>> {
        let (engine, pools) = (self.engine, &self.engine.protocol.pools);
        let shared = engine.patiently(async || self.shares_a_host(scope).await);
        if let Some(why) = shared.await? {
            return Ok(Some(Outcome::Refused { why }));
        }
        let (mut freed, mut has_said, mut in_use) = (None, false, BTreeSet::new());
        loop {
            let fence = &mut self.fence;
            let holding = engine.patiently(async || {
                in_use = provider.in_use(scope).await?;
                pools.hold(fence, &in_use).await
            });
            let holding = holding.await?;
            // There may have been more than it takes itself; and who is superseded takes nothing of what it has freed.
            if freed == Some(true) && !matches!(holding, Holding::Full(_)) {
                self.hand_over(&in_use).await;
            }
            let why = match holding {
                Holding::Held(_) => return Ok(None),
                Holding::Superseded => return Ok(Some(Outcome::Superseded)),
                Holding::Full(why) => why,
            };
            if let Some(place) = self.fence.claim().place().filter(|_| freed.is_none()) {
                freed = Some(engine.make_room(place).await);
                if freed == Some(true) {
                    continue;
                }
            }
            let status = if engine.when_full == WhenFull::Fail { Status::Failed } else { Status::Running };
            self.telling.phase(CLAIM, status, why.to_string(), self.now());
            match engine.when_full {
                WhenFull::Fail => return Ok(Some(Outcome::PoolFull { why })),
                WhenFull::Wait => {
                    self.tell_place(&in_use).await;
                    pools.clock.pass(engine.retry.vigil).await;
                }
                // First the claim says that nobody is at it any more, then it is looked once more: whoever frees looks at the
                // claims after having freed, so one of the two sees the other.
                WhenFull::Queue if !has_said => match self.reporting(Outcome::Queued).await? {
                    Outcome::Queued => has_said = true,
                    outcome => return Ok(Some(outcome)),
                },
                WhenFull::Queue => {
                    self.tell_place(&in_use).await;
                    self.hand_over(&in_use).await;
                    return Ok(Some(Outcome::Queued));
                }
            }
        }
    }

    /// Where it stands in the line. What cannot be read is not told.
    async fn tell_place(&self, in_use: &BTreeSet<Ipv4Addr>) {
        match self.engine.lines(in_use).await {
            Ok(lines) => {
                let queue = self.engine.in_line(self.fence.claim(), &lines);
                self.telling.say(|report| report.queue = queue);
            }
            Err(error) => tracing::warn!("its place in the line could not be read: {error:#}"),
        }
    }

    /// To whoever is next, by the same look.
    async fn hand_over(&self, in_use: &BTreeSet<Ipv4Addr>) {
        let in_use = async || Ok(in_use.clone());
        self.engine.hand_over(self.fence.claim().holder(), in_use, self.telling).await;
    }

    /// waiting -> gone: who shall not wait, or may not be brought up, takes no place in the line. Nothing of it was made.
    pub(super) async fn leaves_the_line(mut self, because: Outcome) -> Result<Outcome> {
        let draining = self.fence.claim().clone().wishing(Wish::Down).draining(self.now())?;
        let claims = &self.engine.protocol.pools.claims;
        if claims.advance(&mut self.fence, draining).await? == Check::Superseded {
            return Ok(Outcome::Superseded);
        }
        match self.removed(&Board::default()).await? {
            Removed::Superseded => Ok(Outcome::Superseded),
            Removed::UpAgain => Ok(because),
            Removed::Cooling(_) => {
                self.free().await?;
                Ok(because)
            }
        }
    }

    /// Why not, if another environment has one of its names. Asked after the claim with these names was written: of two
    /// that want the same, one at least sees the other.
    async fn shares_a_host(&self, scope: &Scope) -> Result<Option<String>> {
        let others = self.engine.protocol.pools.claims.readable().await?;
        let shared = others.iter().filter(|other| other.name() != scope.name).find_map(|other| {
            let host = scope.hosts.all().find(|host| other.removal().hosts.contains(host))?;
            Some(format!(
                "{host} leads to the environment of {} already; call one of `hosts` otherwise",
                other.holder()
            ))
        });
        Ok(shared)
    }
}
