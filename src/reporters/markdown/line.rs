//! The comment of who waits in line: its place, who has what, what frees next and when. Pure.
//!
//! Must never: promise that it starts by itself where nobody can start it.

use super::{
    Detail, Said,
    foreign::cell,
    parts::{PLACE, ROWS},
};
use crate::{
    domain::queue::{Full, GoesOn, Queue, Stage, Taken},
    reporters::words::{capital, moment, ordinal},
};
use jiff::Timestamp;

const BY_HAND: &str =
    "`berth` stays pending and no runner is held. A push, re-running the job or `/berth up` tries again.";
const BY_JOB: &str = "It starts by itself if the token of whoever frees a block may run this job once more \
    (`actions: write`); else a push, re-running the job or `/berth up` tries again. \
    Until then `berth` stays pending and no runner is held.";
const BY_EVENT: &str = "When its turn comes, this repository is sent an event, if a workflow here listens to \
    `repository_dispatch: [berth]`; else a push or `/berth up` tries again. \
    Until then `berth` stays pending and no runner is held.";

/// It does not wait.
pub(super) fn full<'a>(why: Full) -> Said<'a> {
    let more = match why {
        Full::Taken => "Every block of the pool is taken",
        Full::Limited => "What is free is for other repositories (`max-per-repository`)",
        Full::Kept => "Others have come before, and wait for all that is free",
    };
    Said {
        verdict: format!("❌ {}", capital(&why.to_string())),
        text: format!(
            "{more}, and `when-full: fail` does not wait. No environment was made; try again with `/berth up`, or let \
             it wait with `when-full: queue`."
        ),
        detail: Detail::None,
    }
}

pub(super) fn queued<'a>(queue: Option<&Queue>, now: Timestamp) -> Said<'a> {
    let Some(queue) = queue else {
        let verdict = "🕓 Queued: no addresses are free".to_owned();
        return Said { verdict, text: BY_HAND.to_owned(), detail: Detail::None };
    };
    let begins = queue.begins.map_or(String::new(), |span| format!(" · starts about {}", between(span, now)));
    let shown = &queue.blocks[..queue.blocks.len().min(ROWS)];
    let rows = shown.iter().enumerate().map(|(n, taken)| row(taken, n + 1 < queue.place as usize, now));
    let mut rows: String = rows.collect();
    match queue.others as usize + queue.blocks.len() - shown.len() {
        0 => {}
        1 => rows.push_str("| 1 other | later |\n"),
        others => rows.push_str(&format!("| {others} others | later |\n")),
    }
    let table =
        if rows.is_empty() { String::new() } else { format!("\n\n| block | frees |\n|---|---|\n{rows}") };
    let promise = match queue.goes_on {
        GoesOn::ByJob => BY_JOB,
        GoesOn::ByEvent => BY_EVENT,
        GoesOn::ByHand => BY_HAND,
    };
    Said {
        verdict: format!("🕓 Queued: {} of {}{begins}", ordinal(queue.place), queue.of),
        text: format!("{} {promise}{table}", why(queue)),
        detail: Detail::None,
    }
}

fn why(queue: &Queue) -> String {
    let taken = queue.blocks.len() + queue.others as usize;
    match queue.free {
        _ if queue.is_limited => {
            "This repository has as many as one may have (`max-per-repository`).".to_owned()
        }
        0 => format!("All {taken} blocks are taken."),
        free => format!("{taken} blocks are taken, and {free} free for those ahead."),
    }
}

fn row(taken: &Taken, goes_ahead: bool, now: Timestamp) -> String {
    let whose = taken.whose.as_deref().map_or("another repository".to_owned(), |whose| cell(whose, PLACE));
    let about = taken.frees.map(|span| format!("about {}", between(span, now)));
    let frees = match (taken.stage, about) {
        (Stage::Cooling, _) => taken.frees.map_or("cooling".to_owned(), |(_, at)| moment(at, now)),
        (Stage::Removal, about) => joined(about, "removal, cooling".to_owned()),
        (Stage::Grace { until }, about) => {
            joined(about, format!("grace until {}, removal, cooling", moment(until, now)))
        }
        (Stage::Used { until }, about) => {
            joined(about, format!("in use, until {} at the latest", moment(until, now)))
        }
    };
    let ahead = if goes_ahead && taken.frees.is_some() { ", goes to the pull request ahead" } else { "" };
    format!("| {whose} | {frees}{ahead} |\n")
}

fn joined(about: Option<String>, what: String) -> String {
    about.map_or(what.clone(), |about| format!("{about}: {what}"))
}

/// `14:45–15:10 UTC`; one moment, where both are told alike.
fn between((first, last): (Timestamp, Timestamp), now: Timestamp) -> String {
    let (first, last) = (moment(first, now), moment(last, now));
    if first == last { last } else { format!("{}–{last}", first.trim_end_matches(" UTC")) }
}
