//! What a sweep means, done: each thing by a run of its own.
//!
//! Must never: remove what somebody claims by now, or wants; go on with one because of another.

use super::{SIDE_BY_SIDE, Sweeper};
use crate::{
    documents::NotWritten,
    domain::{
        claim::{Claim, Removal},
        holder::Holder,
        intent::{Occasion, Wanted},
        report::{Outcome, Report},
        sweep::{Action, Line, On, Orphan, Plan},
    },
    engine::{Event, outcome_of},
};
use anyhow::{Context as _, Result};
use futures::{StreamExt as _, stream};
use std::collections::BTreeMap;

/// What came of claiming something that nobody claimed.
enum Adopted {
    /// It is claimed, and goes.
    Goes,
    /// It stays: why.
    Stays(String),
}

impl Sweeper {
    /// Side by side; what became of each, by the number of its line.
    pub(super) async fn act(
        &self,
        plan: &Plan,
        stop: impl Future<Output = u8> + Clone,
    ) -> BTreeMap<usize, Report> {
        let lines = plan.lines.iter().enumerate();
        // What is half gone goes on, whatever the fuse says.
        let lines = lines.filter(|(_, line)| line.action != Action::Remove || plan.blown.is_none());
        let each = lines.map(async |(number, line)| Some((number, self.one(line, stop.clone()).await?)));
        let ended: Vec<_> = stream::iter(each).buffer_unordered(SIDE_BY_SIDE).collect().await;
        ended.into_iter().flatten().collect()
    }

    /// `None`: there is nothing to do.
    async fn one(&self, line: &Line, stop: impl Future<Output = u8>) -> Option<Report> {
        let swept = |holder: &Holder| Event { holder: holder.clone(), occasion: Occasion::Sweep };
        match (line.action, &line.on) {
            (
                Action::Remove | Action::Resume | Action::Free | Action::Close | Action::Reopen,
                On::Claimed(holder),
            ) => Some(self.engine.handle(&swept(holder), stop).await),
            (Action::Remove, On::Orphan(orphan)) => {
                let outcome = match self.adopt(orphan).await {
                    Ok(Adopted::Goes) => return Some(self.engine.handle(&swept(&orphan.holder), stop).await),
                    Ok(Adopted::Stays(why)) => Outcome::Unconcerned { why },
                    Err(error) => outcome_of(&error),
                };
                Some(self.came(&orphan.holder, outcome))
            }
            _ => None,
        }
    }

    fn came(&self, holder: &Holder, outcome: Outcome) -> Report {
        let now = self.engine.protocol.pools.clock.now();
        Report { outcome: Some(outcome), ended: Some(now), ..Report::new(holder, now) }
    }

    /// Claims what is left of an environment, so that it goes like any other. Read the claim, then what is wanted, then write.
    async fn adopt(&self, Orphan { holder, objects }: &Orphan) -> Result<Adopted> {
        let (engine, protocol) = (&self.engine, &self.engine.protocol);
        let (name, claims) = (holder.name(), &protocol.pools.claims);
        let basis = engine.patiently(async || claims.read(&name).await).await?;
        if basis.claim().is_some() {
            return Ok(Adopted::Stays("it has a claim by now".to_owned()));
        }
        if matches!(holder, Holder::PullRequest(_) | Holder::MergeGroup { .. }) {
            let asked = engine.patiently(async || engine.wishes.of(holder, None).await).await?;
            if matches!(asked.wanted, Wanted::Up(_)) {
                return Ok(Adopted::Stays("it is wanted by now".to_owned()));
            }
        }
        let ground =
            self.grounds.iter().find(|ground| objects.iter().any(|one| one.context == ground.context));
        let ground = ground.or(self.grounds.first()).context("an orphan was found somewhere")?;
        let mut removal: Removal = (ground.removal)(holder)?;
        for found in objects {
            if found.context != removal.context {
                if !removal.elsewhere.contains(found) {
                    removal.elsewhere.push(found.clone());
                }
            } else if !removal.objects.contains(&found.object)
                && !removal.elsewhere.iter().any(|one| one.object == found.object)
            {
                removal.objects.push(found.object.clone());
            }
        }
        let ids = protocol.ids.take()?;
        let claim = Claim::of_orphan(holder.clone(), (ids.uid, ids.run), removal, protocol.pools.clock.now());
        match claims.take(basis, claim).await {
            Ok(_) => Ok(Adopted::Goes),
            Err(NotWritten::Conflict) => Ok(Adopted::Stays("it has a claim by now".to_owned())),
            Err(NotWritten::Unknown(error)) => Err(error.context(format!("could not claim {holder}"))),
        }
    }
}
