//! What happened on GitHub, and what that leads to: one table, which the README shows too. Pure.
//!
//! An event says who and which, and wakes a run; how things stand is read again. So what an event leads to is mostly a
//! look. Must never: conclude from an event what its pull request wants.

use super::{
    claim::Wish,
    command::{Command, NotUnderstood},
    dispatch::{self, Types},
    holder::{Holder, PullRequest, Which},
    names::{BranchName, HeadSha, LabelName, Login},
    payload::{Action, Comment, Origin, Payload, Pull, Subject},
};
use std::fmt::Write as _;

/// What an event leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leads {
    /// Its pull request is looked at.
    Look,
    /// The same, if the configuration knows the label that came or went.
    LookIfKnown,
    /// The same, if it goes to another branch now.
    LookIfMoved,
    /// The merge queue's branch is looked at.
    Group,
    /// An environment is asked for.
    Up,
    /// Its removal is asked for.
    Down,
    /// One of the two is asked for.
    Asked,
    /// Somebody speaks.
    Command,
    /// Everything is looked at.
    Sweep,
    /// The action's inputs say it.
    ByHand,
}

impl Leads {
    /// For people.
    fn words(self) -> &'static str {
        match self {
            Leads::Look => {
                "the pull request is read, and gets what it wants now: an environment at its head, or its grace, or nothing"
            }
            Leads::LookIfKnown => {
                "the same, if `filter`, `skip`, `github.approval-label` or `github.extend-label` names the label, or no run has judged the commit yet"
            }
            Leads::LookIfMoved => "the same, if it goes into another branch now",
            Leads::Group => {
                "an environment at the commit of the group, for as long as the queue keeps its branch"
            }
            Leads::Up => "as if the pull request that its payload names had been opened",
            Leads::Down => "its grace if that pull request is closed; if it is open, its removal at once",
            Leads::Asked => "one of the two, as `berth.command` of its payload says",
            Leads::Command => "the command in it, if who speaks may write there: answered by a reaction",
            Leads::Sweep => {
                "`berth sweep`: what is past its time goes, what is stuck is brought on, who waits is called"
            }
            Leads::ByHand => "what the inputs `command` and `environment` say",
        }
    }
}

/// One kind of event.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// Its names.
    pub events: &'static [&'static str],
    /// Its actions (of a dispatch, its types); none: whatever they are.
    pub actions: &'static [&'static str],
    /// What it leads to.
    pub leads: Leads,
}

const PULLS: &[&str] = &["pull_request", "pull_request_target"];

/// All that leads to anything. Whatever is not in it leads to nothing.
pub const TABLE: [Row; 10] = [
    Row {
        events: PULLS,
        actions: &["opened", "reopened", "synchronize", "ready_for_review", "converted_to_draft", "closed"],
        leads: Leads::Look,
    },
    Row { events: PULLS, actions: &["labeled", "unlabeled"], leads: Leads::LookIfKnown },
    Row { events: PULLS, actions: &["edited"], leads: Leads::LookIfMoved },
    Row { events: &["merge_group"], actions: &["checks_requested", "destroyed"], leads: Leads::Group },
    Row { events: &["repository_dispatch"], actions: &dispatch::UP, leads: Leads::Up },
    Row { events: &["repository_dispatch"], actions: &dispatch::DOWN, leads: Leads::Down },
    Row { events: &["repository_dispatch"], actions: &dispatch::TYPED, leads: Leads::Asked },
    Row { events: &["issue_comment"], actions: &["created"], leads: Leads::Command },
    Row { events: &["schedule"], actions: &[], leads: Leads::Sweep },
    Row { events: &["workflow_dispatch"], actions: &[], leads: Leads::ByHand },
];

/// The table as Markdown.
pub fn markdown() -> String {
    let code = |words: &[&str]| words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    let mut text = "| event | | leads to |\n|---|---|---|\n".to_owned();
    for Row { events, actions, leads } in TABLE {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {} | {} | {} |", code(events), code(actions), leads.words());
    }
    text + "| anything else | | nothing |\n"
}

fn leads(event: &str, action: &str) -> Option<Leads> {
    let row = TABLE
        .iter()
        .find(|row| row.events.contains(&event) && (row.actions.is_empty() || row.actions.contains(&action)));
    row.map(|row| row.leads)
}

/// What was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// Something happened to a pull request.
    Pull(Happened),
    /// Something happened to a group of a merge queue.
    Group {
        /// Whose environment.
        holder: Holder,
        /// The queue's branch for it.
        branch: BranchName,
        /// Its commit.
        head: HeadSha,
    },
    /// A dispatch asks for it.
    Asked {
        /// Which environment.
        which: Which,
        /// Up or down.
        wish: Wish,
    },
    /// Somebody speaks to berth on a pull request.
    Spoken(Spoken),
    /// Everything is to be looked at.
    Sweep,
    /// The inputs say it.
    ByHand,
    /// Nothing follows from it.
    Nothing {
        /// Why, for people.
        why: String,
    },
}

/// What happened to a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happened {
    /// Which.
    pub of: PullRequest,
    /// The commit that its branch had then.
    pub head: HeadSha,
    /// Where its code comes from.
    pub origin: Origin,
    /// Whose doing it was.
    pub by: Option<Login>,
    /// The label that came; nobody vouches by one that goes.
    pub labeled: Option<LabelName>,
    /// The label that went.
    pub unlabeled: Option<LabelName>,
    /// It concerns berth only if its configuration knows this label.
    pub only_for: Option<LabelName>,
}

/// What somebody says to berth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// On which pull request.
    pub on: PullRequest,
    /// In which comment.
    pub comment: u64,
    /// Who; `None`: that account is gone.
    pub by: Option<Login>,
    /// What.
    pub command: Result<Command, NotUnderstood>,
}

/// What this event of this name tells. `types` is what dispatches are called here.
pub fn hear(event: &str, payload: &Payload, types: &Types) -> Result<Heard, dispatch::Unclear> {
    Ok(match payload {
        Payload::PullRequest(pull) => pull_request(event, pull),
        Payload::MergeGroup(group) => match leads(event, &group.action) {
            Some(_) => Heard::Group {
                holder: Holder::MergeGroup {
                    repo: group.source.repository.clone(),
                    head: group.head.clone(),
                },
                branch: group.branch.clone(),
                head: group.head.clone(),
            },
            None => nothing(event, &group.action),
        },
        Payload::Dispatch(dispatch) => {
            let is = |types: &[String]| types.contains(&dispatch.event_type);
            match (is(&types.up), is(&types.down)) {
                (true, _) => Heard::Asked { which: dispatch::which(dispatch)?, wish: Wish::Up },
                (_, true) => Heard::Asked { which: dispatch::which(dispatch)?, wish: Wish::Down },
                _ if is(&types.typed) => {
                    let (which, wish) = dispatch::typed(dispatch)?;
                    Heard::Asked { which, wish }
                }
                _ => nothing(event, &dispatch.event_type),
            }
        }
        Payload::Comment(comment) => spoken(event, comment),
        Payload::Ping => nothing(event, "sent once"),
        Payload::Other(name) => match leads(name, "") {
            Some(Leads::Sweep) => Heard::Sweep,
            Some(Leads::ByHand) => Heard::ByHand,
            _ => Heard::Nothing { why: format!("nothing follows from the event `{name}`") },
        },
    })
}

fn nothing(event: &str, action: &str) -> Heard {
    Heard::Nothing { why: format!("nothing follows from `{event}` of the type `{action}`") }
}

fn pull_request(event: &str, pull: &Pull) -> Heard {
    let action = pull.action.word();
    let only_for = match leads(event, action) {
        Some(Leads::Look) => None,
        Some(Leads::LookIfKnown) => pull.label.clone(),
        Some(Leads::LookIfMoved) if pull.action == (Action::Edited { moved: true }) => None,
        Some(Leads::LookIfMoved) => {
            return Heard::Nothing {
                why: "its title or text was edited, which changes nothing here".to_owned(),
            };
        }
        _ => return nothing(event, action),
    };
    let label = |action| pull.label.clone().filter(|_| pull.action == action);
    Heard::Pull(Happened {
        of: pull.of.clone(),
        head: pull.head.clone(),
        origin: pull.origin.clone(),
        by: pull.source.sender.clone(),
        labeled: label(Action::Labeled),
        unlabeled: label(Action::Unlabeled),
        only_for,
    })
}

fn spoken(event: &str, comment: &Comment) -> Heard {
    let Subject::PullRequest(on) = &comment.on else {
        return Heard::Nothing { why: "the comment is on no pull request".to_owned() };
    };
    match (leads(event, &comment.action), Command::parse(&comment.body)) {
        (None, _) => nothing(event, &comment.action),
        (_, None) => Heard::Nothing { why: "the comment does not speak to berth".to_owned() },
        (_, Some(command)) => {
            Heard::Spoken(Spoken { on: on.clone(), comment: comment.id, by: comment.author.clone(), command })
        }
    }
}
