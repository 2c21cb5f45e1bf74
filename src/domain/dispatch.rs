//! What somebody's own event says: which environment, in the words of the workflows of old, or in berth's. Pure.
//!
//! All values are hostile, and all the old ones are texts. A payload gives identity; whatever else it says (a branch, a
//! commit, `install_postgres`) is not looked at: that stands in configuration, or is read from GitHub. Must never: take a
//! name that two of its values contradict.

use super::{
    claim::Wish,
    holder::{Holder, PullRequest, Which},
    names::{EnvironmentName, Malformed, PrNumber, RepoName},
    payload::Dispatch,
};
use serde_json::{Map, Value, json};
use std::fmt;

/// What GitHub itself takes: properties at the top, and bytes in all.
const PROPERTIES: usize = 10;
const BYTES: usize = 65_535;

/// What dispatches are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Types {
    /// Those that ask for an environment.
    pub up: Vec<String>,
    /// Those that ask for its removal.
    pub down: Vec<String>,
    /// Those whose payload says which of the two: `{"berth": {"command", "repository", "number"}}`.
    pub typed: Vec<String>,
}

/// Of both generations of the old workflows.
pub const UP: [&str; 2] = ["create_ephemeral_cluster", "provision_ephemeral_infrastructure"];
/// The same for removal.
pub const DOWN: [&str; 2] = ["delete_ephemeral_cluster", "destroy_ephemeral_infrastructure"];
/// berth's own.
pub const TYPED: [&str; 1] = ["berth"];

impl Default for Types {
    fn default() -> Self {
        let owned = |types: &[&str]| types.iter().map(|kind| (*kind).to_owned()).collect();
        Self { up: owned(&UP), down: owned(&DOWN), typed: owned(&TYPED) }
    }
}

/// Why a payload names no environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unclear(String);

impl fmt::Display for Unclear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the payload of the dispatch names no environment: {}", self.0)
    }
}

impl std::error::Error for Unclear {}

impl From<Malformed> for Unclear {
    fn from(wrong: Malformed) -> Self {
        Self(wrong.to_string())
    }
}

/// Which environment an old payload is about. A repository without an owner is one of the owner's who received the dispatch.
pub fn which(dispatch: &Dispatch) -> Result<Which, Unclear> {
    bounded(dispatch)?;
    of_old(&dispatch.payload, dispatch.source.repository.owner())
}

/// The same of berth's own, and what it asks for.
pub fn typed(dispatch: &Dispatch) -> Result<(Which, Wish), Unclear> {
    bounded(dispatch)?;
    let missing = |key: &str| Unclear(format!("`{key}` is missing"));
    let Some(Value::Object(said)) = dispatch.payload.get("berth") else {
        return Err(missing("berth"));
    };
    let wish = match text(said, "command")?.ok_or_else(|| missing("berth.command"))? {
        "up" => Wish::Up,
        "down" => Wish::Down,
        _ => return Err(Unclear("`berth.command` is neither up nor down".to_owned())),
    };
    let repo = text(said, "repository")?.ok_or_else(|| missing("berth.repository"))?.parse()?;
    let number = match said.get("number") {
        Some(Value::Number(number)) => number.to_string().parse()?,
        _ => text(said, "number")?.ok_or_else(|| missing("berth.number"))?.parse()?,
    };
    Ok((Which::Pull(PullRequest { repo, number }), wish))
}

/// What is sent for the typed one.
pub fn payload(pull: &PullRequest, wish: Wish) -> Value {
    let command = match wish {
        Wish::Up => "up",
        Wish::Down => "down",
    };
    json!({"berth": {"command": command, "repository": pull.repo, "number": pull.number}})
}

fn bounded(dispatch: &Dispatch) -> Result<(), Unclear> {
    let bytes = serde_json::to_string(&dispatch.payload).map_or(usize::MAX, |text| text.len());
    match dispatch.payload.len() > PROPERTIES || bytes > BYTES {
        true => Err(Unclear(format!("it is larger than {PROPERTIES} properties and {BYTES} bytes"))),
        false => Ok(()),
    }
}

/// `pr_number` and `repository`, or `cluster_name`, or all three.
fn of_old(payload: &Map<String, Value>, owner: &str) -> Result<Which, Unclear> {
    let name: Option<EnvironmentName> = text(payload, "cluster_name")?.map(str::parse).transpose()?;
    let pull = match (text(payload, "repository")?, text(payload, "pr_number")?) {
        (Some(repository), Some(number)) => {
            let repository = match repository.contains('/') {
                true => repository.to_owned(),
                false => format!("{owner}/{repository}"),
            };
            Some(PullRequest { repo: repository.parse()?, number: number.parse()? })
        }
        (None, None) => None,
        _ => return Err(Unclear("of `repository` and `pr_number` it has one alone".to_owned())),
    };
    match (pull, name) {
        (Some(pull), Some(name)) if Holder::PullRequest(pull.clone()).name() != name => {
            Err(Unclear(format!("{pull} is not called {name}")))
        }
        (Some(pull), _) => Ok(Which::Pull(pull)),
        (None, Some(name)) => Ok(named(&name, owner).map_or(Which::Name(name), Which::Pull)),
        (None, None) => {
            Err(Unclear("it has neither `repository` and `pr_number` nor `cluster_name`".to_owned()))
        }
    }
}

/// The pull request of this owner's whose environment is called so, if the name says it.
fn named(name: &EnvironmentName, owner: &str) -> Option<PullRequest> {
    let (repository, number) = name.as_ref().strip_prefix("pr-")?.rsplit_once('-')?;
    let repo: RepoName = format!("{owner}/{repository}").parse().ok()?;
    let pull = PullRequest { repo, number: number.parse::<PrNumber>().ok()? };
    (Holder::PullRequest(pull.clone()).name() == *name).then_some(pull)
}

fn text<'a>(object: &'a Map<String, Value>, key: &str) -> Result<Option<&'a str>, Unclear> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(Unclear(format!("`{key}` is no text"))),
    }
}
