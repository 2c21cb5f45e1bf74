//! What pull requests want, as GitHub says it now.
//!
//! Must never: take a pull request that could not be read for a closed one.

use super::{Asked, Wishes};
use crate::{
    clients::github::GitHub,
    domain::{holder::Holder, intent::Wanted, payload::Standing},
    errors::UserError,
};
use anyhow::Result;
use async_trait::async_trait;

/// By this client.
pub struct Pulls(pub GitHub);

#[async_trait(?Send)]
impl Wishes for Pulls {
    async fn of(&self, holder: &Holder) -> Result<Asked> {
        let Holder::PullRequest(pull) = holder else {
            let message = format!("{holder} is no pull request, so GitHub does not know what it wants");
            return Err(UserError::usage(message).hint("name one as owner/repo#number").into());
        };
        // There is none: GitHub's own word, of a repository that can be read.
        let Some(pull) = self.0.pull(pull).await? else {
            return Ok(Asked { wanted: Wanted::Down, merge: None });
        };
        let wanted = match pull.standing {
            Standing::Closed | Standing::Merged => Wanted::Down,
            _ => Wanted::Up(Some(pull.head)),
        };
        Ok(Asked { wanted, merge: pull.merge_commit })
    }
}

/// What somebody has said by hand.
pub struct Said(pub Asked);

#[async_trait(?Send)]
impl Wishes for Said {
    async fn of(&self, _: &Holder) -> Result<Asked> {
        Ok(self.0.clone())
    }
}
