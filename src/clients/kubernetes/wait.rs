//! Waiting until objects are as they should be: look, judge, and follow the watch from that look; where it ends, look
//! again.
//!
//! A server that says when to come again is asked again then, and one that ends a watch without a word is given a moment.
//! Must never: poll; end before its time because a watch ended; end late without saying what was seen last.

use super::{
    Kubernetes, Seen,
    failed::Failed,
    watch::{Change, PACE, Watch, Watched, late},
};
use crate::{clients::Kind, domain::claim::ObjectName};
use anyhow::Result;
use futures::{
    StreamExt,
    future::{Either, pending, select},
    stream,
};
use std::{pin::pin, time::Duration};

/// What a judge says of what was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Judgement {
    /// It is as it should be.
    Met,
    /// What is still lacking, for people.
    Lacking(String),
}

/// Why a look is followed no further.
enum Ended {
    /// By the judge.
    Judged(anyhow::Error),
    /// Something could not be looked at.
    Unread(Vec<Failed>),
    /// A new look is due; whether anything has been told since this one.
    Over { told: bool },
}

/// What a watch tells.
enum Told {
    Change(Change),
    /// A CRD has brought the kind that was not served.
    Brought,
    /// Nothing more.
    Over,
}

impl Kubernetes {
    /// Until `judge` finds these objects as they should be; an error of its own ends the wait. `on` says what is waited
    /// for. When `within` has passed, the error tells what was lacking last.
    pub async fn wait_until(
        &self,
        names: &[ObjectName],
        on: &str,
        within: Duration,
        mut judge: impl FnMut(&[Seen]) -> Result<Judgement>,
    ) -> Result<Vec<Seen>> {
        let mut last = "nothing has been seen so far".to_owned();
        let ended = {
            let met = |seen: &[Seen], last: &mut String| match judge(seen)? {
                Judgement::Met => Ok(true),
                Judgement::Lacking(what) => {
                    *last = what;
                    Ok(false)
                }
            };
            let followed = pin!(self.follow(names, met, &mut last));
            // The clock first: it runs from its first poll on.
            match select(pin!(self.clock.pass(within)), followed).await {
                Either::Left(_) => None,
                Either::Right((ended, _)) => Some(ended),
            }
        };
        let doing = || format!("see {on} within {within:?}");
        ended.unwrap_or_else(|| Err(self.unread(vec![late(doing(), format!("what was seen last: {last}"))])))
    }

    async fn follow(
        &self,
        names: &[ObjectName],
        mut met: impl FnMut(&[Seen], &mut String) -> Result<bool>,
        last: &mut String,
    ) -> Result<Vec<Seen>> {
        loop {
            let failed = match self.follow_one_look(names, &mut |seen| met(seen, last)).await {
                Ok(seen) => return Ok(seen),
                Err(Ended::Judged(error)) => return Err(error),
                Err(Ended::Unread(failed)) => failed,
                Err(Ended::Over { told: true }) => continue,
                Err(Ended::Over { told: false }) => {
                    self.clock.pass(PACE).await;
                    continue;
                }
            };
            // As to the storage of a young CRD, whose watch is refused for a moment.
            let come_again = failed.iter().map(|one| match one.failure.kind {
                Kind::Unavailable { wait } => wait,
                _ => None,
            });
            match come_again.min().flatten() {
                Some(wait) => {
                    *last = failed.into_iter().next().map_or(String::new(), |one| one.to_string());
                    self.clock.pass(wait).await;
                }
                None => return Err(self.unread(failed)),
            }
        }
    }

    async fn follow_one_look(
        &self,
        names: &[ObjectName],
        met: &mut impl FnMut(&[Seen]) -> Result<bool>,
    ) -> Result<Vec<Seen>, Ended> {
        let mut seen = self.look_at(names).await.map_err(Ended::Unread)?;
        if met(&seen).map_err(Ended::Judged)? {
            return Ok(seen);
        }
        if seen.is_empty() {
            // There is nothing that could change.
            return pending().await;
        }
        let watches = Watched::of(&seen).into_iter().map(|watched| Box::pin(watched.told()));
        let mut watches = stream::select_all(watches);
        let mut told = false;
        while let Some(next) = watches.next().await {
            let change = match next.map_err(|failed| Ended::Unread(vec![failed]))? {
                Told::Change(change) => change,
                Told::Brought => return Err(Ended::Over { told: true }),
                Told::Over => break,
            };
            told = true;
            let Some(one) = seen.iter_mut().find(|one| one.name() == change.object.name()) else { continue };
            one.now((!change.gone).then_some(change.object));
            if met(&seen).map_err(Ended::Judged)? {
                return Ok(seen);
            }
        }
        Err(Ended::Over { told })
    }
}

impl Watched {
    /// All that the watch tells, and at last that it is over.
    fn told(self) -> impl stream::Stream<Item = Result<Told, Failed>> {
        enum Stage {
            Begin(Watched),
            Follow(Watch),
            End,
        }
        stream::unfold(Stage::Begin(self), |stage| async move {
            let mut watch = match stage {
                Stage::End => return None,
                Stage::Follow(watch) => watch,
                Stage::Begin(Watched::Kind { kubernetes, name }) => {
                    let brought = kubernetes.until_served(&name).await;
                    let told = brought.map(|brought| if brought { Told::Brought } else { Told::Over });
                    return Some((told, Stage::End));
                }
                Stage::Begin(Watched::Objects { kubernetes, look, .. }) => {
                    match Watch::open(&kubernetes, look).await {
                        Ok(Some(watch)) => watch,
                        Ok(None) => return Some((Ok(Told::Over), Stage::End)),
                        Err(failed) => return Some((Err(failed), Stage::End)),
                    }
                }
            };
            match watch.next().await {
                Ok(Some(change)) => Some((Ok(Told::Change(change)), Stage::Follow(watch))),
                Ok(None) => Some((Ok(Told::Over), Stage::End)),
                Err(failed) => Some((Err(failed), Stage::End)),
            }
        })
    }
}
