//! Runs of workflows: who has let one go on, how one stands, and running one once more, as far as it has ended.

use super::{Answer, Call, GitHub, Success, fields::Fields, ok, refusal};
use serde_json::{Value, json};

impl GitHub {
    pub(super) fn list_approvals(&self, call: &Call<'_>, id: u64, run: &str) -> Answer {
        let repository = &self.repositories[&id];
        let run: u64 = run.parse().map_err(|_| refusal::not_found())?;
        let approvals = &repository.runs.get(&run).ok_or_else(refusal::not_found)?.approvals;
        let show = self.show(call);
        let all = approvals.iter().map(|login| {
            json!({ "environments": [], "state": "approved", "user": show.person(Some(login)), "comment": "" })
        });
        ok(Value::Array(all.collect()))
    }

    pub(super) fn read_run(&self, call: &Call<'_>, id: u64, run: &str) -> Answer {
        let repository = &self.repositories[&id];
        let number: u64 = run.parse().map_err(|_| refusal::not_found())?;
        let run = repository.runs.get(&number).ok_or_else(refusal::not_found)?;
        ok(self.show(call).run(repository, number, run))
    }

    pub(super) fn run_again(&mut self, call: &Call<'_>, id: u64, run: &str) -> Answer {
        Fields::of(call.request, &["enable_debug_logging"])?.flag("enable_debug_logging")?;
        let runs = &mut self.repositories.get_mut(&id).ok_or_else(refusal::not_found)?.runs;
        let run = run.parse().ok().and_then(|run: u64| runs.get_mut(&run));
        let run = run.ok_or_else(refusal::not_found)?;
        if run.conclusion.take().is_none() {
            return Err(refusal::forbidden("This workflow is already running"));
        }
        run.again.push(None);
        begun()
    }

    pub(super) fn run_job_again(&mut self, call: &Call<'_>, id: u64, job: &str) -> Answer {
        let fields = Fields::of(call.request, &["enable_debug_logging", "enable_debugger"])?;
        fields.flag("enable_debug_logging")?;
        fields.flag("enable_debugger")?;
        let runs = &mut self.repositories.get_mut(&id).ok_or_else(refusal::not_found)?.runs;
        let job: u64 = job.parse().map_err(|_| refusal::not_found())?;
        let run = runs.values_mut().find(|run| run.jobs.contains(&job)).ok_or_else(refusal::not_found)?;
        if run.conclusion.take().is_none() {
            return Err(refusal::forbidden("The workflow run containing this job is already running"));
        }
        run.again.push(Some(job));
        begun()
    }
}

fn begun() -> Answer {
    Ok(Success { status: 201, headers: Vec::new(), body: json!({}) })
}
