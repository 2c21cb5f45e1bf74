//! The rights that are shipped are the least: each is needed for something that berth really sends.
//!
//! What it sends is taken from the API server's audit log and from a proxy before OpenBao, over runs that together go all ways of
//! the provider. Whether it would be refused is asked of the real authorizers, once for each right taken away alone.

use super::{
    argo_cd::handed_over_and_taken_back,
    bed::{Bed, grant, of_kind, policy, shipped},
};
use crate::harness::{audit::Sent, control_plane::ControlPlane};
use berth::{
    clock::Clock,
    domain::{intent::Occasion, report::Outcome},
};
use jiff::SignedDuration;
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::{Api, Client, api::PostParams};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const RBAC: &str = "rbac.authorization.k8s.io";
const HELD: &str = "bench.berth.dev/held";
/// What is applied beside the Cluster, and goes after it if it is not gone with it.
const BESIDE: [&str; 3] = [
    "proxmoxclusters.infrastructure.cluster.x-k8s.io",
    "proxmoxmachinetemplates.infrastructure.cluster.x-k8s.io",
    "kthreescontrolplanes.controlplane.cluster.x-k8s.io",
];

/// Takes a verb away, in the one rule that gives it for this resource.
fn without(rights: &mut [Value], resource: &str, verb: &str) {
    let mut taken = 0;
    for role in of_kind(rights, "ClusterRole") {
        let rules = role["rules"].as_array_mut().unwrap();
        for rule in &mut *rules {
            let verbs = rule["verbs"].as_array().unwrap().clone();
            let left: Vec<Value> = verbs.iter().filter(|one| *one != verb).cloned().collect();
            if rule["resources"] == json!([resource]) && left.len() < verbs.len() {
                rule["verbs"] = json!(left);
                taken += 1;
            }
        }
        rules.retain(|rule| rule["verbs"] != json!([]));
    }
    assert_eq!(taken, 1, "{verb} {resource}");
}

/// Up with something taken away, which must fail there with these words, be it before anything was made; then Down with
/// everything.
async fn refused_then_removed(
    bed: &Bed,
    step: &str,
    words: &[&str],
    between: impl FnOnce(&str),
    meanwhile: impl AsyncFnOnce(&str),
) {
    let number = bed.open("refused");
    let report = bed.run(number, Occasion::Event).await;
    let Some(Outcome::Failed { step: at, why } | Outcome::Unknown { step: Some(at), why }) = &report.outcome
    else {
        panic!("{report:#?}")
    };
    assert_eq!(at.as_str(), step, "{why}");
    assert!(words.iter().all(|word| why.contains(word)), "{why}");
    grant(bed.management, shipped(&bed.namespace, &bed.credentials, &bed.argo_cd.namespace));
    bed.vault.policy(&bed.mount, &policy(&bed.mount, &bed.role)).await;
    let (client, name) = (bed.management.client("bench").await, bed.name(number));
    let bindings = bed.management.kubectl(&["get", "rolebindings", "-n", &name, "-o", "name"], "");
    for rule in rules(bed, &[name]) {
        // What berth has not come to bind yet it binds by itself.
        if rule.place == Place::Environments && bindings.is_empty() {
            continue;
        }
        for sent in rule.examples() {
            bed.management
                .eventually("all rights", async || allowed(&client, &bed.user(), &sent).await.then_some(()))
                .await;
        }
    }
    let name = bed.name(number);
    between(&name);
    bed.close(number);
    let (report, ()) = tokio::join!(bed.run(number, Occasion::Event), meanwhile(&name));
    let is_gone = match step {
        // Nothing had been made.
        "claim" => matches!(report.outcome, Some(Outcome::Nothing { .. })),
        _ => matches!(report.outcome, Some(Outcome::Removed { .. })),
    };
    assert!(is_gone, "{report:#?}");
    bed.nothing_is_left(&[number], &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_right_is_needed_and_all_together_suffice() {
    let mut bed = Bed::with_rights(|_| {}).await;
    let number = bed.open("cart");
    let environments = bed.environments(&[number]).await;
    let up = bed.run(number, Occasion::Event).await;
    assert_eq!(up.outcome, Some(Outcome::Ready), "{up:#?}");
    bed.close(number);
    let down = bed.run(number, Occasion::Event).await;
    assert!(matches!(down.outcome, Some(Outcome::Removed { .. })), "{down:#?}");
    bed.nothing_is_left(&[number], &environments).await;
    drop(environments);
    let handed_over = handed_over_and_taken_back(&mut bed).await;
    let mut sent = bed.management.sent_by(&bed.user());
    // The server asks for that, and logs it not, where a binding is made.
    sent.insert(Sent {
        verb: "bind".to_owned(),
        group: RBAC.to_owned(),
        resource: "clusterroles".to_owned(),
        namespace: bed.name(number),
        name: format!("{}-environment", bed.namespace),
        code: 0,
    });

    // A run that could not make the Cluster leaves the rest of it to the Down, and somebody holds that.
    let broken = Bed::with_rights(|rights| without(rights, "clusters", "create")).await;
    let management = broken.management;
    let held = |name: &str| {
        BESIDE.iter().for_each(|resource| hold(management, resource, name, &[HELD]));
        management.kubectl(&["create", "-f", "-"], &stray(name).to_string());
    };
    let let_go = async |name: &str| {
        let watches = |resource: &'static str| {
            let user = broken.user();
            management.eventually("a watch", async move || {
                let sent = management.sent_by(&user);
                sent.iter()
                    .any(|sent| sent.verb == "watch" && resource.starts_with(&sent.resource))
                    .then_some(())
            })
        };
        watches("machines").await;
        management.kubectl(&["delete", "machines.cluster.x-k8s.io", "stray", "-n", name], "");
        for resource in BESIDE {
            watches(resource).await;
            hold(management, resource, name, &[]);
        }
    };
    let words = ["clusters.cluster.x-k8s.io", "forbidden"];
    refused_then_removed(&broken, "cluster", &words, held, let_go).await;
    for mut other in management.sent_by(&broken.user()) {
        // The same for the one as for the other.
        if other.namespace == broken.credentials {
            other.namespace.clone_from(&bed.credentials);
        }
        sent.insert(other);
    }
    let environments = [bed.name(number), bed.name(handed_over), broken.name(number)];
    least(&bed, &environments, &about(sent)).await;
    least_of_vault(&bed).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_one_right_a_run_says_what_it_was_refused() {
    let bed = Bed::with_rights(|rights| without(rights, "clusterroles", "bind")).await;
    refused_then_removed(&bed, "cluster", &["rolebindings", "forbidden"], |_| {}, async |_| {}).await;

    let bed = Bed::with_rights(|rights| without(rights, "secrets", "watch")).await;
    refused_then_removed(&bed, "cluster", &["watch", "secrets", "forbidden"], |_| {}, async |_| {}).await;

    let bed = Bed::with(|_| {}, |policy| policy.replace(r#"["list"]"#, "[]")).await;
    refused_then_removed(&bed, "claim", &["list"], |_| {}, async |_| {}).await;
}

/// A Machine of no Cluster.
fn stray(namespace: &str) -> Value {
    let of = json!({"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "ProxmoxMachine", "name": "none"});
    json!({
        "apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "Machine",
        "metadata": {"name": "stray", "namespace": namespace},
        "spec": {"clusterName": "none", "bootstrap": {"dataSecretName": "none"}, "infrastructureRef": of},
    })
}

fn hold(plane: &ControlPlane, resource: &str, namespace: &str, finalizers: &[&str]) {
    let patch = json!({"metadata": {"finalizers": finalizers}}).to_string();
    let names = plane.kubectl(&["get", resource, "-n", namespace, "-o", "name"], "");
    for name in names.lines() {
        plane.kubectl(&["patch", name, "-n", namespace, "--type=merge", "-p", &patch], "");
    }
}

/// What was let through, each request once.
fn about(sent: BTreeSet<Sent>) -> Vec<Sent> {
    // Who one is everybody may ask.
    let own = |sent: &Sent| sent.code != 403 && sent.resource != "selfsubjectreviews";
    let through = sent.into_iter().filter(own);
    let all: BTreeSet<Sent> = through.map(|sent| Sent { code: 0, ..sent }).collect();
    all.into_iter().collect()
}

/// A rule of a role, for one resource.
#[derive(Debug, Clone)]
struct Rule {
    group: String,
    resource: String,
    names: Vec<String>,
    verbs: Vec<String>,
    place: Place,
    /// Where it holds; nowhere in particular: everywhere.
    namespaces: Vec<String>,
}

/// By what it comes to be bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Everywhere,
    Environments,
    Credentials,
    ArgoCd,
}

impl Rule {
    fn allows(&self, sent: &Sent) -> bool {
        self.group == sent.group
            && self.resource == sent.resource
            && self.verbs.contains(&sent.verb)
            && (self.names.is_empty() || self.names.contains(&sent.name))
            && (self.namespaces.is_empty() || self.namespaces.contains(&sent.namespace))
    }

    /// A request for each of its verbs.
    fn examples(&self) -> impl Iterator<Item = Sent> {
        self.verbs.iter().map(|verb| Sent {
            verb: verb.clone(),
            group: self.group.clone(),
            resource: self.resource.clone(),
            namespace: self.namespaces.first().cloned().unwrap_or_default(),
            name: self.names.first().cloned().unwrap_or_default(),
            code: 0,
        })
    }

    fn value(&self) -> Value {
        let mut rule = json!({"apiGroups": [self.group], "resources": [self.resource], "verbs": self.verbs});
        if !self.names.is_empty() {
            rule["resourceNames"] = json!(self.names);
        }
        rule
    }
}

fn texts(of: &Value) -> Vec<String> {
    of.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// All that is shipped, with these environments.
fn rules(bed: &Bed, environments: &[String]) -> Vec<Rule> {
    let shipped = shipped(&bed.namespace, &bed.credentials, &bed.argo_cd.namespace);
    let roles =
        shipped.iter().filter(|object| ["Role", "ClusterRole"].iter().any(|kind| object["kind"] == *kind));
    let mut all = Vec::new();
    for role in roles {
        let name = role["metadata"]["name"].as_str().unwrap();
        let (place, namespaces) = match &role["metadata"]["namespace"] {
            Value::String(namespace) if *namespace == bed.argo_cd.namespace => {
                (Place::ArgoCd, vec![namespace.clone()])
            }
            Value::String(namespace) => (Place::Credentials, vec![namespace.clone()]),
            _ if name.ends_with("-environment") => (Place::Environments, environments.to_vec()),
            _ => (Place::Everywhere, Vec::new()),
        };
        for rule in role["rules"].as_array().unwrap() {
            for group in texts(&rule["apiGroups"]) {
                for resource in texts(&rule["resources"]) {
                    let (group, namespaces) = (group.clone(), namespaces.clone());
                    let (names, verbs) = (texts(&rule["resourceNames"]), texts(&rule["verbs"]));
                    all.push(Rule { group, resource, names, verbs, place, namespaces });
                }
            }
        }
    }
    all
}

/// These rules, bound as they are to be, for a user of this name.
fn bound(rules: &[Rule], user: &str) -> Vec<Value> {
    let of = |place: Place| rules.iter().filter(move |rule| rule.place == place);
    let object = |kind: &str, namespace: Option<&String>, rest: Value| {
        let metadata = json!({"name": user, "namespace": namespace});
        let mut whole = json!({"apiVersion": format!("{RBAC}/v1"), "kind": kind, "metadata": metadata});
        whole.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        whole
    };
    let mut all = Vec::new();
    for place in [Place::Everywhere, Place::Environments, Place::Credentials, Place::ArgoCd] {
        let values: Vec<Value> = of(place).map(Rule::value).collect();
        let Some(first) = of(place).next() else { continue };
        let namespaces: Vec<Option<&String>> = match place {
            Place::Everywhere => vec![None],
            _ => first.namespaces.iter().map(Some).collect(),
        };
        for namespace in namespaces {
            let (role, binding) = match namespace {
                None => ("ClusterRole", "ClusterRoleBinding"),
                Some(_) => ("Role", "RoleBinding"),
            };
            all.push(object(role, namespace, json!({"rules": values})));
            let subjects = json!([{"apiGroup": RBAC, "kind": "User", "name": user}]);
            let role = json!({"apiGroup": RBAC, "kind": role, "name": user});
            all.push(object(binding, namespace, json!({"roleRef": role, "subjects": subjects})));
        }
    }
    all
}

/// Without any verb of any rule something of this is refused; with all of them, nothing.
async fn least(bed: &Bed, environments: &[String], sent: &[Sent]) {
    let whole = rules(bed, environments);
    let lacking = |rules: &[Rule]| -> BTreeSet<Sent> {
        let lacking = sent.iter().filter(|sent| !rules.iter().any(|rule| rule.allows(sent)));
        lacking.cloned().collect()
    };
    assert_eq!(lacking(&whole), BTreeSet::new(), "sent, and allowed by nothing that is shipped");
    let mut narrowed = Vec::new();
    for (at, rule) in whole.iter().enumerate() {
        for verb in &rule.verbs {
            let mut rules = whole.clone();
            rules[at].verbs.retain(|other| other != verb);
            rules.retain(|rule| !rule.verbs.is_empty());
            narrowed.push((format!("{verb} of {rule:?}"), rules));
        }
    }
    let idle: Vec<&String> =
        narrowed.iter().filter(|(_, rules)| lacking(rules).is_empty()).map(|(less, _)| less).collect();
    assert_eq!(idle, Vec::<&String>::new(), "given, and used by nothing that was sent");

    // That is our reading of the rules; this is the server's. It needs the namespaces that are gone by now.
    let user = |n: usize| format!("{}-narrowed-{n}", bed.namespace);
    let namespaces = environments
        .iter()
        .map(|name| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    let roles = narrowed.iter().enumerate().flat_map(|(n, (_, rules))| bound(rules, &user(n)));
    grant(bed.management, namespaces.chain(roles).collect());
    let client = bed.management.client("bench").await;
    for (n, (less, rules)) in narrowed.iter().enumerate() {
        let wanted = lacking(rules);
        // It learns of roles some moments later.
        bed.management
            .eventually(&format!("{n}: all but {less}"), async || {
                for request in sent {
                    if allowed(&client, &user(n), request).await == wanted.contains(request) {
                        return None;
                    }
                }
                Some(())
            })
            .await;
    }
    for name in environments {
        bed.management.kubectl(&["delete", "namespace", name, "--wait=false"], "");
    }
    println!("{} requests, {} rights", sent.len(), narrowed.len());
}

/// The API server's own word.
async fn allowed(client: &Client, user: &str, sent: &Sent) -> bool {
    let (resource, subresource) = sent.resource.split_once('/').unwrap_or((&sent.resource, ""));
    let review = json!({
        "metadata": {},
        "spec": {"user": user, "groups": ["system:authenticated"], "resourceAttributes": {
            "verb": sent.verb, "group": sent.group, "resource": resource, "subresource": subresource,
            "namespace": sent.namespace, "name": sent.name,
        }},
    });
    let reviews: Api<SubjectAccessReview> = Api::all(client.clone());
    let review = serde_json::from_value(review).unwrap();
    reviews.create(&PostParams::default(), &review).await.unwrap().status.unwrap().allowed
}

/// The same for what is shipped for Vault.
async fn least_of_vault(bed: &Bed) {
    // A login's token is renewed when most of its time is over.
    let clock = Clock::stepped(Clock::system().now());
    let client = bed.vault_client(clock.clone(), "renewed");
    for _ in 0..2 {
        client.read(&bed.mount, "berth/registry").await.unwrap();
        clock.advance(SignedDuration::from_mins(9));
    }
    let mut known = BTreeSet::new();
    let mut sent = BTreeSet::new();
    for (method, path) in bed.sent_to_vault() {
        // A listing is of a folder, however it is written.
        let slash = if method == "LIST" && !path.ends_with('/') { "/" } else { "" };
        let path = format!("{}{slash}", path.strip_prefix("/v1/").unwrap());
        let capability = match method.as_str() {
            "GET" => "read",
            "LIST" => "list",
            _ if path.ends_with("/login") => continue,
            _ if path.starts_with(&format!("{}/data/", bed.mount)) && known.insert(path.clone()) => "create",
            _ => "update",
        };
        sent.insert((capability, path));
    }
    let shipped = policy(&bed.mount, &bed.role);
    assert_eq!(lacking(bed, &shipped, &sent).await, BTreeSet::new(), "of what was sent");
    let mut taken = 0;
    for line in shipped.lines().filter(|line| line.starts_with("path ")) {
        let (path, capabilities) = line.split_once('[').unwrap();
        let capabilities: Vec<&str> = capabilities.split('"').skip(1).step_by(2).collect();
        for less in &capabilities {
            let left: Vec<&&str> = capabilities.iter().filter(|one| *one != less).collect();
            let narrowed = shipped.replace(line, &format!("{path}{left:?} }}"));
            let lacks = lacking(bed, &narrowed, &sent).await;
            assert!(!lacks.is_empty(), "nothing was sent that needs {less} of {line}: {sent:#?}");
            taken += 1;
        }
    }
    println!("{} requests to Vault, {taken} capabilities", sent.len());
}

/// What of this OpenBao does not let a token of this policy do.
async fn lacking<'a>(
    bed: &Bed,
    policy: &str,
    sent: &BTreeSet<(&'a str, String)>,
) -> BTreeSet<(&'a str, String)> {
    let name = bed.vault.fresh_name("narrowed");
    bed.vault.policy(&name, policy).await;
    let token = bed.vault.token(&name).await;
    let paths: Vec<&String> = sent.iter().map(|(_, path)| path).collect();
    let asked = json!({"token": token, "paths": paths});
    let said = bed.vault.root(Method::POST, "sys/capabilities", asked).await;
    let is_lacking = |(capability, path): &&(&str, String)| {
        !texts(&said["data"][path]).iter().any(|one| one == capability)
    };
    sent.iter().filter(is_lacking).cloned().collect()
}
