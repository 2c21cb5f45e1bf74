//! Which request is about what, and whether its sender may.
//!
//! What one may not see does not exist (404); what one may see and not do is refused (403).

use super::{
    Answer, Call, GitHub,
    access::{Grant, Kind, Level, Permission},
    apps::is_for_apps,
    ok, page,
    refusal::{self, Refusal},
};
use Level::{Read, Write};
use Permission::{Actions, Checks, Contents, Deployments, Issues, Metadata, PullRequests, Statuses};

impl GitHub {
    pub(super) fn route(&mut self, call: &Call<'_>) -> Answer {
        let path: Vec<&str> = call.request.path.iter().map(String::as_str).collect();
        match (call.request.method.as_str(), path.as_slice()) {
            ("GET", ["rate_limit"]) => self.rate_limit(call.grant.as_ref()),
            ("GET", ["user"]) => self.oneself(call),
            ("POST", ["app", "installations", installation, "access_tokens"]) => {
                self.make_installation_token(call, installation)
            }
            (_, ["repositories", id, below @ ..]) => {
                let id = id.parse().ok().filter(|id| self.repositories.contains_key(id));
                self.in_repository(call, id.ok_or_else(refusal::not_found)?, below)
            }
            (method, ["repos", owner, name, below @ ..]) => {
                let name = format!("{owner}/{name}").to_ascii_lowercase();
                let id = *self.names.get(&name).ok_or_else(refusal::not_found)?;
                let repository = self.repositories.get(&id).ok_or_else(refusal::not_found)?;
                if repository.full_name().to_ascii_lowercase() != name {
                    self.see(call, id)?;
                    let below: String =
                        below.iter().map(|segment| format!("/{}", page::escaped(segment))).collect();
                    return Err(refusal::moved(
                        method == "GET",
                        &format!("{}/repositories/{id}{below}", call.api),
                    ));
                }
                self.in_repository(call, id, below)
            }
            _ => Err(refusal::not_found()),
        }
    }

    /// Who asks. An app's installation is nobody.
    fn oneself(&self, call: &Call<'_>) -> Answer {
        match &call.grant {
            None => Err(refusal::requires_authentication()),
            Some(Grant { kind: Kind::App(_), .. }) => {
                Err(refusal::forbidden("Resource not accessible by integration"))
            }
            Some(Grant { kind: Kind::Personal, login, .. }) => ok(self.show(call).oneself(login)),
        }
    }

    fn in_repository(&mut self, call: &Call<'_>, id: u64, below: &[&str]) -> Answer {
        self.see(call, id)?;
        let may =
            |github: &Self, permissions: &[Permission], level| github.permit(call, id, permissions, level);
        match (call.request.method.as_str(), below) {
            ("GET", []) => {
                let show = self.show(call);
                ok(show.whole(&self.repositories[&id]))
            }
            ("GET", ["installation"]) => self.read_installation(call, id),
            ("GET", ["actions", "runs", run, "approvals"]) => {
                may(self, &[Actions], Read).and_then(|()| self.list_approvals(call, id, run))
            }
            ("GET", ["actions", "runs", run]) => {
                may(self, &[Actions], Read).and_then(|()| self.read_run(call, id, run))
            }
            ("POST", ["actions", "runs", run, "rerun"]) => {
                may(self, &[Actions], Write).and_then(|()| self.run_again(call, id, run))
            }
            ("POST", ["actions", "jobs", job, "rerun"]) => {
                may(self, &[Actions], Write).and_then(|()| self.run_job_again(call, id, job))
            }
            ("GET", ["commits", sha, "branches-where-head"]) => {
                may(self, &[Contents], Read).and_then(|()| self.branches_at(call, id, sha))
            }
            ("GET", ["pulls"]) => may(self, &[PullRequests], Read).and_then(|()| self.list_pulls(call, id)),
            ("GET", ["pulls", n]) => {
                may(self, &[PullRequests], Read).and_then(|()| self.read_pull(call, id, n))
            }
            ("GET", ["pulls", n, "files"]) => {
                may(self, &[PullRequests], Read).and_then(|()| self.list_files(call, id, n))
            }
            (method, ["issues", "comments", comment]) => {
                let level = if method == "GET" { Read } else { Write };
                may(self, &[Issues, PullRequests], level)?;
                self.one_comment(call, id, comment)
            }
            ("POST", ["issues", "comments", comment, "reactions"]) => {
                may(self, &[Issues, PullRequests], Write).and_then(|()| self.react(call, id, comment))
            }
            ("GET", ["issues", n, "comments"]) => {
                may(self, &[Issues, PullRequests], Read).and_then(|()| self.list_comments(call, id, n))
            }
            ("POST", ["issues", n, "comments"]) => {
                may(self, &[Issues, PullRequests], Write).and_then(|()| self.make_comment(call, id, n))
            }
            ("GET", ["issues", n, "labels"]) => {
                may(self, &[Issues, PullRequests], Read).and_then(|()| self.list_labels(call, id, n))
            }
            ("POST", ["issues", n, "labels"]) => {
                may(self, &[Issues, PullRequests], Write).and_then(|()| self.add_labels(call, id, n))
            }
            ("DELETE", ["issues", n, "labels", label]) => {
                may(self, &[Issues, PullRequests], Write).and_then(|()| self.remove_label(call, id, n, label))
            }
            ("POST", ["statuses", sha]) => {
                may(self, &[Statuses], Write).and_then(|()| self.make_status(call, id, sha))
            }
            ("GET", ["commits", reference @ .., "status"]) => may(self, &[Statuses], Read)
                .and_then(|()| self.combined_status(call, id, &reference.join("/"))),
            ("GET", ["commits", reference @ .., "statuses"]) => {
                may(self, &[Statuses], Read).and_then(|()| self.list_statuses(call, id, &reference.join("/")))
            }
            ("GET", ["commits", reference @ .., "check-runs"]) => {
                may(self, &[Checks], Read).and_then(|()| self.list_checks(call, id, &reference.join("/")))
            }
            ("POST", ["check-runs"]) => may(self, &[Checks], Write).and_then(|()| self.make_check(call, id)),
            ("PATCH", ["check-runs", check]) => {
                may(self, &[Checks], Write).and_then(|()| self.update_check(call, id, check))
            }
            ("GET", ["check-runs", check]) => {
                may(self, &[Checks], Read).and_then(|()| self.read_check(call, id, check))
            }
            ("GET", ["check-runs", check, "annotations"]) => {
                may(self, &[Checks], Read).and_then(|()| self.list_annotations(call, id, check))
            }
            ("GET", ["deployments"]) => {
                may(self, &[Deployments], Read).and_then(|()| self.list_deployments(call, id))
            }
            ("POST", ["deployments"]) => {
                may(self, &[Deployments], Write).and_then(|()| self.make_deployment(call, id))
            }
            ("GET", ["deployments", deployment]) => {
                may(self, &[Deployments], Read).and_then(|()| self.read_deployment(call, id, deployment))
            }
            ("DELETE", ["deployments", deployment]) => {
                may(self, &[Deployments], Write).and_then(|()| self.delete_deployment(id, deployment))
            }
            ("GET", ["deployments", deployment, "statuses"]) => may(self, &[Deployments], Read)
                .and_then(|()| self.list_deployment_statuses(call, id, deployment)),
            ("POST", ["deployments", deployment, "statuses"]) => may(self, &[Deployments], Write)
                .and_then(|()| self.make_deployment_status(call, id, deployment)),
            ("POST", ["dispatches"]) => may(self, &[Contents], Write).and_then(|()| self.dispatch(call, id)),
            ("GET", ["collaborators", login, "permission"]) => {
                may(self, &[Metadata], Read).and_then(|()| self.role_of(call, id, login))
            }
            ("GET", ["contents", path @ ..]) => {
                may(self, &[Contents], Read).and_then(|()| self.read_path(call, id, path))
            }
            _ => Err(refusal::not_found()),
        }
    }

    fn covers(&self, call: &Call<'_>, id: u64) -> bool {
        let Some(grant) = &call.grant else { return false };
        let named = |names: &Vec<String>| {
            names.iter().any(|name| self.names.get(&name.to_ascii_lowercase()) == Some(&id))
        };
        let repository = &self.repositories[&id];
        let member = match grant.kind {
            Kind::App(_) => true,
            Kind::Personal => {
                let login = grant.login.to_ascii_lowercase();
                login == repository.owner.to_ascii_lowercase()
                    || repository.collaborators.contains_key(&login)
            }
        };
        // A public repository's doors are open to people; what they may do there is another question.
        (member || !repository.private) && grant.repositories.as_ref().is_none_or(named)
    }

    fn see(&self, call: &Call<'_>, id: u64) -> Result<(), Refusal> {
        let repository = self.repositories.get(&id).ok_or_else(refusal::not_found)?;
        if is_for_apps(&call.request.path) {
            return self.installation_of(call, id).map(drop);
        }
        if repository.private && !self.covers(call, id) { Err(refusal::not_found()) } else { Ok(()) }
    }

    /// Whether one of these permissions goes as far as this. What is public may be read by everybody.
    fn permit(&self, call: &Call<'_>, id: u64, any: &[Permission], level: Level) -> Result<(), Refusal> {
        let repository = &self.repositories[&id];
        if level == Read && !repository.private {
            return Ok(());
        }
        let Some(grant) = &call.grant else { return Err(refusal::requires_authentication()) };
        if !self.covers(call, id) || !any.iter().any(|permission| grant.has(*permission, level)) {
            return Err(refusal::forbidden(match grant.kind {
                Kind::App(_) => "Resource not accessible by integration",
                Kind::Personal => "Resource not accessible by personal access token",
            }));
        }
        if level == Write && repository.archived {
            return Err(refusal::forbidden("Repository was archived so is read-only."));
        }
        Ok(())
    }
}
