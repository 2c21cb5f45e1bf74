//! Comments on pull requests.

use super::{
    Answer, Call, GitHub, created, done,
    fields::Fields,
    hooks::Happening,
    listed, ok,
    refusal::{self, Refusal},
    state::Comment,
};
use serde_json::json;

/// What GitHub says is the most. It has been seen to take somewhat more of other scripts; nobody should count on it.
const LONGEST: usize = 65_536;

fn body(call: &Call<'_>) -> Result<String, Refusal> {
    let fields = Fields::of(call.request, &["body"])?;
    let body = fields.needed("body")?;
    if body.trim().is_empty() {
        return Err(refusal::custom("IssueComment", "body", "Body cannot be blank"));
    }
    if body.chars().count() > LONGEST {
        let error = json!({
            "resource": "IssueComment", "field": "data", "code": "unprocessable",
            "message": format!("Body is too long (maximum is {LONGEST} characters)"),
        });
        let mut refusal = refusal::unprocessable("Validation Failed");
        refusal.body.insert("errors".to_owned(), json!([error]));
        return Err(refusal);
    }
    Ok(body.to_owned())
}

impl GitHub {
    pub(super) fn list_comments(&self, call: &Call<'_>, id: u64, number: &str) -> Answer {
        let number = self.pull_of(id, number)?.number;
        let since = match call.query("since").map(str::parse::<jiff::Timestamp>) {
            None => None,
            Some(Ok(since)) => Some(since),
            Some(Err(_)) => return Err(refusal::invalid("IssueComment", "since", "invalid")),
        };
        let repository = &self.repositories[&id];
        let comments = repository.comments.values().filter(|comment| comment.number == number);
        let comments = comments.filter(|comment| since.is_none_or(|since| comment.updated_at >= since));
        let (comments, link) = self.cut(call, id, comments.collect());
        let show = self.show(call);
        listed((comments.into_iter().map(|comment| show.comment(repository, comment)).collect(), link))
    }

    pub(super) fn make_comment(&mut self, call: &Call<'_>, id: u64, number: &str) -> Answer {
        let body = body(call)?;
        let pull = self.pull_of(id, number)?;
        if pull.locked {
            return Err(refusal::forbidden("Unable to create comment because issue is locked."));
        }
        let number = pull.number;
        let author = call.grant.as_ref().map(|grant| grant.login.clone()).unwrap_or_default();
        let comment = self.say(id, number, &author, body);
        let repository = &self.repositories[&id];
        created(self.show(call).comment(repository, &repository.comments[&comment]))
    }

    /// Also what people do.
    pub(super) fn say(&mut self, id: u64, number: u64, author: &str, body: String) -> u64 {
        let (comment, now) = (self.next_id(), self.now);
        let author = Some(author.to_owned());
        let made = Comment {
            id: comment,
            number,
            author: author.clone(),
            body,
            reactions: Vec::new(),
            created_at: now,
            updated_at: now,
        };
        if let Some(repository) = self.repositories.get_mut(&id) {
            repository.comments.insert(comment, made.clone());
        }
        self.happens(
            id,
            author.as_deref(),
            &Happening::Comment { action: "created", comment: &made, before: None },
        );
        comment
    }

    /// Reads, edits or deletes.
    pub(super) fn one_comment(&mut self, call: &Call<'_>, id: u64, comment: &str) -> Answer {
        let key: u64 = comment.parse().map_err(|_| refusal::not_found())?;
        let found = self.repositories[&id].comments.get(&key).cloned().ok_or_else(refusal::not_found)?;
        let sender = call.grant.as_ref().map(|grant| grant.login.clone());
        let after = match call.request.method.as_str() {
            "GET" => found,
            "PATCH" => {
                let edited = Comment { body: body(call)?, updated_at: self.now, ..found.clone() };
                if let Some(repository) = self.repositories.get_mut(&id) {
                    repository.comments.insert(key, edited.clone());
                }
                let happening =
                    Happening::Comment { action: "edited", comment: &edited, before: Some(&found.body) };
                self.happens(id, sender.as_deref(), &happening);
                edited
            }
            "DELETE" => {
                let happening = Happening::Comment { action: "deleted", comment: &found, before: None };
                self.happens(id, sender.as_deref(), &happening);
                if let Some(repository) = self.repositories.get_mut(&id) {
                    repository.comments.remove(&key);
                }
                return done();
            }
            _ => return Err(refusal::not_found()),
        };
        ok(self.show(call).comment(&self.repositories[&id], &after))
    }
}
