//! Validating webhooks: who else is asked before an object of a custom kind is stored, and how it says no.
//!
//! They are asked after all rules of the server's own, and about objects, not about their status. Those that somebody has
//! configured in the cluster behind a Service are never heard, but they must be there: a webhook whose Service has no
//! endpoint refuses everything that it should be asked about. (Those with a URL or with selectors are not played.) It must
//! never ask one about another kind than its own.

use super::refusal::{self, Refusal};
use super::target::Target;
use super::{ApiServer, Key};
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
        let operation = if current.is_some() { "UPDATE" } else { "CREATE" };
        if let Some(why) = self.silent(target, operation) {
            return Err(refusal::internal(&why));
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

    /// Why a webhook that must be asked cannot be.
    fn silent(&self, target: &Target, operation: &str) -> Option<String> {
        let configured = ["mutating", "validating"].into_iter().flat_map(|which| {
            let resource = format!("{which}webhookconfigurations.admissionregistration.k8s.io");
            let all = self.objects.range(Key::new(&resource, "", "")..);
            let own = all.take_while(move |(key, _)| key.resource == resource);
            own.flat_map(|(_, object)| object["webhooks"].as_array().into_iter().flatten())
        });
        configured.filter(|webhook| must_be_asked(webhook, target, operation)).find_map(|webhook| {
            let service = &webhook["clientConfig"]["service"];
            let text = |field: &str| service[field].as_str().unwrap_or_default();
            let (namespace, name) = (text("namespace"), text("name"));
            let why = match self.get("services", namespace, name) {
                None => format!("service {name:?} not found"),
                Some(_) if self.has_endpoint(namespace, name) => return None,
                Some(_) => format!("no endpoints available for service {name:?}"),
            };
            let (port, seconds) =
                (service["port"].as_u64().unwrap_or(443), webhook["timeoutSeconds"].as_u64().unwrap_or(10));
            let url = format!("https://{name}.{namespace}.svc:{port}{}?timeout={seconds}s", text("path"));
            let called = webhook["name"].as_str().unwrap_or_default();
            Some(format!("failed calling webhook {called:?}: failed to call webhook: Post {url:?}: {why}"))
        })
    }

    fn has_endpoint(&self, namespace: &str, service: &str) -> bool {
        self.all("endpointslices.discovery.k8s.io").any(|(place, _, slice)| {
            place == namespace
                && slice["metadata"]["labels"]["kubernetes.io/service-name"] == service
                && slice["endpoints"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .any(|one| one["conditions"]["ready"] != false)
        })
    }
}

fn must_be_asked(webhook: &Value, target: &Target, operation: &str) -> bool {
    let kind = &target.kind;
    let some = |list: &Value, wanted: &[&str]| {
        list.as_array().is_some_and(|all| all.iter().any(|one| wanted.iter().any(|wanted| one == wanted)))
    };
    let selects = |field: &str| webhook[field].as_object().is_some_and(|selector| !selector.is_empty());
    let rules = webhook["rules"].as_array().into_iter().flatten();
    let asked = rules.into_iter().any(|rule| {
        some(&rule["apiGroups"], &["*", &kind.group])
            && some(&rule["apiVersions"], &["*", &kind.version])
            && some(&rule["operations"], &["*", operation])
            && some(&rule["resources"], &["*", "*/*", &kind.plural])
    });
    let by_service = webhook["clientConfig"]["service"].is_object();
    let selective = selects("namespaceSelector") || selects("objectSelector");
    asked && by_service && !selective && webhook["failurePolicy"] != "Ignore"
}
