//! What should become of a claim: a function of why we look, the pull request as it is now, and the claim as it is now.
//!
//! An event gives identity and nothing else; it wakes a run, and the world decides. The sweep finishes
//! what goes and tidies up, but never starts an environment, nor goes on with one that a dead run has begun. Must never: look at what an event said of the pull request's state.

use super::{
    claim::{Cause, Claim, Illegal, Job, Removal, State, Wish},
    holder::Holder,
    names::{ClaimUid, HeadSha, PlaceName, RunId},
};
use jiff::{SignedDuration, Timestamp};

/// Why we look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// Something happened to the holder.
    Event,
    /// The time has come to look at everything.
    Sweep,
    /// Somebody asked for it by hand, whatever the filters say.
    UpNow,
    /// Somebody asked for its removal, without grace.
    DownNow,
}

/// What the holder wants now, as its origin says (for a pull request, GitHub): read after the claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// An environment at this commit.
    Up(Option<HeadSha>),
    /// None: closed, over, not asked for.
    Down,
    /// None, though it is open: it is left out, as only those know who have its files. So it stays until they say otherwise.
    LeftOut,
}

/// The terms on which environments live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// Of an environment, from its creation.
    pub life: SignedDuration,
    /// Between close and removal.
    pub grace: SignedDuration,
    /// Between removal and reuse of its addresses.
    pub reuse_after: SignedDuration,
    /// For a claim that is made now.
    pub removal: Removal,
    /// Where what is brought up has its place; `None`: nobody counts.
    pub place: Option<PlaceName>,
    /// Which job this is, if it is one.
    pub job: Option<Job>,
}

/// What is to be done.
#[allow(clippy::large_enum_variant, reason = "one of them a run; a box would only be noise")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intent {
    /// Write this claim over the one that was read, then go on.
    Take(Claim, Then),
    /// Nothing, and rightly.
    Leave(Why),
    /// Another holder has the name.
    Refuse {
        /// Who.
        held_by: Holder,
    },
}

/// What follows a successful taking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Bring it up.
    Up,
    /// Bring it down, or go on with that.
    Down,
    /// Nothing yet.
    Rest(Why),
}

/// Why nothing is to be done now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no claim, and none is wanted.
    NothingThere,
    /// It is wanted, and no event asks for more.
    Wanted,
    /// Closed; removed at this time unless reopened.
    Grace(Timestamp),
    /// Removed; its addresses are free at this time.
    Cooling(Timestamp),
}

/// The ids that a taking would bear; made anew for each try, so that two takings never look alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ids {
    /// Of the taking.
    pub run: RunId,
    /// Of a claim, should one be made.
    pub uid: ClaimUid,
}

/// Decides. `Illegal` cannot come of this table; it is returned rather than asserted, so that a mistake in it stops a
/// run and not the process.
pub fn decide(
    holder: &Holder,
    occasion: Occasion,
    wanted: Wanted,
    claim: Option<&Claim>,
    ids: Ids,
    now: Timestamp,
    terms: &Terms,
) -> Result<Intent, Illegal> {
    let Some(claim) = claim else {
        return Ok(match (occasion, wanted) {
            (Occasion::Event | Occasion::UpNow, Wanted::Up(head)) => {
                let ids = (ids.uid, ids.run);
                let claim = Claim::first(holder.clone(), ids, head, terms.removal.clone(), now, terms.life);
                let claim = claim.by(terms.job.clone()).at(terms.place.clone());
                Intent::Take(by_hand(claim, occasion), Then::Up)
            }
            _ => Intent::Leave(Why::NothingThere),
        });
    };
    if claim.holder() != holder {
        return Ok(Intent::Refuse { held_by: claim.holder().clone() });
    }
    // The sweep knows of open and closed alone.
    let wanted = match wanted {
        Wanted::Up(_) if occasion == Occasion::Sweep && claim.is_left_out() => Wanted::LeftOut,
        other => other,
    };
    let is_left_out = wanted == Wanted::LeftOut;
    let ours = claim.taken(ids.run, now).leaving_out(is_left_out);
    // Whoever sweeps works for nobody: run once more, its job would bring nobody up.
    let ours = if occasion == Occasion::Sweep { ours } else { ours.by(terms.job.clone()) };
    let expired = claim.expires() <= now;
    Ok(match (occasion, wanted) {
        (Occasion::Event | Occasion::UpNow, Wanted::Up(head)) => {
            let ours = by_hand(ours, occasion).at(terms.place.clone());
            let ours = ours.wishing(Wish::Up).wanting(head).made_by(&terms.removal);
            // What is built anew has a whole life before it, or the next sweep would find its time over;
            // what stands keeps the life that it has.
            let anew = |ours: Claim| ours.expiring(now.saturating_add(terms.life).unwrap_or(Timestamp::MAX));
            match claim.state() {
                // Its time is over: it goes, and the carried wish brings it up anew.
                State::Waiting { .. } | State::Held { .. } if expired => {
                    Intent::Take(anew(ours).draining(now)?.because(Cause::Expired), Then::Down)
                }
                State::Waiting { .. } => Intent::Take(ours, Then::Up),
                State::Held { .. } => Intent::Take(ours.reopened()?, Then::Up),
                State::Cooling { .. } => Intent::Take(anew(ours).revived(now)?, Then::Up),
                State::Draining { .. } | State::Freeing { .. } => Intent::Take(anew(ours), Then::Down),
            }
        }
        (Occasion::Sweep, Wanted::Up(_)) => match claim.state() {
            State::Waiting { .. } | State::Held { .. } if expired => {
                let ours = ours.wishing(Wish::Down).draining(now)?;
                Intent::Take(ours.because(Cause::Expired), Then::Down)
            }
            // Its reopening went unheard: without this, the next close would find a grace long over.
            State::Held { closed_at: Some(_), .. } => {
                Intent::Take(ours.wishing(Wish::Up).reopened()?, Then::Rest(Why::Wanted))
            }
            State::Waiting { .. } | State::Held { .. } => Intent::Leave(Why::Wanted),
            State::Draining { .. } | State::Freeing { .. } => Intent::Take(ours, Then::Down),
            State::Cooling { until, .. } => finish(ours, *until, now),
        },
        (Occasion::Event | Occasion::UpNow | Occasion::Sweep, Wanted::Down | Wanted::LeftOut) => {
            let ours = ours.wishing(Wish::Down);
            let cause = match is_left_out {
                _ if expired => Cause::Expired,
                true => Cause::LeftOut,
                false => Cause::Closed,
            };
            match claim.state() {
                State::Held { closed_at, .. } if !expired => {
                    let over = closed_at.unwrap_or(now).saturating_add(terms.grace).unwrap_or(Timestamp::MAX);
                    match closed_at {
                        _ if over <= now => Intent::Take(ours.draining(now)?.because(cause), Then::Down),
                        None => Intent::Take(ours.closed(now)?, Then::Rest(Why::Grace(over))),
                        Some(_) if claim.is_left_out() == is_left_out => Intent::Leave(Why::Grace(over)),
                        Some(_) => Intent::Take(ours, Then::Rest(Why::Grace(over))),
                    }
                }
                // What waits has nothing that a grace could keep.
                State::Waiting { .. } | State::Held { .. } => {
                    Intent::Take(ours.draining(now)?.because(cause), Then::Down)
                }
                State::Draining { .. } | State::Freeing { .. } => Intent::Take(ours, Then::Down),
                State::Cooling { until, .. } => finish(ours, *until, now),
            }
        }
        (Occasion::DownNow, _) => {
            let ours = ours.wishing(Wish::Down);
            match claim.state() {
                State::Waiting { .. } | State::Held { .. } => {
                    Intent::Take(ours.draining(now)?.because(Cause::AskedFor), Then::Down)
                }
                State::Draining { .. } | State::Freeing { .. } => Intent::Take(ours, Then::Down),
                State::Cooling { until, .. } => finish(ours, *until, now),
            }
        }
    })
}

/// What was asked for by hand is wanted as long as it lives.
fn by_hand(claim: Claim, occasion: Occasion) -> Claim {
    if occasion == Occasion::UpNow { claim.asked_for() } else { claim }
}

/// Whoever meets a claim whose cooling is over may finish it.
fn finish(ours: Claim, until: Timestamp, now: Timestamp) -> Intent {
    if until <= now { Intent::Take(ours, Then::Down) } else { Intent::Leave(Why::Cooling(until)) }
}
