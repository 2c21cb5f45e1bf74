//! Labels on pull requests. Adding one that the repository does not know makes it.

use super::{
    Answer, Call, GitHub,
    fields::{Fields, texts},
    hooks::Happening,
    listed, ok,
    refusal::{self, Refusal},
    state::Label,
};
use serde_json::Value;

/// GitHub takes no more on one issue.
const MOST: usize = 100;

impl GitHub {
    pub(super) fn list_labels(&self, call: &Call<'_>, id: u64, number: &str) -> Answer {
        let pull = self.pull_of(id, number)?;
        let labels = self.show(call).labels(&self.repositories[&id], pull);
        listed(self.cut(call, id, labels))
    }

    pub(super) fn add_labels(&mut self, call: &Call<'_>, id: u64, number: &str) -> Answer {
        let fields = Fields::of(call.request, &["labels"])?;
        let sent = fields.list("labels")?.ok_or_else(|| refusal::malformed("\"labels\" wasn't supplied."))?;
        let names = texts("labels", sent)?;
        let pull = self.pull_of(id, number)?;
        if names.is_empty() || names.iter().any(|name| name.trim().is_empty() || name.chars().count() > 50) {
            return Err(refusal::invalid("Label", "name", "invalid"));
        }
        if pull.labels.len() + names.len() > MOST {
            return Err(refusal::custom(
                "Issue",
                "labels",
                format!("Issues cannot have more than {MOST} labels"),
            ));
        }
        let number = pull.number;
        let sender = call.grant.as_ref().map(|grant| grant.login.clone());
        for name in names {
            self.put_label(id, number, sender.as_deref(), &name);
        }
        self.labels_of(call, id, number)
    }

    /// Also what people do. Labels do not differ by case, and one that is there already makes nothing happen.
    pub(super) fn put_label(&mut self, id: u64, number: u64, sender: Option<&str>, name: &str) {
        let made = self.next_id();
        let now = self.now;
        let Some(repository) = self.repositories.get_mut(&id) else { return };
        let known = repository.labels.iter().find(|label| label.name.eq_ignore_ascii_case(name)).cloned();
        let label = known.unwrap_or_else(|| {
            let label = Label { id: made, name: name.to_owned() };
            repository.labels.push(label.clone());
            label
        });
        let Some(pull) = repository.pulls.get_mut(&number) else { return };
        if pull.labels.contains(&label.name) {
            return;
        }
        pull.labels.push(label.name.clone());
        pull.updated_at = now;
        self.happens(id, sender, &Happening::Labels { action: "labeled", number, label: &label });
    }

    pub(super) fn remove_label(&mut self, call: &Call<'_>, id: u64, number: &str, name: &str) -> Answer {
        let number = self.pull_of(id, number)?.number;
        let sender = call.grant.as_ref().map(|grant| grant.login.clone());
        self.take_label(id, number, sender.as_deref(), name)?;
        self.labels_of(call, id, number)
    }

    pub(super) fn take_label(
        &mut self,
        id: u64,
        number: u64,
        by: Option<&str>,
        name: &str,
    ) -> Result<(), Refusal> {
        let none = || refusal::nothing_at("Label does not exist");
        let now = self.now;
        let repository = self.repositories.get_mut(&id).ok_or_else(none)?;
        let pull = repository.pulls.get_mut(&number).ok_or_else(none)?;
        let at = pull.labels.iter().position(|label| label.eq_ignore_ascii_case(name)).ok_or_else(none)?;
        let name = pull.labels.remove(at);
        pull.updated_at = now;
        let label = repository.labels.iter().find(|label| label.name == name).cloned().ok_or_else(none)?;
        self.happens(id, by, &Happening::Labels { action: "unlabeled", number, label: &label });
        Ok(())
    }

    fn labels_of(&self, call: &Call<'_>, id: u64, number: u64) -> Answer {
        let repository = &self.repositories[&id];
        let pull = repository.pulls.get(&number).ok_or_else(refusal::not_found)?;
        ok(Value::Array(self.show(call).labels(repository, pull)))
    }
}
