//! The judge of what is sent to GitHub and of what the embedded one answers: GitHub's own description of its API.
//!
//! Requests are held against it strictly: the operation must exist, every parameter and property must be described, of its
//! type, within its bounds. Answers must have a status that is documented for the operation, and what is required of it,
//! in the declared types, enumerations and formats. All that is let pass beyond that stands in [`ANYWHERE`] and [`RELAXED`].

use super::schema::{Notes, Relaxation, Schemas, Way};
use berth::rehearsal::{Request, Server, gate::Gate};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// Statuses that GitHub answers on any operation, whatever is documented for it; each with its reason.
/// Their body must be that of an error, and that of a 304 is none.
pub(crate) const ANYWHERE: &[(u16, &str)] = &[
    (301, "reading under the old name of a renamed repository"),
    (304, "every GET takes If-None-Match; it is documented for some"),
    (307, "writing under the old name of a renamed repository"),
    (400, "a body that is no JSON, a version of the API that is not served"),
    (401, "a token that is wrong or expired, or none where one is needed"),
    (403, "a missing permission, an archived repository, and both kinds of limits"),
    (404, "what the token may not see"),
    (422, "a body that breaks the description of an operation for which no 422 is documented"),
    (429, "both kinds of limits"),
];

/// Where GitHub answers null although its description has no null there.
pub(crate) const RELAXED: &[Relaxation] = &[
    Relaxation { place: "pull-request/head/repo", why: "the fork that it came from is deleted" },
    Relaxation { place: "pull-request-simple/head/repo", why: "the fork that it came from is deleted" },
    Relaxation {
        place: "pull-request-simple/labels/*/description",
        why: "a label without one has null; only the list's schema says otherwise",
    },
];

/// How a request is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sender {
    /// A client of ours: what it sends must be right.
    Client,
    /// A test that sends wrong things on purpose: what is wrong must be refused, or the world is kinder than GitHub.
    Tester,
}

/// What was seen so far.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// `GET /repos/{owner}/{repo} 200`.
    pub(crate) answers: BTreeSet<String>,
    /// The relaxations that were needed.
    pub(crate) relaxed: BTreeSet<&'static str>,
}

pub(crate) struct Judge {
    description: Value,
    seen: Arc<Mutex<Seen>>,
}

struct Operation<'a> {
    name: String,
    described: &'a Value,
    path: Vec<(String, String)>,
}

impl Judge {
    /// With the description that was fetched. Panics if that has rules which it does not know.
    pub(crate) fn new() -> Self {
        Self::by(super::fetched("api.json"))
    }

    pub(crate) fn by(description: Value) -> Self {
        let judge = Self { description, seen: Arc::default() };
        let schemas = judge.schemas();
        let inside = |value: &Value| {
            let (value, _) = schemas.follow(value);
            for content in value["content"].as_object().into_iter().flat_map(|content| content.values()) {
                schemas.know(&content["schema"]);
            }
            if value["schema"].is_object() {
                schemas.know(&value["schema"]);
            }
        };
        let components = &judge.description["components"];
        components["schemas"].as_object().into_iter().flatten().for_each(|(_, schema)| schemas.know(schema));
        for operations in judge.description["paths"].as_object().unwrap().values() {
            for operation in operations.as_object().unwrap().values() {
                operation["parameters"].as_array().into_iter().flatten().for_each(&inside);
                operation["responses"].as_object().unwrap().values().for_each(&inside);
                inside(&operation["requestBody"]);
            }
        }
        judge
    }

    /// Judges every exchange with GitHub at this gate from now on, and notes what it sees.
    pub(crate) fn attend(self, gate: &Gate, sender: Sender) -> Arc<Mutex<Seen>> {
        let seen = self.seen.clone();
        gate.witness(move |request, status, _, body| match request.server {
            Server::GitHub => self.exchange(sender, request, status, body),
            _ => Ok(()),
        });
        seen
    }

    /// All operations of the description: `GET /repos/{owner}/{repo}`.
    pub(crate) fn operations(&self) -> BTreeSet<String> {
        let paths = self.description["paths"].as_object().unwrap();
        let each = paths.iter().flat_map(|(path, operations)| {
            operations
                .as_object()
                .unwrap()
                .keys()
                .map(move |method| format!("{} {path}", method.to_uppercase()))
        });
        each.collect()
    }

    pub(crate) fn exchange(
        &self,
        sender: Sender,
        request: &Request,
        status: u16,
        body: &Value,
    ) -> Result<(), String> {
        match self.request(request) {
            Err(why) if sender == Sender::Client => return Err(format!("the request: {why}")),
            Err(why) if status < 400 => return Err(format!("kinder than GitHub, {status} to: {why}")),
            Ok(()) | Err(_) => {}
        }
        match self.operation(request) {
            Ok(operation) => {
                self.answer(&operation, status, body).map_err(|why| format!("the answer {status}: {why}"))
            }
            // Refused above if it was a client's.
            Err(_) if status == 404 => Ok(()),
            Err(why) => Err(why),
        }
    }

    fn schemas(&self) -> Schemas<'_> {
        Schemas { description: &self.description, relaxed: RELAXED }
    }

    fn operation(&self, request: &Request) -> Result<Operation<'_>, String> {
        let mut path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        // A server of one's own has it all below a path.
        if let ["api", "v3", ..] = path.as_slice() {
            path.drain(..2);
        }
        // Where a repository's id stands for its name; GitHub's own links and redirects lead there.
        if let ["repositories", id, ..] = path.as_slice() {
            path.splice(0..2, ["repos", "by-id", *id]);
        }
        let method = request.method.to_lowercase();
        let paths = self.description["paths"].as_object().unwrap();
        let matches = paths.iter().filter_map(|(template, operations)| {
            let described = operations.get(&method)?;
            let found = self.fit(template, described, &path)?;
            let name = format!("{} {template}", request.method);
            Some(Operation { name, described, path: found })
        });
        // A segment that is written out is nearer than one that a parameter takes.
        let nearest = matches.min_by_key(|operation| operation.path.len());
        nearest.ok_or_else(|| format!("no operation {} /{}", request.method, path.join("/")))
    }

    /// The parameters of a path, if the template fits it.
    fn fit(&self, template: &str, described: &Value, path: &[&str]) -> Option<Vec<(String, String)>> {
        let template: Vec<&str> = template.split('/').filter(|segment| !segment.is_empty()).collect();
        let mut found = Vec::new();
        let mut rest = path;
        for (at, segment) in template.iter().enumerate() {
            let Some(name) = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}')) else {
                rest = rest.strip_prefix(&[*segment])?;
                continue;
            };
            // One that may hold slashes takes all that the rest of the template leaves.
            let several =
                self.parameters(described).any(|p| p["name"] == name && p["x-multi-segment"] == true);
            let taken = if several { rest.len().checked_sub(template.len() - at - 1)? } else { 1 };
            if taken == 0 && !several || taken > rest.len() {
                return None;
            }
            found.push((name.to_owned(), rest[..taken].join("/")));
            rest = &rest[taken..];
        }
        rest.is_empty().then_some(found)
    }

    fn parameters<'a>(&'a self, described: &'a Value) -> impl Iterator<Item = &'a Value> {
        described["parameters"].as_array().into_iter().flatten().map(|parameter| {
            match parameter["$ref"].as_str() {
                Some(reference) => self.description.pointer(reference.trim_start_matches('#')).unwrap(),
                None => parameter,
            }
        })
    }

    pub(crate) fn request(&self, request: &Request) -> Result<(), String> {
        let operation = self.operation(request)?;
        let mut notes = Notes::default();
        let mut value = |at: &str, name: &str, text: &str| {
            let mut all = self.parameters(operation.described);
            let Some(parameter) = all.find(|parameter| parameter["in"] == at && parameter["name"] == name)
            else {
                return Err(format!("the {at} parameter {name} is not described"));
            };
            let schema = self.schemas().follow(&parameter["schema"]).0.clone();
            let typed = match schema["type"].as_str() {
                Some("integer") => text.parse::<i64>().map(|n| json!(n)).unwrap_or(json!(text)),
                Some("boolean") => text.parse::<bool>().map(|b| json!(b)).unwrap_or(json!(text)),
                _ => json!(text),
            };
            let outcome = self.schemas().check(&schema, &typed, Way::Sent, &mut notes);
            outcome.map_err(|why| format!("the {at} parameter {name}{why}"))
        };
        for (name, text) in &operation.path {
            value("path", name, text)?;
        }
        for (name, text) in &request.query {
            value("query", name, text)?;
        }
        let required = |p: &&Value| p["in"] == "query" && p["required"] == true;
        let mut required = self.parameters(operation.described).filter(required);
        if let Some(missing) = required.find(|p| !request.query.contains_key(p["name"].as_str().unwrap())) {
            return Err(format!("the query parameter {} is missing", missing["name"]));
        }
        let body = &operation.described["requestBody"];
        if body.is_null() {
            return if request.body.is_null() { Ok(()) } else { Err("it takes no body".to_owned()) };
        }
        if request.body.is_null() && body["required"] != true {
            return Ok(());
        }
        let schema = &body["content"]["application/json"]["schema"];
        self.schemas().check(schema, &request.body, Way::Sent, &mut notes).map_err(|why| format!("body{why}"))
    }

    fn answer(&self, operation: &Operation<'_>, status: u16, body: &Value) -> Result<(), String> {
        let mut notes = Notes::default();
        let documented = &operation.described["responses"][status.to_string()];
        let anywhere = ANYWHERE.iter().any(|(known, _)| *known == status);
        if documented.is_null() && !anywhere {
            return Err(format!("not documented for {}", operation.name));
        }
        // The description requires nothing of an error; GitHub always says this much.
        let says = |key: &str| body[key].is_string();
        if status >= 300 && status != 304 && !(says("message") && says("documentation_url")) {
            return Err(format!("{body} says neither what nor where to read on"));
        }
        let schemas = self.schemas();
        let (documented, _) = schemas.follow(documented);
        match &documented["content"]["application/json"]["schema"] {
            Value::Null if matches!(status, 204 | 304) => {
                if !body.is_null() {
                    return Err("it has a body".to_owned());
                }
            }
            Value::Null if status < 300 => return Err("a success without a described body".to_owned()),
            // Documented or not, the form of an error is always the same.
            Value::Null => {
                let error = json!({ "$ref": "#/components/schemas/basic-error" });
                schemas.check(&error, body, Way::Answered, &mut notes)?;
            }
            schema => schemas.check(schema, body, Way::Answered, &mut notes)?,
        }
        let mut seen = self.seen.lock().unwrap();
        seen.answers.insert(format!("{} {status}", operation.name));
        seen.relaxed.extend(notes.relaxed);
        Ok(())
    }
}
