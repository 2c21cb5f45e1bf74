//! Pull requests: the list, one of them, its files; and what a person may do in a repository.

use super::{
    AccountKind, Answer, Call, GitHub, listed, ok,
    refusal::{self, Refusal},
    show::pull_repository,
    state::{Mergeable, Pull, PullState, Role},
};
use serde_json::json;

/// GitHub shows no more files of a pull request.
const MOST_FILES: usize = 3000;

fn state_order(pull: &Pull, sort: &str) -> (i64, u64) {
    match sort {
        "updated" => (pull.updated_at.as_second(), pull.number),
        _ => (pull.created_at.as_second(), pull.number),
    }
}

impl GitHub {
    pub(super) fn pull_of(&self, id: u64, number: &str) -> Result<&Pull, Refusal> {
        let number: u64 = number.parse().map_err(|_| refusal::not_found())?;
        self.repositories[&id].pulls.get(&number).ok_or_else(refusal::not_found)
    }

    pub(super) fn list_pulls(&self, call: &Call<'_>, id: u64) -> Answer {
        let repository = &self.repositories[&id];
        let known = |key: &str, all: &[&str], default: &'static str| match call.query(key) {
            None => Ok(default.to_owned()),
            Some(value) if all.contains(&value) => Ok(value.to_owned()),
            Some(_) => Err(refusal::invalid("PullRequest", key, "invalid")),
        };
        let state = known("state", &["open", "closed", "all"], "open")?;
        let sort = known("sort", &["created", "updated", "popularity", "long-running"], "created")?;
        let newest_first = if sort == "created" { "desc" } else { "asc" };
        let direction = known("direction", &["asc", "desc"], newest_first)?;
        let mut pulls: Vec<&Pull> = repository
            .pulls
            .values()
            .filter(|pull| state == "all" || pull.is_open() == (state == "open"))
            .filter(|pull| call.query("base").is_none_or(|base| pull.base == base))
            .filter(|pull| {
                // Without an owner it names nothing, and GitHub then does not filter at all.
                let head = call.query("head").filter(|head| head.contains(':'));
                head.is_none_or(|head| pull_repository(&pull.head.owner, &pull.head.branch) == head)
            })
            .collect();
        pulls.sort_by_key(|pull| state_order(pull, &sort));
        if direction == "desc" {
            pulls.reverse();
        }
        let (pulls, link) = self.cut(call, id, pulls);
        let show = self.show(call);
        listed((pulls.into_iter().map(|pull| show.pull_in_list(repository, pull)).collect(), link))
    }

    pub(super) fn read_pull(&mut self, call: &Call<'_>, id: u64, number: &str) -> Answer {
        let pull = self.pull_of(id, number)?;
        let repository = &self.repositories[&id];
        let answer = ok(self.show(call).pull(repository, pull));
        // Whoever asks sets GitHub thinking; the next answer has it.
        let number = pull.number;
        let found = self.repositories.get_mut(&id).and_then(|repository| repository.pulls.get_mut(&number));
        if let Some(pull) = found.filter(|pull| pull.is_open()) {
            pull.mergeable = if pull.conflicting { Mergeable::Conflicting } else { Mergeable::Clean };
        }
        answer
    }

    pub(super) fn list_files(&self, call: &Call<'_>, id: u64, number: &str) -> Answer {
        let pull = self.pull_of(id, number)?;
        let repository = &self.repositories[&id];
        let (files, link) = self.cut(call, id, pull.files.iter().take(MOST_FILES).collect());
        let show = self.show(call);
        listed((files.into_iter().map(|file| show.changed(repository, pull, file)).collect(), link))
    }

    pub(super) fn role_of(&self, call: &Call<'_>, id: u64, login: &str) -> Answer {
        let repository = &self.repositories[&id];
        let login = login.to_ascii_lowercase();
        let account = self.accounts.get(&login).filter(|account| account.kind != AccountKind::Organization);
        let Some(account) = account else {
            return Err(refusal::nothing_at(format!("{login} is not a user")));
        };
        let owner = login == repository.owner.to_ascii_lowercase();
        let role = if owner { Some(&Role::Admin) } else { repository.collaborators.get(&login) };
        let permission = match role {
            Some(Role::Admin) => "admin",
            Some(Role::Write) => "write",
            Some(Role::Read) => "read",
            None if repository.private => "none",
            None => "read",
        };
        let mut user = self.show(call).person(Some(&account.login));
        user["role_name"] = json!(permission);
        user["permissions"] = json!({
            "admin": permission == "admin", "maintain": permission == "admin", "triage": matches!(permission, "admin" | "write"),
            "push": matches!(permission, "admin" | "write"), "pull": permission != "none",
        });
        ok(json!({ "permission": permission, "role_name": permission, "user": user }))
    }
}

impl Pull {
    /// When it was closed, however that came.
    pub fn closed_at(&self) -> Option<jiff::Timestamp> {
        match &self.state {
            PullState::Open => None,
            PullState::Closed(at) | PullState::Merged { at, .. } => Some(*at),
        }
    }
}
