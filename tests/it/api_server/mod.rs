//! What a client can tell of an API server, fact by fact, on every server that there is.
//!
//! A fact is a function over what is [`UnderTest`]; [`facts`] makes a test of each for one server. Facts know nothing of
//! the server but its HTTP: codes, reasons, details, versions, sequences of events. They wait by watching.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

pub(crate) mod applying;
pub(crate) mod defining;
pub(crate) mod deleting;
pub(crate) mod discovering;
pub(crate) mod forgetting;
pub(crate) mod patching;
pub(crate) mod watching;
pub(crate) mod writing;

pub(crate) use forgetting::Forgets;

use bytes::Bytes;
use futures::StreamExt;
use http_body_util::BodyExt;
use hyper::http::{Request, header};
use kube::{Client, client::Body};
use serde_json::{Value, json};
use std::{collections::VecDeque, pin::Pin, time::Duration};

/// An API server, and a client that may do everything there.
pub(crate) trait UnderTest: Send + Sync {
    fn client(&self) -> Client;
}

/// How long a fact waits for an event before it fails: longer than any controller takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// A manager that is not the client's own name.
const ME: &str = "fieldManager=me";

const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

/// What a server answers.
#[derive(Debug)]
struct Answer {
    code: u16,
    kind: String,
    /// Text if it is no JSON.
    body: Value,
}

impl Answer {
    #[track_caller]
    fn is(self, code: u16) -> Value {
        assert_eq!(self.code, code, "{}", self.body);
        self.body
    }

    /// What a refusal says, without what all refusals say.
    #[track_caller]
    fn refusal(self, code: u16) -> Value {
        let mut status = self.is(code);
        assert_eq!((&status["kind"], &status["code"]), (&json!("Status"), &json!(code)), "{status}");
        for same in ["kind", "apiVersion", "metadata", "status", "code"] {
            status.as_object_mut().unwrap().remove(same);
        }
        status
    }

    #[track_caller]
    fn version(self) -> String {
        version(&self.body)
    }
}

#[track_caller]
fn version(object: &Value) -> String {
    let version = object["metadata"]["resourceVersion"].as_str();
    version.unwrap_or_else(|| panic!("no version in {object}")).to_owned()
}

/// A server with a namespace that is this fact's own.
struct Place {
    client: Client,
    namespace: String,
}

impl Place {
    async fn of(under_test: &impl UnderTest) -> Self {
        let mut place = Self { client: under_test.client(), namespace: String::new() };
        let wish = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"generateName": "fact-"}});
        let made = place.send("POST", "/api/v1/namespaces", JSON, &wish).await.is(201);
        place.namespace = made["metadata"]["name"].as_str().unwrap().to_owned();
        place
    }

    fn core(&self, resource: &str) -> String {
        format!("/api/v1/namespaces/{}/{resource}", self.namespace)
    }

    fn in_group(&self, group: &str, resource: &str) -> String {
        format!("/apis/{group}/namespaces/{}/{resource}", self.namespace)
    }

    async fn send(&self, method: &str, path: &str, content_type: &str, body: &Value) -> Answer {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(method, path, &[("content-type", content_type)], text).await
    }

    async fn raw(&self, method: &str, path: &str, headers: &[(&str, &str)], body: String) -> Answer {
        let (head, body) = self.exchange(method, path, headers, body).await;
        let body = body.collect().await.unwrap().to_bytes();
        let kind = head.headers.get(header::CONTENT_TYPE).map_or("", |kind| kind.to_str().unwrap());
        Answer {
            code: head.status.as_u16(),
            kind: kind.to_owned(),
            body: serde_json::from_slice(&body)
                .unwrap_or_else(|_| json!(String::from_utf8_lossy(&body).into_owned())),
        }
    }

    async fn exchange(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (hyper::http::response::Parts, Body) {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.into_bytes())).unwrap();
        self.client.send(request).await.unwrap().into_parts()
    }

    async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, JSON, &Value::Null).await
    }

    async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send("POST", path, JSON, body).await
    }

    async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send("PUT", path, JSON, body).await
    }

    async fn delete(&self, path: &str, options: &Value) -> Answer {
        self.send("DELETE", path, JSON, options).await
    }

    async fn merge(&self, path: &str, patch: &Value) -> Answer {
        self.send("PATCH", path, MERGE, patch).await
    }

    /// As a manager, with further options after `&`.
    async fn apply(&self, path: &str, options: &str, config: &Value) -> Answer {
        self.send("PATCH", &format!("{path}?{options}"), APPLY, config).await
    }

    /// A ConfigMap with this data, made by POST.
    async fn config_map(&self, name: &str, data: Value) -> Value {
        self.post(&self.core("configmaps"), &config_map(name, data)).await.is(201)
    }

    /// The version of a list that sees this resource as it is now.
    async fn list_version(&self, path: &str) -> String {
        self.get(path).await.version()
    }

    async fn watch(&self, path: &str, query: &str) -> Watching {
        let path = format!("{path}?watch=true&{query}");
        let (head, body) = self.exchange("GET", &path, &[], String::new()).await;
        assert_eq!(head.status.as_u16(), 200, "{path}");
        assert_eq!(head.headers[header::CONTENT_TYPE], JSON);
        assert!(!head.headers.contains_key(header::CONTENT_LENGTH), "a stream has no length");
        let body = body.into_data_stream().map(|part| part.map_err(|error| error.to_string()));
        Watching { body: Box::pin(body), half: Vec::new(), lines: VecDeque::new() }
    }

    /// Waits until an object is gone.
    async fn gone(&self, path: &str, name: &str) {
        let list = format!("{path}?fieldSelector=metadata.name%3D{name}");
        let found = self.get(&list).await.is(200);
        if found["items"].as_array().unwrap().is_empty() {
            return;
        }
        let query = format!("fieldSelector=metadata.name%3D{name}&resourceVersion={}", version(&found));
        let mut watching = self.watch(path, &query).await;
        while watching.event().await.0 != "DELETED" {}
    }
}

type Parts = Pin<Box<dyn futures::Stream<Item = Result<Bytes, String>> + Send>>;

/// An open watch.
struct Watching {
    body: Parts,
    half: Vec<u8>,
    lines: VecDeque<Value>,
}

impl Watching {
    /// The next event; none at the end of the stream.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            let part = tokio::time::timeout(PATIENCE, self.body.next()).await.expect("no event came");
            let Some(part) = part else {
                assert!(self.half.is_empty(), "the stream ended within an event");
                return None;
            };
            self.half.extend_from_slice(&part.unwrap());
            while let Some(end) = self.half.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.half.drain(..=end).collect();
                self.lines.push_back(serde_json::from_slice(&line).unwrap());
            }
        }
    }

    /// The type of the next event, and its object.
    async fn event(&mut self) -> (String, Value) {
        let mut event = self.next().await.expect("the stream ended");
        (event["type"].as_str().unwrap().to_owned(), event["object"].take())
    }

    /// The type of the next event, and the name of its object.
    async fn brief(&mut self) -> (String, String) {
        let (kind, object) = self.event().await;
        (kind, object["metadata"]["name"].as_str().unwrap_or_default().to_owned())
    }
}

fn brief(kind: &str, name: &str) -> (String, String) {
    (kind.to_owned(), name.to_owned())
}

fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

fn deployment(name: &str, spec: Value) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec})
}

/// Who manages which fields of an object, without the times.
fn managers(object: &Value) -> Value {
    let entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let named = |entry: &Value| {
        let mut who =
            format!("{} {}", entry["operation"].as_str().unwrap(), entry["manager"].as_str().unwrap());
        if let Some(subresource) = entry["subresource"].as_str() {
            who = format!("{who} {subresource}");
        }
        (who, entry["fieldsV1"].clone())
    };
    Value::Object(entries.iter().map(named).collect())
}

/// The messages of all causes of a refusal with the fields that they are about, in order of the fields.
fn causes(refusal: &Value) -> Vec<(String, String, String)> {
    let text = |cause: &Value, field: &str| cause[field].as_str().unwrap_or_default().to_owned();
    let causes = refusal["details"]["causes"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<_> =
        causes.iter().map(|c| (text(c, "field"), text(c, "reason"), text(c, "message"))).collect();
    all.sort();
    all
}

/// One test for each fact: `facts!(module Server Forgetful)`, where `fresh()` of both is an async constructor, and the second
/// can be made to forget.
macro_rules! facts {
    ($module:ident $server:ident $forgetful:ident) => {
        $crate::api_server::facts! { $module {
            discovering $server {
                the_kinds_that_pipelines_use_are_listed
                all_of_it_can_be_had_at_once
                the_client_library_discovers
                of_what_is_not_served_there_is_no_page
                it_says_when_it_is_ready
            }
            defining $server {
                a_definition_is_established_and_serves_its_kind
                a_defined_kind_is_discovered
                a_definition_that_cannot_be_served_is_refused
                defaults_are_filled_in
                unknown_fields_are_pruned_refused_or_a_broken_server
                what_breaks_a_rule_of_the_schema_is_refused
                lists_merge_as_the_schema_says
                its_status_is_a_place_of_its_own
                it_is_the_same_object_in_all_versions
                what_is_no_object_of_the_kind_is_refused
                with_its_definition_go_its_objects
            }
            watching $server {
                what_happens_after_the_version_is_told_in_order
                without_a_version_it_begins_with_what_is_there
                a_bookmark_says_where_the_beginning_ends
                what_leaves_the_selector_is_deleted_and_what_enters_is_added
                a_name_selects_one_object
                all_namespaces_are_watched_from_above
                it_ends_when_its_time_is_over
                what_it_cannot_be_asked_is_refused
                nothing_is_lost_between_list_and_watch
                the_client_library_watches
            }
            writing $server {
                too_much_data_is_refused
                an_update_of_another_life_is_a_conflict
                in_a_namespace_that_is_not_there_nothing_is_made
                a_precondition_of_a_delete_names_the_kind
                an_update_that_changes_nothing_makes_no_version
                a_version_on_what_is_created_is_a_broken_server
                a_generated_name_is_the_servers
                an_unknown_field_is_refused_only_to_the_strict
                what_the_path_does_not_take_is_refused
                a_version_that_is_to_come_cannot_be_listed
                who_writes_owns_what_was_written
                quantities_are_written_in_one_form
                a_workload_without_what_it_needs_is_refused
            }
            patching $server {
                fields_are_set_and_taken_away
                a_patch_that_changes_nothing_makes_no_version
                a_version_or_a_uid_in_it_is_a_precondition
                what_is_no_merge_patch_is_refused
                what_has_no_status_has_no_place_for_it
                a_status_is_changed_only_at_its_place
            }
            applying $server {
                what_is_absent_is_created
                the_version_of_a_list_that_saw_it_absent_is_no_hindrance
                another_life_is_not_taken_for_this_one
                an_apply_that_changes_nothing_makes_no_version
                a_field_of_another_is_not_taken_unless_by_force
                the_same_value_is_owned_together
                what_a_manager_no_longer_names_goes
                what_was_there_before_anybody_applied_belongs_to_who_wrote_it
                lists_of_pods_merge_by_their_keys
                conditions_merge_by_type
                a_status_is_not_applied_with_the_rest
                a_dry_run_changes_nothing
                a_field_that_the_kind_lacks_is_a_broken_server
                a_value_that_the_kind_cannot_hold_is_a_broken_server
                what_is_no_configuration_is_refused
                yaml_is_as_good_as_json
            }
            deleting $server {
                a_finalizer_holds_an_object_until_it_is_taken_away
                what_an_object_owns_follows_it
                in_the_foreground_what_it_owns_goes_first
                an_orphan_stays
                what_is_born_without_its_owner_goes
                an_unknown_policy_deletes_nothing
                many_are_deleted_by_a_selector
                a_namespace_takes_everything_with_it_when_nothing_holds_it
            }
            forgetting $forgetful {
                a_watch_from_a_forgotten_version_is_told_so_and_ends
                a_forgotten_list_can_be_continued_but_not_as_it_was
            }
        } }
    };
    ($module:ident { $($file:ident $server:ident { $($fact:ident)* })* }) => {
        mod $module {
            $(
                mod $file {
                    $(
                        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                        async fn $fact() {
                            let under_test = super::super::$server::fresh().await;
                            $crate::api_server::$file::$fact(&under_test).await;
                        }
                    )*
                }
            )*
        }
    };
}
pub(crate) use facts;
