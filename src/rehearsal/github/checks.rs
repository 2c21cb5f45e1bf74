//! Check runs. Only apps may write them (`GITHUB_TOKEN` is one); annotations are appended, never replaced.

use super::{
    Answer, Call, GitHub, Success,
    access::Kind,
    created,
    fields::Fields,
    listed, ok,
    refusal::{self, Refusal},
    state::{CheckRun, Repository},
};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// In one request.
const MOST_ANNOTATIONS: usize = 50;
const LONGEST_TEXT: usize = 65_535;
const LARGEST_MESSAGE: usize = 64 << 10;
const CONCLUSIONS: &[&str] =
    &["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"];
const KEYS: &[&str] = &[
    "name",
    "head_sha",
    "details_url",
    "external_id",
    "status",
    "started_at",
    "conclusion",
    "completed_at",
    "output",
    "actions",
];

/// What a request says about a check run; the rest stays as it was.
struct Change {
    name: Option<String>,
    status: Option<&'static str>,
    conclusion: Option<&'static str>,
    details_url: Option<String>,
    external_id: Option<String>,
    started_at: Option<String>,
    completed_at: Option<String>,
    output: BTreeMap<&'static str, String>,
    annotations: Vec<Value>,
}

fn annotation(sent: &Value) -> Result<(), Refusal> {
    let Value::Object(sent) = sent else { return Err(refusal::malformed("An annotation is not an object.")) };
    let keys = [
        "path",
        "start_line",
        "end_line",
        "start_column",
        "end_column",
        "annotation_level",
        "message",
        "title",
        "raw_details",
    ];
    let fields = Fields::within(sent, &keys)?;
    fields.needed("path")?;
    fields.needed("annotation_level")?;
    fields.one_of("annotation_level", &["notice", "warning", "failure"])?;
    let line = |key: &str| {
        fields.number(key)?.ok_or_else(|| refusal::malformed(format!("\"{key}\" wasn't supplied.")))
    };
    let (start, end) = (line("start_line")?, line("end_line")?);
    let columns = fields.number("start_column")?.or(fields.number("end_column")?);
    if end < start || columns.is_some() && start != end {
        return Err(refusal::invalid("CheckRun", "annotations", "invalid"));
    }
    let large = |text: Option<&str>, most| text.is_some_and(|text| text.len() > most);
    if fields.needed("message")?.len() > LARGEST_MESSAGE
        || large(fields.text("raw_details")?, LARGEST_MESSAGE)
        || fields.text("title")?.is_some_and(|title| title.chars().count() > 255)
    {
        return Err(refusal::invalid("CheckRun", "annotations", "too_large"));
    }
    Ok(())
}

impl Change {
    fn of(fields: &Fields<'_>) -> Result<Self, Refusal> {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let time = |key: &str| match fields.text(key)? {
            Some(text) if text.parse::<jiff::Timestamp>().is_err() => {
                Err(refusal::invalid("CheckRun", key, "invalid"))
            }
            text => Ok(own(text)),
        };
        let conclusion = fields.one_of("conclusion", CONCLUSIONS)?;
        let mut status = fields.one_of("status", &["queued", "in_progress", "completed"])?;
        let completed_at = time("completed_at")?;
        if conclusion.is_none() && (status == Some("completed") || completed_at.is_some()) {
            return Err(refusal::malformed("\"conclusion\" wasn't supplied."));
        }
        if conclusion.is_some() {
            status = Some("completed");
        }
        let (mut output, mut annotations) = (BTreeMap::new(), Vec::new());
        if let Some(sent) = fields.object("output")? {
            let sent = Fields::within(sent, &["title", "summary", "text", "annotations", "images"])?;
            sent.needed("title")?;
            sent.needed("summary")?;
            for key in ["title", "summary", "text"] {
                let Some(text) = sent.text(key)? else { continue };
                if text.chars().count() > LONGEST_TEXT {
                    return Err(refusal::too_long("CheckRun", key, LONGEST_TEXT));
                }
                output.insert(key, text.to_owned());
            }
            annotations = sent.list("annotations")?.unwrap_or_default().to_vec();
            if annotations.len() > MOST_ANNOTATIONS {
                let message = format!(
                    "No more than {MOST_ANNOTATIONS} items are allowed; {} were supplied.",
                    annotations.len()
                );
                return Err(refusal::malformed(message));
            }
            annotations.iter().try_for_each(annotation)?;
        }
        if fields.list("actions")?.is_some_and(|actions| actions.len() > 3) {
            return Err(refusal::malformed("No more than 3 items are allowed."));
        }
        Ok(Self {
            name: own(fields.text("name")?),
            status,
            conclusion,
            details_url: own(fields.text("details_url")?),
            external_id: own(fields.text("external_id")?),
            started_at: time("started_at")?,
            completed_at,
            output,
            annotations,
        })
    }

    fn make(self, check: &mut CheckRun, now: String) {
        let set = |to: &mut Option<String>, from: Option<String>| *to = from.or(to.take());
        if let Some(name) = self.name {
            check.name = name;
        }
        if let Some(status) = self.status {
            check.status = status;
        }
        if self.conclusion.is_some() {
            check.conclusion = self.conclusion;
            check.completed_at.get_or_insert(now.clone());
        }
        if check.status != "completed" {
            (check.conclusion, check.completed_at) = (None, None);
        }
        check.started_at.get_or_insert(now);
        set(&mut check.details_url, self.details_url);
        set(&mut check.external_id, self.external_id);
        set(&mut check.started_at, self.started_at);
        set(&mut check.completed_at, self.completed_at);
        check.output.extend(self.output);
        check.annotations.extend(self.annotations);
    }
}

fn app(call: &Call<'_>) -> Result<String, Refusal> {
    match call.grant.as_ref().map(|grant| &grant.kind) {
        Some(Kind::App(slug)) => Ok(slug.clone()),
        Some(Kind::Personal) | None => Err(refusal::forbidden("You must authenticate via a GitHub App.")),
    }
}

fn find<'a>(repository: &'a Repository, check: &str) -> Result<&'a CheckRun, Refusal> {
    let id: u64 = check.parse().map_err(|_| refusal::not_found())?;
    repository.checks.get(&id).ok_or_else(refusal::not_found)
}

impl GitHub {
    pub(super) fn make_check(&mut self, call: &Call<'_>, id: u64) -> Answer {
        let app = app(call)?;
        let fields = Fields::of(call.request, KEYS)?;
        let (name, sha) = (fields.needed("name")?, fields.needed("head_sha")?);
        let change = Change::of(&fields)?;
        if !self.repositories[&id].commits.contains(sha) {
            return Err(refusal::unprocessable(format!("No commit found for SHA: {sha}")));
        }
        let mut check = CheckRun {
            id: self.next_id(),
            app,
            sha: sha.to_owned(),
            name: name.to_owned(),
            status: "queued",
            conclusion: None,
            output: BTreeMap::new(),
            annotations: Vec::new(),
            details_url: None,
            external_id: None,
            started_at: None,
            completed_at: None,
        };
        change.make(&mut check, self.now.to_string());
        let shown = self.show(call).check(&self.repositories[&id], &check);
        if let Some(repository) = self.repositories.get_mut(&id) {
            repository.checks.insert(check.id, check);
        }
        created(shown)
    }

    pub(super) fn update_check(&mut self, call: &Call<'_>, id: u64, check: &str) -> Answer {
        let app = app(call)?;
        let known: Vec<&str> = KEYS.iter().copied().filter(|key| *key != "head_sha").collect();
        let change = Change::of(&Fields::of(call.request, &known)?)?;
        let mut check = find(&self.repositories[&id], check)?.clone();
        if check.app != app {
            return Err(refusal::forbidden("Resource not accessible by integration"));
        }
        change.make(&mut check, self.now.to_string());
        let shown = self.show(call).check(&self.repositories[&id], &check);
        if let Some(repository) = self.repositories.get_mut(&id) {
            repository.checks.insert(check.id, check);
        }
        ok(shown)
    }

    pub(super) fn read_check(&self, call: &Call<'_>, id: u64, check: &str) -> Answer {
        let repository = &self.repositories[&id];
        ok(self.show(call).check(repository, find(repository, check)?))
    }

    pub(super) fn list_annotations(&self, call: &Call<'_>, id: u64, check: &str) -> Answer {
        let repository = &self.repositories[&id];
        let check = find(repository, check)?;
        let (part, link) = self.cut(call, id, check.annotations.iter().collect());
        let show = self.show(call);
        listed((part.into_iter().map(|a| show.annotation(repository, &check.sha, a)).collect(), link))
    }

    /// Of one name the latest, unless all are asked for.
    pub(super) fn list_checks(&self, call: &Call<'_>, id: u64, reference: &str) -> Answer {
        let sha = self.commit_of(id, reference)?;
        let repository = &self.repositories[&id];
        let mut checks: Vec<&CheckRun> = Vec::new();
        for check in repository.checks.values().rev().filter(|check| check.sha == sha) {
            let superseded = checks.iter().any(|known| known.name == check.name && known.app == check.app);
            if !superseded || call.query("filter") == Some("all") {
                checks.push(check);
            }
        }
        checks.retain(|check| {
            call.query("check_name").is_none_or(|name| check.name == name)
                && call.query("status").is_none_or(|status| check.status == status)
        });
        let total = checks.len();
        let (checks, headers) = self.cut(call, id, checks);
        let show = self.show(call);
        let checks: Vec<Value> = checks.into_iter().map(|check| show.check(repository, check)).collect();
        Ok(Success { status: 200, headers, body: json!({ "total_count": total, "check_runs": checks }) })
    }
}
