//! Validating webhooks: who else is asked before an object of a custom kind is stored, and how it says no.
//!
//! They are asked after all rules of the server's own, and about objects, not about their status. It must never ask one
//! about another kind than its own.

use super::ApiServer;
use super::refusal::{self, Refusal};
use super::target::Target;
use serde_json::Value;

/// A webhook of one kind.
#[derive(Clone, Copy)]
pub struct Webhook {
    /// As its configuration calls it.
    pub name: &'static str,
    /// What it says to a new object that it does not take.
    pub create: fn(&Value) -> Option<Denied>,
    /// What it says to what an object would become.
    pub update: fn(&Value) -> Option<Denied>,
}

/// Why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// A field is wrong: 422.
    Invalid(String),
    /// Said without a status of its own: 403.
    Forbidden(String),
}

impl Denied {
    /// What it says.
    pub fn why(&self) -> &str {
        match self {
            Denied::Invalid(why) | Denied::Forbidden(why) => why,
        }
    }
}

impl ApiServer {
    /// Asks this webhook about every object of this resource from now on.
    pub fn add_webhook(&mut self, resource: &str, webhook: Webhook) {
        self.webhooks.push((resource.to_owned(), webhook));
    }

    /// Refuses what one of them does not take; `current` is none for what would come to be.
    pub(super) fn ask_webhooks(
        &self,
        target: &Target,
        current: Option<&Value>,
        next: &Value,
    ) -> Result<(), Refusal> {
        if target.status {
            return Ok(());
        }
        let resource = target.qualified();
        for (_, webhook) in self.webhooks.iter().filter(|(of, _)| *of == resource) {
            let judge = if current.is_some() { webhook.update } else { webhook.create };
            if let Some(denied) = judge(next) {
                return Err(refusal::denied(webhook.name, &denied));
            }
        }
        Ok(())
    }
}
