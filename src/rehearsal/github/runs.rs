//! Runs of workflows, as far as reviewers of environments let them go on.

use super::{Answer, Call, GitHub, ok, refusal};
use serde_json::{Value, json};

impl GitHub {
    pub(super) fn list_approvals(&self, call: &Call<'_>, id: u64, run: &str) -> Answer {
        let repository = &self.repositories[&id];
        let run: u64 = run.parse().map_err(|_| refusal::not_found())?;
        let approvals = repository.runs.get(&run).ok_or_else(refusal::not_found)?;
        let show = self.show(call);
        let all = approvals.iter().map(|login| {
            json!({ "environments": [], "state": "approved", "user": show.person(Some(login)), "comment": "" })
        });
        ok(Value::Array(all.collect()))
    }
}
