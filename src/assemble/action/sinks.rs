//! Where a job tells its run: on the pull request as far as the token reaches, in its own summary and outputs always.
//!
//! Must never: judge a commit by a run that had nothing to judge (`quiet`, `told_again`).

use super::Stage;
use crate::{
    clients::github::GitHub,
    clock::Clock,
    domain::{holder::Holder, names::HeadSha},
    fronts::action::Job,
    reporters::{
        Reporters, Sinks as Shown, check::Check, comment::Comment, deployment::Deployment, markdown::Beside,
        outputs::Outputs, status::CommitStatus, summary::Summary,
    },
    settings::Settings,
};
use std::{path::PathBuf, sync::Arc};

/// The sinks of a job.
pub(super) struct Sinks<'a> {
    job: &'a Job,
    kubeconfig: Option<PathBuf>,
    head: Option<HeadSha>,
    clock: Clock,
}

impl<'a> Sinks<'a> {
    pub(super) fn of(stage: &'a Stage<'_>) -> Self {
        Self {
            job: &stage.job,
            kubeconfig: crate::assemble::kubeconfig(stage.environment),
            head: stage.head(),
            clock: stage.clock.clone(),
        }
    }

    fn beside(&self, settings: Option<&Settings>) -> Beside {
        let lifetime = settings.map(|settings| settings.lifetime);
        let (grace, warn) = (lifetime.map(|of| of.grace), lifetime.map(|of| of.warn));
        Beside { log: self.job.log.clone(), grace, warn, ..Beside::default() }
    }

    /// The job's own alone.
    pub(super) fn quiet(&self) -> Shown {
        self.own(&self.beside(None))
    }

    fn own(&self, beside: &Beside) -> Shown {
        let mut all: Shown = Shown::new();
        if let Some(file) = &self.job.summary {
            all.push(Arc::new(Summary::new(file.clone(), beside.clone(), self.clock.clone())));
        }
        if let Some(file) = &self.job.output {
            all.push(Arc::new(Outputs::new(file.clone(), self.kubeconfig.clone())));
        }
        all
    }

    /// What was told before, told once more: nothing new is judged.
    pub(super) fn told_again(&self, github: &GitHub, holder: &Holder, settings: &Settings) -> Shown {
        let beside = self.beside(Some(settings));
        let mut all = self.own(&beside);
        if let Holder::PullRequest(pull) = holder {
            all.push(Arc::new(Comment::new(github.clone(), pull.clone(), beside, self.clock.clone())));
        }
        all
    }

    /// All of them. Without settings, by what is the default.
    pub(super) fn all(
        &self,
        github: Option<&GitHub>,
        holder: &Option<Holder>,
        settings: Option<&Settings>,
    ) -> Shown {
        let beside = self.beside(settings);
        let mut all = self.own(&beside);
        let (Some(github), Some(holder)) = (github, holder) else { return all };
        if let Some(repo) = holder.repository() {
            let context = settings
                .map_or(crate::settings::default_status(), |settings| settings.github.status.as_str());
            let (github, head) = (github.clone(), self.head.clone());
            all.push(Arc::new(CommitStatus::new(github, repo.clone(), context, head, beside.clone())));
        }
        if let Holder::PullRequest(pull) = holder {
            let (pull, clock) = (pull.clone(), self.clock.clone());
            all.push(Arc::new(Comment::new(github.clone(), pull.clone(), beside.clone(), clock)));
            all.push(Arc::new(Check::new(github.clone(), pull.clone(), beside.clone())));
            all.push(Arc::new(Deployment::new(github.clone(), pull, beside)));
        }
        all
    }
}

/// Of each environment that a sweep looks at: where its author reads what became of it.
pub(in crate::assemble) fn swept(github: &GitHub, settings: &Settings, clock: &Clock) -> Reporters {
    let (grace, warn) = (Some(settings.lifetime.grace), Some(settings.lifetime.warn));
    let beside = Beside { grace, warn, ..Beside::default() };
    let (github, clock) = (github.clone(), clock.clone());
    Reporters::of_each(move |holder| match holder {
        Holder::PullRequest(pull) => vec![
            Arc::new(Comment::new(github.clone(), pull.clone(), beside.clone(), clock.clone())),
            Arc::new(Deployment::new(github.clone(), pull.clone(), beside.clone())),
        ],
        _ => Shown::new(),
    })
}
