//! Lists: what is selected, at one version, in pages.
//!
//! It must never let two pages of one list see two worlds, unless the client has been told so.

use super::super::Request;
use super::kinds::Kind;
use super::refusal::{self, Refusal};
use super::requests::Answer;
use super::select::Selector;
use super::target::Target;
use super::{ApiServer, Key};
use serde_json::{Value, json};

/// What is left of a list.
#[derive(Clone)]
pub(super) struct Page {
    version: u64,
    /// None if it has expired.
    rest: Option<Vec<Value>>,
    /// The last object that was given.
    after: Option<(String, String)>,
    /// Without selectors the server tells how many remain.
    counted: bool,
}

impl Page {
    pub(super) fn expire(&mut self) {
        self.rest = None;
    }
}

/// In the lists of built-in kinds the items do not say what they are.
fn item(kind: &Kind, mut shown: Value) -> Value {
    if let Some(fields) = shown.as_object_mut().filter(|_| kind.built_in()) {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    shown
}

fn place(object: &Value) -> (String, String) {
    let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
    (text("namespace"), text("name"))
}

impl ApiServer {
    pub(super) fn list(&mut self, target: &Target, request: &Request) -> Answer {
        let given = |name: &str| request.query.get(name).map(String::as_str).filter(|text| !text.is_empty());
        let limit = match given("limit") {
            None => usize::MAX,
            Some(text) => match text.parse::<i64>() {
                Ok(number) => usize::try_from(number).ok().filter(|n| *n > 0).unwrap_or(usize::MAX),
                Err(_) => {
                    let message = format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
                    return Err(refusal::bad_request(message));
                }
            },
        };
        let selector = Selector::of(&target.kind, &request.query)?;
        let page = match given("continue") {
            Some(_) if given("resourceVersion").is_some_and(|version| version != "0") => {
                let message = "specifying resource version is not allowed when using continue";
                return Err(refusal::bad_request(message));
            }
            Some(token) => self.continued(target, &selector, token)?,
            None => {
                self.at_version(given("resourceVersion"), given("resourceVersionMatch"))?;
                self.selected(target, &selector, None)
            }
        };
        let mut items = page.rest.unwrap_or_default();
        let rest = items.split_off(limit.min(items.len()));
        let mut metadata = json!({"resourceVersion": page.version.to_string()});
        if !rest.is_empty() {
            if page.counted {
                metadata["remainingItemCount"] = json!(rest.len());
            }
            self.issued_pages += 1;
            metadata["continue"] = json!(format!("page-{}", self.issued_pages));
            let after = items.last().map(place);
            self.pages.insert(self.issued_pages, Page { rest: Some(rest), after, ..page });
        }
        let list = format!("{}List", target.kind.kind);
        let api_version = target.kind.api_version();
        Ok((200, json!({"kind": list, "apiVersion": api_version, "metadata": metadata, "items": items})))
    }

    /// Only the present can be listed: what is older is answered like what is forgotten, which a real server may always do.
    fn at_version(&self, version: Option<&str>, matching: Option<&str>) -> Result<(), Refusal> {
        let Some(text) = version else { return Ok(()) };
        let version: u64 = text.parse().map_err(|_| refusal::no_version_to_list(text))?;
        if version > self.version {
            return Err(refusal::too_new(version, self.version));
        }
        if matching == Some("Exact") && version != self.version {
            return Err(refusal::too_old_to_list());
        }
        Ok(())
    }

    fn continued(&self, target: &Target, selector: &Selector, token: &str) -> Result<Page, Refusal> {
        let number = |prefix: &str| token.strip_prefix(prefix).and_then(|n| n.parse::<u64>().ok());
        let page = |number: u64| self.pages.get(&number);
        if let Some((number, page)) = number("page-").and_then(|number| Some((number, page(number)?))) {
            return match page.rest {
                Some(_) => Ok(page.clone()),
                None => Err(refusal::expired(&format!("rest-{number}"))),
            };
        }
        match number("rest-").and_then(page) {
            Some(page) => Ok(self.selected(target, selector, page.after.as_ref())),
            None => Err(refusal::bad_request("invalid continue token: continue key is not valid")),
        }
    }

    fn selected(&self, target: &Target, selector: &Selector, after: Option<&(String, String)>) -> Page {
        let later = |object: &&Value| after.is_none_or(|after| place(object) > *after);
        let found = self.within(target, selector).filter(later);
        let rest = found.map(|object| item(&target.kind, target.show(object))).collect();
        Page { version: self.version, rest: Some(rest), after: None, counted: selector.is_everything() }
    }

    /// The objects of a list, in its order.
    pub(super) fn within<'a>(
        &'a self,
        target: &'a Target,
        selector: &'a Selector,
    ) -> impl Iterator<Item = &'a Value> + 'a {
        let resource = target.qualified();
        let namespace = target.namespace.as_deref();
        let first = Key::new(&resource, "", "");
        self.objects
            .range(first..)
            .take_while(move |(key, _)| key.resource == resource)
            .filter(move |(key, object)| {
                namespace.is_none_or(|n| n == key.namespace) && selector.matches(object)
            })
            .map(|(_, object)| &**object)
    }
}
