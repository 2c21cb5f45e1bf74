//! What a sweep does to each claim, and to what nobody claims. Pure.
//!
//! Must never: have something go whose holder may want it, unless its time is over; judge a half for the whole.

use super::{Action, Found, Fuse, Line, On, Orphan, Plan, Rules, Trace};
use crate::domain::{
    claim::{Claim, State},
    holder::Holder,
    intent::{Ids, Intent, Occasion, Then, Wanted, Why, decide},
    names::EnvironmentName,
    swept::{Blown, Mark},
    time::{moment, span},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// So many environments of others are told by name.
const TOLD: usize = 10;
/// Two sweeps that are to agree are at least so far apart.
const APART: SignedDuration = SignedDuration::from_mins(10);

/// See the module.
pub(super) struct Judge<'a> {
    found: &'a Found,
    rules: &'a Rules<'a>,
    now: Timestamp,
    marks: BTreeMap<EnvironmentName, Mark>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(found: &'a Found, rules: &'a Rules<'a>, now: Timestamp) -> Self {
        Self { found, rules, now, marks: BTreeMap::new() }
    }

    /// Line by line.
    pub(super) fn plan(mut self) -> Plan {
        let found = self.found;
        let mut left: BTreeMap<&EnvironmentName, Vec<&Trace>> = BTreeMap::new();
        for trace in &found.traces {
            left.entry(&trace.name).or_default().push(trace);
        }
        let mut lines = Vec::new();
        for claim in &found.claims {
            let traces = left.remove(&claim.name()).unwrap_or_default();
            lines.extend(self.claimed(claim, &traces));
        }
        for (name, why) in &found.unreadable {
            // Whatever it says, it is claimed.
            left.remove(name);
            lines.push(line(Action::Unknown, name.to_string(), why.clone(), On::Nothing));
        }
        let orphans = left.len();
        lines.extend(left.into_iter().map(|(name, traces)| self.orphan(name, &traces)));
        lines.extend(found.unseen.iter().map(|(place, why)| {
            line(
                Action::Unknown,
                place.clone(),
                format!("what is left there is not known: {why}"),
                On::Nothing,
            )
        }));
        if !found.others.is_empty() {
            let names: Vec<&str> = found.others.iter().take(TOLD).map(AsRef::as_ref).collect();
            let more = if found.others.len() > TOLD { ", ..." } else { "" };
            let why = format!("the claims of another store are for it: {}{more}", names.join(", "));
            let what = match found.others.len() {
                1 => "1 environment of another installation".to_owned(),
                many => format!("{many} environments of another installation"),
            };
            lines.push(line(Action::Report, what, why, On::Nothing));
        }
        lines.extend(found.foreign.iter().map(|what| {
            line(Action::Report, what.clone(), "no claim of ours: left alone".to_owned(), On::Nothing)
        }));
        lines.sort_by(|a, b| (a.action, &a.what).cmp(&(b.action, &b.what)));
        let removals = lines.iter().filter(|line| line.action == Action::Remove).count();
        let of = found.claims.len() + found.unreadable.len() + orphans;
        let Fuse { limit, percent } = self.rules.fuse;
        let is_blown = removals > limit as usize && removals * 100 > of * usize::from(percent);
        let blown = is_blown.then_some(Blown { removals, of });
        Plan { lines, removals, of, blown, marks: self.marks }
    }

    /// `None`: all is well.
    fn claimed(&mut self, claim: &Claim, traces: &[&Trace]) -> Option<Line> {
        let (now, holder) = (self.now, claim.holder());
        let say =
            |action, why: String| Some(line(action, holder.to_string(), why, On::Claimed(holder.clone())));
        let wanted = match self.found.wanted.get(&claim.name()) {
            Some(Ok(wanted)) => wanted.clone(),
            Some(Err(_)) if claim.goes_anyhow(now) => Wanted::Up(claim.head().cloned()),
            Some(Err(why)) => return say(Action::Unknown, why.clone()),
            None => return say(Action::Unknown, "nobody was asked what it wants".to_owned()),
        };
        let (is_closed, at) = (wanted == Wanted::Down, |time| moment(time, now));
        // Of no taking that is ever written.
        let ids = Ids { run: valid("sweep"), uid: valid("sweep") };
        let intent = decide(holder, Occasion::Sweep, wanted, Some(claim), ids, now, self.rules.terms);
        let then = match intent {
            Err(illegal) => return say(Action::Unknown, illegal.to_string()),
            Ok(Intent::Refuse { held_by }) => {
                return say(Action::Unknown, format!("its name is held by {held_by}"));
            }
            Ok(Intent::Leave(why)) => Then::Rest(why),
            Ok(Intent::Take(_, then)) => then,
        };
        match (then, claim.state()) {
            (Then::Rest(Why::Grace(until)), _) if claim.is_left_out() && is_closed => {
                say(Action::Close, format!("closed while it was not wanted: grace until {}", at(until)))
            }
            (Then::Rest(Why::Grace(until)), State::Held { closed_at: Some(closed), .. }) => {
                let why = if claim.is_left_out() { "not wanted since" } else { "closed" };
                say(Action::Keep, format!("{why} {}, grace until {}", at(*closed), at(until)))
            }
            (Then::Rest(Why::Grace(until)), _) => {
                say(Action::Close, format!("closed, and no event has said so: grace until {}", at(until)))
            }
            (Then::Rest(Why::Cooling(until)), _) => {
                say(Action::Keep, format!("gone, its addresses cool until {}", at(until)))
            }
            (Then::Rest(_), State::Held { closed_at: Some(_), .. }) => {
                say(Action::Reopen, "reopened, and no event has said so".to_owned())
            }
            (Then::Rest(_) | Then::Up, _) => self.wanted(claim, traces),
            (Then::Down, State::Draining { since, .. }) => {
                let held = traces.iter().find_map(|trace| Some((&trace.what, trace.held_by.as_ref()?)));
                let held = held.map_or(String::new(), |(what, by)| format!(": {what} is held by {by}"));
                say(Action::Resume, format!("draining {}{held}", self.since(*since)))
            }
            (Then::Down, State::Cooling { until, .. }) => say(
                Action::Free,
                match claim.going_since() {
                    None => format!("gone, cooled since {}", at(*until)),
                    Some(since) => {
                        format!("it had gone, and {} ago something of it was there still", self.since(since))
                    }
                },
            ),
            (Then::Down, State::Freeing { .. }) => say(Action::Free, "it was being freed".to_owned()),
            (Then::Down, State::Waiting { .. }) if claim.expires() > now => {
                say(Action::Remove, "closed while it waited".to_owned())
            }
            (Then::Down, State::Held { closed_at: Some(closed), .. }) if claim.expires() > now => {
                say(Action::Remove, format!("closed {}, its grace is over", at(*closed)))
            }
            (Then::Down, State::Held { .. }) if claim.expires() > now => {
                say(Action::Remove, "closed, and there is no grace".to_owned())
            }
            (Then::Down, State::Waiting { .. } | State::Held { .. }) => {
                let warned = if claim.is_warned() { ", people were warned" } else { "" };
                say(Action::Remove, format!("lifetime over since {}{warned}", at(claim.expires())))
            }
        }
    }

    /// It shall stand: whether it does, and for how long.
    fn wanted(&mut self, claim: &Claim, traces: &[&Trace]) -> Option<Line> {
        let (now, holder) = (self.now, claim.holder());
        let say =
            |action, why: String| Some(line(action, holder.to_string(), why, On::Claimed(holder.clone())));
        if let (State::Waiting { .. }, Some(place)) = (claim.state(), claim.place())
            && !self.rules.places.contains_key(place)
        {
            let why = format!(
                "it waits for {place}, which the platform file does not have: its next event finds it a place"
            );
            return say(Action::Unknown, why);
        }
        let State::Held { .. } = claim.state() else { return None };
        let Some(reported) = claim.outcome() else {
            if claim.taken_at().saturating_add(self.rules.stuck).is_ok_and(|at| at <= now) {
                let by = claim.job().map_or("its run".to_owned(), ToString::to_string);
                return say(
                    Action::Start,
                    format!("starting {}, and {by} has not said how it went", self.since(claim.taken_at())),
                );
            }
            return None;
        };
        let has_objects = !claim.removal().objects.is_empty();
        // Of what was told to stand before this sweep began to look.
        if has_objects
            && self.found.looked.contains(&(claim.removal().provider, claim.removal().context.clone()))
            && traces.iter().all(|trace| trace.object.is_none())
            && reported.at < self.found.began
            && reported.stood()
        {
            let (name, seen) = (claim.name(), BTreeSet::from([format!("nothing of {}", claim.uid())]));
            return match self.agrees(&name, seen) {
                Some(_) => say(Action::Start, "nothing of it is there any more, and it is wanted".to_owned()),
                None => say(
                    Action::Mark,
                    "nothing of it is there, and it stood; it is started anew if that stays so".to_owned(),
                ),
            };
        }
        // What failed has told its end where it told why.
        if !claim.is_warned() && reported.stood() && claim.warns_at(self.rules.warn) <= now {
            return say(Action::Warn, format!("its lifetime is over at {}", moment(claim.expires(), now)));
        }
        None
    }

    fn orphan(&mut self, name: &EnvironmentName, traces: &[&Trace]) -> Line {
        let first = traces.first().map_or(String::new(), |trace| trace.what.clone());
        let what = match traces.len() {
            0 | 1 => first,
            more => format!("{first} and {} more", more - 1),
        };
        let holders: BTreeSet<String> =
            traces.iter().filter_map(|trace| trace.holder.as_ref()).map(ToString::to_string).collect();
        let is_named = |trace: &&Trace| trace.holder.as_ref().is_none_or(|holder| holder.name() == *name);
        if holders.len() > 1 || !traces.iter().all(is_named) {
            let why = "its marks contradict each other: left alone".to_owned();
            return line(Action::Report, what, why, On::Nothing);
        }
        // What goes, goes by its names, which are theirs as well.
        if self.found.others.contains(name) {
            let why = "ours, and no claim says whose; another installation has an environment of that name: left alone";
            return line(Action::Report, what, why.to_owned(), On::Nothing);
        }
        let has_objects = traces.iter().any(|trace| trace.object.is_some());
        if self.found.used.contains(name) && !has_objects {
            let why = "ours, and no claim says whose; a live cluster that is not ours has an address of that name: left alone";
            return line(Action::Report, what, why.to_owned(), On::Nothing);
        }
        let holder = traces.iter().find_map(|trace| trace.holder.clone());
        let holder = holder.unwrap_or_else(|| Holder::Named(name.clone()));
        let wanted = self.found.wanted.get(name);
        match wanted {
            Some(Ok(Wanted::Down | Wanted::LeftOut)) => {}
            Some(Ok(Wanted::Up(_))) => {
                let why = format!(
                    "ours, its claim is lost, and {holder} is open: left alone, its next event claims it"
                );
                return line(Action::Report, what, why, On::Nothing);
            }
            Some(Err(why)) => {
                self.remembers(name);
                return line(Action::Unknown, what, why.clone(), On::Nothing);
            }
            None => {
                return line(
                    Action::Unknown,
                    what,
                    format!("nobody was asked what {holder} wants"),
                    On::Nothing,
                );
            }
        }
        let seen = traces.iter().map(|trace| format!("{} {}", trace.what, trace.id)).collect();
        match self.agrees(name, seen) {
            // What nobody could look at may be the other half of it.
            Some(_) if !self.found.unseen.is_empty() => {
                let why =
                    "ours, and no claim says whose; it stays while not all could be looked at".to_owned();
                line(Action::Mark, what, why, On::Nothing)
            }
            None => {
                let again = self.marks.get(name).map_or(self.now, |mark| mark.since).saturating_add(APART);
                let after = moment(again.unwrap_or(self.now), self.now);
                let why = format!("ours, and no claim says whose; removed if still so after {after}");
                line(Action::Mark, what, why, On::Nothing)
            }
            Some(since) => {
                let objects = traces.iter().filter_map(|trace| trace.object.clone()).collect();
                let why = format!("ours, and no claim has said whose since {}", moment(since, self.now));
                line(Action::Remove, what, why, On::Orphan(Orphan { holder, objects }))
            }
        }
    }

    /// Since when an earlier sweep has seen all of this, if that was long enough ago. It is marked in any case.
    fn agrees(&mut self, name: &EnvironmentName, seen: BTreeSet<String>) -> Option<Timestamp> {
        let known = self.found.last.as_ref().and_then(|last| last.marks.get(name));
        let since = known.filter(|mark| mark.seen.is_superset(&seen)).map_or(self.now, |mark| mark.since);
        self.marks.insert(name.clone(), Mark { since, seen });
        since.saturating_add(APART).is_ok_and(|at| at <= self.now).then_some(since)
    }

    /// What nobody could judge now keeps the mark that it has.
    fn remembers(&mut self, name: &EnvironmentName) {
        let known = self.found.last.as_ref().and_then(|last| last.marks.get(name));
        self.marks.extend(known.map(|mark| (name.clone(), mark.clone())));
    }

    fn since(&self, at: Timestamp) -> String {
        span(self.now.duration_since(at).as_secs_f64())
    }
}

fn line(action: Action, what: String, why: String, on: On) -> Line {
    Line { action, what, why, on }
}

fn valid<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    text.parse().expect("a word of letters")
}
