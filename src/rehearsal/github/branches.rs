//! Branches, by their commit.

use super::{Answer, Call, GitHub, ok, refusal};
use serde_json::{Value, json};

impl GitHub {
    pub(super) fn branches_at(&self, call: &Call<'_>, id: u64, sha: &str) -> Answer {
        let repository = &self.repositories[&id];
        let is_known = repository.commits.contains(sha) || repository.branches.values().any(|at| at == sha);
        if !is_known {
            return Err(refusal::unprocessable(format!("No commit found for SHA: {sha}")));
        }
        let url = self.show(call).url(repository);
        let all = repository.branches.iter().filter(|(_, at)| *at == sha).map(|(name, at)| {
            let commit = json!({ "sha": at, "url": format!("{url}/commits/{at}") });
            json!({ "name": name, "commit": commit, "protected": false })
        });
        ok(Value::Array(all.collect()))
    }
}
