//! What a job shall do: its event and its inputs, in the light of the configuration.
//!
//! Must never: take a word of the payload for how things stand; obey a comment of somebody who may not write.

use super::{Stage, speech};
use crate::{
    assemble,
    clients::{
        Kind,
        github::{GitHub, Permission, State},
    },
    domain::{
        claim::Wish,
        event::{Happened, Heard, hear},
        holder::{Holder, Which},
        intent::Occasion,
        names::{HeadSha, LabelName, Login, RepoName},
        payload::{Origin, Standing},
        report::Outcome,
        results::Results,
    },
    engine::{At, Forks},
    errors::UserError,
    fronts::action::{Checkout, Inputs, Order, results},
    settings::{APP_FILES, Settings, knows},
};
use anyhow::Result;
use jiff::SignedDuration;
use std::path::PathBuf;

/// What is to be done.
pub(super) enum Task {
    /// Look at everything.
    Sweep,
    /// Nothing but to say this.
    Told(Option<Holder>, Outcome),
    /// Something to one environment.
    One(Box<One>),
}

/// One environment, and what is to be done to it.
pub(super) struct One {
    pub(super) holder: Holder,
    pub(super) what: What,
}

/// What is to be done to one.
pub(super) enum What {
    /// The world decides.
    Look(Look),
    /// Its removal was asked for.
    Down(Occasion),
    /// More time.
    Extend(SignedDuration),
    /// Its tests once more.
    Retest(Look),
    /// What was told last, told again.
    TellAgain,
    /// Results of tests are handed in.
    HandIn(HeadSha, Results),
}

/// How a pull request is looked at.
pub(super) struct Look {
    pub(super) occasion: Occasion,
    /// Whether filters count.
    pub(super) is_filtered: bool,
    pub(super) at: At,
    pub(super) forks: Forks,
    /// How much longer it shall live.
    pub(super) extends: Option<SignedDuration>,
}

impl Task {
    pub(super) async fn of(stage: &Stage<'_>, settings: &Settings, github: &GitHub) -> Result<Self> {
        let inputs = stage.inputs.as_ref().map_err(Clone::clone)?;
        let heard =
            hear(&stage.job.event, &stage.payload, &settings.github.dispatch).map_err(UserError::usage)?;
        let task = match inputs.order {
            Order::Sweep => Self::Sweep,
            Order::Auto => {
                match heard {
                    Heard::Nothing { why } => Self::Told(stage.holder(), Outcome::Unconcerned { why }),
                    Heard::Sweep => Self::Sweep,
                    Heard::ByHand => {
                        return Err(UserError::usage("input `command`: a run that is started by hand has no event that says what to do")
                        .hint("give `command: sweep`, or `up` or `down` with an `environment`")
                        .into());
                    }
                    Heard::Pull(happened) => pull_request(stage, settings, github, happened).await?,
                    Heard::Group { holder, head, .. } => {
                        Self::one(holder, What::Look(Look { at: At::Commit(head), ..stage.look(settings) }))
                    }
                    Heard::Asked { which, wish } => asked(stage, settings, github, which, wish).await?,
                    Heard::Spoken(spoken) => speech::heard(stage, settings, github, spoken).await?,
                }
            }
            _ => by_inputs(stage, inputs, settings, github).await?,
        };
        // Whose environments these are is the platform's to say.
        if let Self::One(one) = &task
            && let Some(repo) = one.holder.repository()
            && !settings.github.serves(repo, Some(&stage.job.repository))
        {
            return Err(UserError::usage(format!("berth has no environments for {repo} here"))
                .hint("`github.repositories` in the platform file names the repositories that it works for")
                .into());
        }
        Ok(task)
    }

    pub(super) fn one(holder: Holder, what: What) -> Self {
        Self::One(Box::new(One { holder, what }))
    }
}

impl Stage<'_> {
    /// By the checkout's files, of forks only what is approved.
    pub(super) fn look(&self, settings: &Settings) -> Look {
        Look {
            occasion: Occasion::Event,
            is_filtered: true,
            at: At::Any,
            forks: Forks::Approved { label: settings.github.approval_label.to_string(), head: None },
            extends: None,
        }
    }

    /// Whether it says anywhere what the app is.
    pub(super) fn has_app_file(&self) -> bool {
        self.named().is_some() || APP_FILES.iter().any(|place| self.directory.join(place).exists())
    }

    /// The app file that somebody named.
    fn named(&self) -> Option<PathBuf> {
        self.global.config.clone().or_else(|| self.environment.path("BERTH_CONFIG"))
    }

    /// Of which commits the app's files are, where they are in a checkout of its repository.
    pub(super) fn checked_out(&self, settings: &Settings, repo: Option<&RepoName>) -> At {
        let beside =
            self.named().and_then(|config| config.parent().map(|parent| self.directory.join(parent)));
        // A checkout of the app's own, within that of the repository whose workflow this is.
        let own = beside.filter(|beside| *beside != self.directory && beside.join(".git").exists());
        let is_job = own.is_none();
        let directory = match own {
            _ if settings.app.deploy.is_none() => return At::Any,
            Some(own) => own,
            None if repo == Some(&self.job.repository) => self.directory.clone(),
            None => return At::Any,
        };
        match Checkout::of(&directory) {
            Checkout::At(sha) if is_job && Some(&sha) == self.job.commit.as_ref() => At::Workflow(sha),
            Checkout::At(sha) => At::Checkout(Some(sha)),
            Checkout::Unknown => At::Checkout(None),
        }
    }
}

/// Whether somebody may write there.
pub(super) async fn may_write(github: &GitHub, repo: &RepoName, who: Option<&Login>) -> Result<bool> {
    match who {
        Some(login) => Ok(github.permission(repo, login).await? >= Permission::Write),
        None => Ok(false),
    }
}

/// Whether somebody has let this very run go on, as a reviewer of its job's environment: what they approved is the commit of
/// its event.
async fn stands_behind_a_gate(stage: &Stage<'_>, github: &GitHub) -> Result<bool> {
    let Some(run) = stage.job.run else { return Ok(false) };
    match github.is_run_approved(&stage.job.repository, run).await {
        Err(failure) if failure.kind == Kind::Refused => {
            tracing::debug!("no reviewer's approval counts: {failure}");
            Ok(false)
        }
        asked => Ok(asked?),
    }
}

async fn pull_request(
    stage: &Stage<'_>,
    settings: &Settings,
    github: &GitHub,
    happened: Happened,
) -> Result<Task> {
    let Happened { of, head, by, labeled, unlabeled, only_for, origin } = happened;
    let approval = &settings.github.approval_label;
    let is = |label: &LabelName, other: &LabelName| label.as_ref().eq_ignore_ascii_case(other.as_ref());
    let is_approval = |label: &LabelName| is(label, approval);
    let is_extension = |label: &LabelName| is(label, &settings.github.extend_label);
    let (filter, skip) = (&settings.app.filter, &settings.app.skip);
    // GitHub drops a run that waits for another where a newer one comes, be it of a label: so it looks if nobody has yet.
    if let Some(label) = only_for
        .as_ref()
        .filter(|label| !is_approval(label) && !is_extension(label) && !knows(filter, skip, label))
        && is_judged(settings, github, &of.repo, &head).await
    {
        let why = format!("no setting names the label {label}");
        return Ok(Task::Told(Some(Holder::PullRequest(of)), Outcome::Unconcerned { why }));
    }
    let approved = match labeled.as_ref().is_some_and(is_approval) {
        true => may_write(github, &of.repo, by.as_ref()).await?.then(|| head.clone()),
        false if origin != Origin::Same => stands_behind_a_gate(stage, github).await?.then(|| head.clone()),
        false => None,
    };
    let mut look = stage.look(settings);
    look.at = At::Commit(head);
    if labeled.as_ref().is_some_and(is_extension) && may_write(github, &of.repo, by.as_ref()).await? {
        look.extends = Some(settings.lifetime.max);
    }
    look.forks = match unlabeled.as_ref().is_some_and(is_approval) {
        true => Forks::TakenBack(approval.to_string()),
        false => Forks::Approved { label: approval.to_string(), head: approved },
    };
    Ok(Task::one(Holder::PullRequest(of), What::Look(look)))
}

/// Whether a run has said of this commit how it ended. Who cannot tell looks: that does no harm.
async fn is_judged(settings: &Settings, github: &GitHub, repo: &RepoName, head: &HeadSha) -> bool {
    let status = github.latest_status(repo, head, &settings.github.status).await;
    status.is_ok_and(|status| status.is_some_and(|status| status.state != State::Pending))
}

/// A dispatch: as if it had been opened; or its removal.
async fn asked(
    stage: &Stage<'_>,
    settings: &Settings,
    github: &GitHub,
    which: Which,
    wish: Wish,
) -> Result<Task> {
    let holder = assemble::holder_of(settings, stage.environment, &which).await?;
    let at = stage.checked_out(settings, holder.repository());
    Ok(match (wish, &holder) {
        (Wish::Up, _) => Task::one(holder, What::Look(Look { at, ..stage.look(settings) })),
        (Wish::Down, _) => removal(github, holder).await?,
    })
}

/// Of what is open, at once: it would come back with the next look, so its removal is a wish of its own.
async fn removal(github: &GitHub, holder: Holder) -> Result<Task> {
    let is_closed = match &holder {
        Holder::PullRequest(pull) => {
            let pull = github.pull(pull).await?;
            pull.is_none_or(|pull| !matches!(pull.standing, Standing::Open | Standing::Draft))
        }
        _ => false,
    };
    let occasion = if is_closed { Occasion::Event } else { Occasion::DownNow };
    Ok(Task::one(holder, What::Down(occasion)))
}

/// `command: up`, `down` and `report`.
async fn by_inputs(stage: &Stage<'_>, inputs: &Inputs, settings: &Settings, github: &GitHub) -> Result<Task> {
    let of_event = stage.holder();
    let holder = match (&inputs.environment, &of_event) {
        (Some(which), _) => assemble::holder_of(settings, stage.environment, which).await?,
        (None, Some(holder)) => holder.clone(),
        (None, None) => {
            let message = format!("input `environment`: the event `{}` does not say whose", stage.job.event);
            return Err(UserError::usage(message).hint("name one as owner/repo#number").into());
        }
    };
    let head = stage.head().filter(|_| of_event.as_ref() == Some(&holder));
    Ok(match inputs.order {
        Order::Down => removal(github, holder).await?,
        Order::Report => {
            let Some(head) = head else {
                let message = "input `command`: results are handed in by a job of the pull request's own event, \
                               which says of which commit they are";
                return Err(UserError::usage(message).into());
            };
            let (asked, name) = (inputs.junit.as_deref(), inputs.name.as_deref());
            let found = results(&stage.directory, asked.unwrap_or_default(), name.unwrap_or_default())?;
            Task::one(holder, What::HandIn(head, found))
        }
        _ => {
            let label = settings.github.approval_label.to_string();
            let at = match &head {
                Some(head) => At::Commit(head.clone()),
                None => stage.checked_out(settings, holder.repository()),
            };
            let forks = Forks::Approved { label, head: None };
            let look = Look { occasion: Occasion::UpNow, is_filtered: false, at, forks, extends: None };
            Task::one(holder, What::Look(look))
        }
    })
}
