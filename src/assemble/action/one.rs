//! What is done to one environment, and where it is told.
//!
//! Must never: judge a commit by a run that only tells something once more.

use super::{
    Sinks, Stage,
    task::{Look, One, What},
};
use crate::{
    assemble,
    clients::github::GitHub,
    domain::{
        holder::Holder,
        intent::{Occasion, Wanted},
        report::{Outcome, Report},
    },
    engine::{Declined, Engine, Event, Extended, Pulls, Said, Wishes},
    reporters::Reporters,
    settings::Settings,
    steps::tests,
};
use anyhow::Result;
use std::sync::Arc;

impl Stage<'_> {
    /// To its end.
    pub(super) async fn one(
        &self,
        one: One,
        settings: &Settings,
        github: GitHub,
        stop: impl Future<Output = u8> + Clone,
    ) -> Result<Report> {
        let One { holder, what } = one;
        let sinks = Sinks::of(self);
        let whose = Some(holder.clone());
        let all = || self.terminal().with(sinks.all(Some(&github), &whose, Some(settings)));
        let again = || self.terminal().with(sinks.told_again(&github, &holder, settings));
        // All but an Up needs no more than the claim says.
        let bare = assemble::bare(settings);
        let by_hand = |wanted| -> Arc<dyn Wishes> { Arc::new(Said::new(wanted)) };
        Ok(match what {
            What::Look(look) => {
                let (occasion, extends) = (look.occasion, look.extends);
                let engine = self
                    .engine(settings, &holder, all(), &github, self.wishes(settings, &github, look))
                    .await?;
                if let Some(by) = extends {
                    engine.extend(&holder, by).await?;
                }
                engine.handle(&Event { holder, occasion }, stop).await
            }
            What::Retest(look) => {
                let wishes = self.wishes(settings, &github, look);
                let engine = self.engine(settings, &holder, all(), &github, wishes).await?;
                let pools = &engine.protocol.pools;
                if let Some(head) = pools.claim(&holder.name()).await?.as_ref().and_then(|claim| claim.head())
                {
                    tests::mend(pools.claims.store(), &holder.name(), |history| history.without(head))
                        .await?;
                }
                engine.handle(&Event { holder, occasion: Occasion::Event }, stop).await
            }
            What::Down(occasion) => {
                let engine = self.engine(&bare, &holder, all(), &github, by_hand(Wanted::Down)).await?;
                engine.handle(&Event { holder, occasion }, stop).await
            }
            What::HandIn(head, results) => {
                let engine = self.engine(&bare, &holder, all(), &github, by_hand(Wanted::Down)).await?;
                engine.hand_in(&holder, &head, &results, stop).await
            }
            What::TellAgain => {
                let engine = self.engine(&bare, &holder, again(), &github, by_hand(Wanted::Down)).await?;
                engine.tell_again(&holder, stop).await
            }
            What::Extend(by) => {
                let engine = self.engine(&bare, &holder, again(), &github, by_hand(Wanted::Down)).await?;
                let extended = tokio::select! {
                    biased;
                    signal = stop.clone() => return Err(Declined(Outcome::Interrupted { signal }).into()),
                    extended = engine.extend(&holder, by) => extended?,
                };
                match extended {
                    Extended::Until(_) => engine.tell_again(&holder, stop).await,
                    Extended::Nothing => {
                        let why = "there is no environment that could live longer".to_owned();
                        self.told(&whose, Outcome::Unconcerned { why }, again()).await
                    }
                }
            }
        })
    }

    fn wishes(&self, settings: &Settings, github: &GitHub, look: Look) -> Arc<dyn Wishes> {
        let filters = || (settings.app.filter.clone(), settings.app.skip.clone());
        Arc::new(Pulls {
            github: github.clone(),
            admitted: look.is_filtered.then(filters),
            at: look.at,
            forks: look.forks,
        })
    }

    async fn engine(
        &self,
        settings: &Settings,
        holder: &Holder,
        reporters: Reporters,
        github: &GitHub,
        wishes: Arc<dyn Wishes>,
    ) -> Result<Engine> {
        let github = Some(github.clone());
        let outside =
            assemble::outside(settings, self.environment, reporters, github, |_, _| Ok(wishes)).await?;
        assemble::engine(settings, holder, outside)
    }
}
