//! Reactions to comments. Whoever reacts again in the same way has reacted once.

use super::{Answer, Call, GitHub, created, fields::Fields, ok, refusal, state::Reaction};

const CONTENTS: &[&str] = &["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"];

impl GitHub {
    pub(super) fn react(&mut self, call: &Call<'_>, id: u64, comment: &str) -> Answer {
        let fields = Fields::of(call.request, &["content"])?;
        fields.needed("content")?;
        let content = fields.one_of("content", CONTENTS)?.ok_or_else(refusal::not_found)?;
        let comment: u64 = comment.parse().map_err(|_| refusal::not_found())?;
        let login = call.grant.as_ref().map(|grant| grant.login.clone()).unwrap_or_default();
        let next = self.next_id();
        let repository = self.repositories.get_mut(&id).ok_or_else(refusal::not_found)?;
        let found = repository.comments.get_mut(&comment).ok_or_else(refusal::not_found)?;
        let known = found.reactions.iter().find(|known| known.login == login && known.content == content);
        if let Some(known) = known.cloned() {
            return ok(self.show(call).reaction(&known, self.now));
        }
        let made = Reaction { id: next, login, content };
        found.reactions.push(made.clone());
        let mut made = created(self.show(call).reaction(&made, self.now));
        // It has no address of its own.
        if let Ok(success) = &mut made {
            success.headers.clear();
        }
        made
    }
}
