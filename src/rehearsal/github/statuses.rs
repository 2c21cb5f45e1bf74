//! Commit statuses. They are never changed: of one context the latest counts.

use super::{
    Answer, Call, GitHub, Success, created,
    fields::Fields,
    listed,
    refusal::{self, Refusal},
    state::{Repository, Status},
};
use serde_json::json;

/// Of one commit and context.
const MOST: usize = 1000;
const LONGEST_DESCRIPTION: usize = 140;
const LONGEST_CONTEXT: usize = 255;
pub(super) const STATES: &[&str] = &["error", "failure", "pending", "success"];

/// GitHub links to nothing but the web.
pub(super) fn is_web(url: &str) -> bool {
    url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_some_and(|rest| !rest.is_empty())
}

impl Repository {
    /// The latest of each context, newest first.
    pub(super) fn latest_statuses(&self, sha: &str) -> Vec<&Status> {
        let mut latest: Vec<&Status> = Vec::new();
        for status in self.statuses.iter().rev().filter(|status| status.sha == sha) {
            if !latest.iter().any(|known| known.context.eq_ignore_ascii_case(&status.context)) {
                latest.push(status);
            }
        }
        latest
    }
}

impl GitHub {
    pub(super) fn commit_of(&self, id: u64, reference: &str) -> Result<String, Refusal> {
        let none = || refusal::unprocessable(format!("No commit found for SHA: {reference}"));
        self.repositories[&id].commit(reference).map(str::to_owned).ok_or_else(none)
    }

    pub(super) fn make_status(&mut self, call: &Call<'_>, id: u64, sha: &str) -> Answer {
        let fields = Fields::of(call.request, &["state", "target_url", "description", "context"])?;
        let state = fields.needed("state")?;
        let state = STATES.iter().find(|known| **known == state).copied();
        let state =
            state.ok_or_else(|| refusal::custom("Status", "state", "state is not included in the list"))?;
        let description = fields.text_or_null("description")?;
        if description.is_some_and(|text| text.chars().count() > LONGEST_DESCRIPTION) {
            return Err(refusal::too_long("Status", "description", LONGEST_DESCRIPTION));
        }
        let target_url = fields.text_or_null("target_url")?.filter(|url| !url.is_empty());
        if target_url.is_some_and(|url| !is_web(url)) {
            return Err(refusal::custom("Status", "target_url", "target_url must use http(s) scheme"));
        }
        let context = fields.text("context")?.unwrap_or("default");
        if context.chars().count() > LONGEST_CONTEXT {
            return Err(refusal::too_long("Status", "context", LONGEST_CONTEXT));
        }
        // Here only a whole SHA names a commit.
        if !self.repositories[&id].commits.contains(sha) {
            return Err(refusal::unprocessable(format!("No commit found for SHA: {sha}")));
        }
        let same = |status: &&Status| status.sha == sha && status.context.eq_ignore_ascii_case(context);
        if self.repositories[&id].statuses.iter().filter(same).count() >= MOST {
            let message = "This SHA and context has reached the maximum number of statuses.";
            return Err(refusal::custom("Status", "base", message));
        }
        let status = Status {
            id: self.next_id(),
            state,
            context: context.to_owned(),
            description: description.map(str::to_owned),
            target_url: target_url.map(str::to_owned),
            creator: call.grant.as_ref().map(|grant| grant.login.clone()).unwrap_or_default(),
            at: self.now,
            sha: sha.to_owned(),
        };
        let shown = self.show(call).status(&self.repositories[&id], &status);
        if let Some(repository) = self.repositories.get_mut(&id) {
            repository.statuses.push(status);
        }
        created(shown)
    }

    pub(super) fn list_statuses(&self, call: &Call<'_>, id: u64, reference: &str) -> Answer {
        let sha = self.commit_of(id, reference)?;
        let repository = &self.repositories[&id];
        let statuses = repository.statuses.iter().rev().filter(|status| status.sha == sha);
        let (statuses, link) = self.cut(call, id, statuses.collect());
        let show = self.show(call);
        listed((statuses.into_iter().map(|status| show.status(repository, status)).collect(), link))
    }

    pub(super) fn combined_status(&self, call: &Call<'_>, id: u64, reference: &str) -> Answer {
        let sha = self.commit_of(id, reference)?;
        let repository = &self.repositories[&id];
        let latest = repository.latest_statuses(&sha);
        let total = latest.len();
        let state = if latest.iter().any(|status| matches!(status.state, "error" | "failure")) {
            "failure"
        } else if latest.is_empty() || latest.iter().any(|status| status.state == "pending") {
            "pending"
        } else {
            "success"
        };
        let (latest, headers) = self.cut(call, id, latest);
        let show = self.show(call);
        let url = format!("{}/commits/{sha}", show.url(repository));
        let statuses: Vec<_> =
            latest.into_iter().map(|status| show.simple_status(repository, status)).collect();
        let body = json!({
            "state": state, "statuses": statuses, "sha": sha, "total_count": total, "commit_url": url,
            "url": format!("{url}/status"), "repository": show.minimal(repository),
        });
        Ok(Success { status: 200, headers, body })
    }
}
