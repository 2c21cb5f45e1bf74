//! `repository_dispatch`: an event of the sender's own, with a payload that GitHub keeps small.

use super::{Answer, Call, GitHub, done, fields::Fields, hooks::Happening, refusal};
use serde_json::Value;

const MOST_PROPERTIES: usize = 10;
const LARGEST_PAYLOAD: usize = 65_535;
const LONGEST_TYPE: usize = 100;

impl GitHub {
    pub(super) fn dispatch(&mut self, call: &Call<'_>, id: u64) -> Answer {
        let fields = Fields::of(call.request, &["event_type", "client_payload"])?;
        let event_type = fields.needed("event_type")?;
        if event_type.is_empty() || event_type.chars().count() > LONGEST_TYPE {
            let message =
                format!("For 'properties/event_type', it is not of 1 to {LONGEST_TYPE} characters.");
            return Err(refusal::malformed(message));
        }
        let payload = fields.object("client_payload")?.cloned().unwrap_or_default();
        if payload.len() > MOST_PROPERTIES {
            let sent = payload.len();
            return Err(refusal::malformed(format!(
                "No more than {MOST_PROPERTIES} properties are allowed; {sent} were supplied."
            )));
        }
        let payload = Value::Object(payload);
        if payload.to_string().chars().count() > LARGEST_PAYLOAD {
            return Err(refusal::unprocessable("client_payload is too large."));
        }
        let sender = call.grant.as_ref().map(|grant| grant.login.clone());
        self.happens(id, sender.as_deref(), &Happening::Dispatch { event_type, payload: &payload });
        done()
    }
}
