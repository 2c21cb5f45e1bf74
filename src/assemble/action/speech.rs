//! What people say to berth on a pull request: whether they may, and that they were heard.
//!
//! Must never: do what was not understood; leave somebody who spoke to it without an answer.

use super::{
    Stage,
    task::{Look, Task, What, may_write},
};
use crate::{
    clients::github::{GitHub, Reaction},
    domain::{command::Command, event::Spoken, holder::Holder, intent::Occasion, report::Outcome},
    engine::Forks,
    errors::UserError,
    settings::Settings,
};
use anyhow::Result;

/// What follows from it.
pub(super) async fn heard(
    stage: &Stage<'_>,
    settings: &Settings,
    github: &GitHub,
    spoken: Spoken,
) -> Result<Task> {
    let Spoken { on, comment, by, command } = spoken;
    let repo = on.repo.clone();
    let holder = Holder::PullRequest(on);
    let answer = async |reaction| {
        if let Err(error) = github.react(&repo, comment, reaction).await {
            tracing::warn!("the comment could not be answered: {error}");
        }
    };
    if !may_write(github, &repo, by.as_ref()).await? {
        answer(Reaction::No).await;
        let who = by.as_ref().map_or("somebody who is gone", AsRef::as_ref);
        let why = format!("{who} may not write in {repo}, and berth obeys only those who may");
        return Ok(Task::Told(Some(holder), Outcome::Unconcerned { why }));
    }
    let command = match command {
        Ok(command) => command,
        Err(not_understood) => {
            answer(Reaction::Confused).await;
            let why = not_understood.to_string();
            return Ok(Task::Told(Some(holder), Outcome::Unconcerned { why }));
        }
    };
    // An environment without its app would be called ready.
    if matches!(command, Command::Up(_) | Command::Retest) && !stage.has_app_file() {
        answer(Reaction::Confused).await;
        let message = format!("there is no app file here, so nobody knows what {holder} runs");
        return Err(UserError::usage(message)
            .hint(
                "check out the pull request first, as workflows-examples/comment.yml does; one of a fork comes up by the \
                 label of its approval, as in workflows-examples/fork.yml",
            )
            .into());
    }
    answer(Reaction::Yes).await;
    let at = stage.checked_out(settings, Some(&repo));
    let label = settings.github.approval_label.to_string();
    let look = |occasion, head| Look {
        occasion,
        is_filtered: false,
        at,
        forks: Forks::Approved { label, head },
        extends: None,
    };
    let what = match command {
        Command::Up(approved) => What::Look(look(Occasion::UpNow, approved)),
        Command::Down => What::Down(Occasion::DownNow),
        Command::Extend(by) => What::Extend(by.into()),
        Command::Retest => What::Retest(look(Occasion::Event, None)),
        Command::Status => What::TellAgain,
    };
    Ok(Task::one(holder, what))
}
