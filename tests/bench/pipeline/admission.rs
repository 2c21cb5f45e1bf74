//! What the admission policy denies that roles cannot: by accounts that may do everything else.
//!
//! Everything is a dry run, which the policy is asked about like any other request. Each variant of the policy, one with all of
//! its expressions and one without each, is for a user of its own, in whose name the administrator asks.

mod handed_over;

use super::bed::{LABEL, of_kind, shipped};
use crate::{bed::crypto, harness::cluster_api};
use handed_over::{application, registration};
use hyper::Request;
use kube::Client;
use serde_json::{Value, json};

/// A request, and whether berth's account should be let through with it.
struct Try {
    what: &'static str,
    method: &'static str,
    path: String,
    body: Value,
}

impl Try {
    /// The policy's words, if it has any.
    async fn denied_to(&self, client: &Client, user: &str) -> Option<String> {
        let kind = if self.method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = Request::builder()
            .method(self.method)
            .uri(format!("{}?dryRun=All", self.path))
            .header("content-type", kind)
            .header("impersonate-user", user)
            .header("impersonate-group", "system:masters")
            .body(if self.body.is_null() { Vec::new() } else { self.body.to_string().into_bytes() })
            .unwrap();
        match client.request::<Value>(request).await {
            Ok(_) => None,
            Err(kube::Error::Api(status)) if status.message.contains("ValidatingAdmissionPolicy") => {
                Some(status.message.clone())
            }
            Err(other) => panic!("{}: {other:?}", self.what),
        }
    }
}

/// A namespace of an environment, one of another, one of nobody, Argo CD's, and berth's own.
struct Scene {
    ours: String,
    theirs: String,
    nobodys: String,
    argo_cd: String,
    own: String,
}

fn labels(of: Option<&str>) -> Value {
    of.map_or_else(|| json!({}), |of| json!({LABEL: of}))
}

fn namespace(name: &str, of: Option<&str>) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels(of)}})
}

fn config(namespace: &str, name: &str, of: Option<&str>) -> Value {
    let metadata = json!({"namespace": namespace, "name": name, "labels": labels(of)});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"is": "so"}})
}

impl Scene {
    fn objects(&self) -> Vec<Value> {
        let Self { ours, theirs, nobodys, argo_cd, own } = self;
        vec![
            namespace(ours, Some("pr-a-1")),
            namespace(theirs, Some("pr-b-2")),
            namespace(nobodys, None),
            config(ours, "marked", Some("pr-a-1")),
            config(ours, "bare", None),
            config(theirs, "strange", Some("pr-a-1")),
            config(nobodys, "stray", Some("pr-a-1")),
            config(nobodys, "bare", None),
            config(own, "document", None),
            namespace(argo_cd, None),
            registration(argo_cd, "berth-pr-a-1", Some("pr-a-1")),
            registration(argo_cd, "other", None),
            application(argo_cd, "a-1", Some("pr-a-1")),
            application(argo_cd, "other", None),
            config(argo_cd, "stray", Some("pr-a-1")),
        ]
    }

    fn at(&self, namespace: &str, name: &str) -> String {
        format!("/api/v1/namespaces/{namespace}/configmaps/{name}")
    }

    fn forbidden(&self) -> Vec<Try> {
        let Self { ours, theirs, nobodys, .. } = self;
        let relabelled = |of: Value| json!({"metadata": {"labels": {LABEL: of}}});
        let changed = json!({"data": {"is": "not so"}});
        let namespaces = |name: &str| format!("/api/v1/namespaces/{name}");
        let configs = |name: &str| format!("/api/v1/namespaces/{name}/configmaps");
        let token = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"audiences": ["any"]}});
        let all = [
            ("a namespace of nobody made", "POST", namespaces(""), namespace("fresh", None)),
            ("a namespace of nobody deleted", "DELETE", namespaces(nobodys), Value::Null),
            ("a namespace of nobody made ours", "PATCH", namespaces(nobodys), relabelled(json!("pr-a-1"))),
            ("our namespace given away", "PATCH", namespaces(ours), relabelled(json!("pr-b-2"))),
            ("our namespace made nobody's", "PATCH", namespaces(ours), relabelled(Value::Null)),
            ("an object of nobody made in ours", "POST", configs(ours), config(ours, "fresh", None)),
            (
                "an object of another made in ours",
                "POST",
                configs(ours),
                config(ours, "fresh", Some("pr-b-2")),
            ),
            (
                "an object of ours made elsewhere",
                "POST",
                configs(theirs),
                config(theirs, "fresh", Some("pr-a-1")),
            ),
            (
                "an object of ours made at nobody's",
                "POST",
                configs(nobodys),
                config(nobodys, "fresh", Some("pr-a-1")),
            ),
            (
                "an object of nobody made at nobody's",
                "POST",
                configs(nobodys),
                config(nobodys, "fresh", None),
            ),
            ("an object of nobody changed", "PATCH", self.at(nobodys, "bare"), changed.clone()),
            ("an object of nobody deleted", "DELETE", self.at(nobodys, "bare"), Value::Null),
            ("an object of nobody deleted in ours", "DELETE", self.at(ours, "bare"), Value::Null),
            (
                "an object of nobody in ours made ours",
                "PATCH",
                self.at(ours, "bare"),
                relabelled(json!("pr-a-1")),
            ),
            ("an object of ours given away", "PATCH", self.at(ours, "marked"), relabelled(json!("pr-b-2"))),
            ("an object of ours made nobody's", "PATCH", self.at(ours, "marked"), relabelled(Value::Null)),
            ("an object of ours changed elsewhere", "PATCH", self.at(theirs, "strange"), changed.clone()),
            ("an object of ours deleted elsewhere", "DELETE", self.at(theirs, "strange"), Value::Null),
            ("an object of ours deleted at nobody's", "DELETE", self.at(nobodys, "stray"), Value::Null),
            ("all objects of nobody's deleted", "DELETE", configs(nobodys), Value::Null),
            (
                "a token of an account",
                "POST",
                format!("/api/v1/namespaces/{ours}/serviceaccounts/default/token"),
                token,
            ),
        ];
        let all = all.into_iter().map(|(what, method, path, body)| Try { what, method, path, body });
        all.chain(self.not_handed_over()).collect()
    }

    /// What berth does.
    fn allowed(&self) -> Vec<Try> {
        let Self { ours, own, .. } = self;
        let at = |name: &str| format!("/api/v1/namespaces/{name}");
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {"verb": "list", "resource": "pods"}},
        });
        let marked = json!({"metadata": {"labels": {"berth.dev/generation": "2"}}});
        let all = [
            ("a namespace made", "POST", at(""), namespace("fresh", Some("pr-a-1"))),
            ("a namespace marked", "PATCH", at(ours), marked.clone()),
            ("a namespace deleted", "DELETE", at(ours), Value::Null),
            (
                "an object made",
                "POST",
                format!("{}/configmaps", at(ours)),
                config(ours, "fresh", Some("pr-a-1")),
            ),
            ("an object changed", "PATCH", self.at(ours, "marked"), marked),
            ("an object deleted", "DELETE", self.at(ours, "marked"), Value::Null),
            ("a document made", "POST", format!("{}/configmaps", at(own)), config(own, "fresh", None)),
            ("a document deleted", "DELETE", self.at(own, "document"), Value::Null),
            (
                "a question",
                "POST",
                "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews".to_owned(),
                review,
            ),
        ];
        let all = all.into_iter().map(|(what, method, path, body)| Try { what, method, path, body });
        all.chain(self.handed_over()).collect()
    }
}

/// What is left out of the policy.
#[derive(Debug, Clone, Copy)]
enum Without {
    Nothing,
    /// One of its expressions.
    Expression(usize),
    /// What is let through for the sake of Argo CD.
    HandingOver,
}

/// What is shipped, without this, for this user.
fn variant(scene: &Scene, name: &str, user: &str, without: Without) -> Vec<Value> {
    let mut shipped = shipped(&scene.own, &scene.own, &scene.argo_cd);
    let mut all: Vec<Value> =
        of_kind(&mut shipped, "ValidatingAdmissionPolicy").map(|one| one.clone()).collect();
    all.extend(of_kind(&mut shipped, "ValidatingAdmissionPolicyBinding").map(|one| one.clone()));
    let [policy, binding] = all.as_mut_slice() else { panic!("one policy, one binding") };
    policy["metadata"]["name"] = json!(name);
    binding["metadata"]["name"] = json!(name);
    binding["spec"]["policyName"] = json!(name);
    policy["spec"]["matchConditions"][0]["expression"] =
        json!(format!("request.userInfo.username == '{user}'"));
    match without {
        Without::Nothing => {}
        Without::Expression(without) => {
            policy["spec"]["validations"].as_array_mut().unwrap().remove(without);
        }
        Without::HandingOver => {
            let mut variables = policy["spec"]["variables"].as_array_mut().unwrap().iter_mut();
            variables.find(|one| one["name"] == "handed").unwrap()["expression"] = json!("''");
        }
    }
    all
}

#[tokio::test]
async fn each_expression_of_the_policy_denies_what_nothing_else_would() {
    crypto();
    let plane = cluster_api::management().await;
    let client = plane.client("bench").await;
    let own = plane.fresh_namespace("berth").await;
    let named = |what: &str| format!("{own}-{what}");
    let scene = Scene {
        ours: named("ours"),
        theirs: named("theirs"),
        nobodys: named("nobodys"),
        argo_cd: named("argocd"),
        own: own.clone(),
    };
    let apply = |objects: Vec<Value>| {
        let list = json!({"apiVersion": "v1", "kind": "List", "items": objects});
        plane.kubectl(&["create", "-f", "-"], &list.to_string());
    };
    apply(scene.objects());
    let expressions = {
        let whole = variant(&scene, "any", "any", Without::Nothing);
        whole[0]["spec"]["validations"].as_array().unwrap().len()
    };
    let variants: Vec<Without> = [Without::Nothing, Without::HandingOver]
        .into_iter()
        .chain((0..expressions).map(Without::Expression))
        .collect();
    let user = |n: usize| named(&format!("user-{n}"));
    apply(
        variants
            .iter()
            .enumerate()
            .flat_map(|(n, without)| variant(&scene, &user(n), &user(n), *without))
            .collect(),
    );
    for (n, without) in variants.iter().enumerate() {
        // Whichever expression is missing, another denies these: then the policy is in force.
        let sure = scene.forbidden();
        plane
            .eventually("the policy in force", async || {
                for one in sure.iter().filter(|one| one.what.starts_with("our namespace made nobody's")) {
                    one.denied_to(&client, &user(n)).await?;
                }
                Some(())
            })
            .await;
        let handed_over: Vec<&str> = scene.handed_over().iter().map(|one| one.what).collect();
        for one in scene.allowed() {
            let denied = one.denied_to(&client, &user(n)).await;
            let is_let = !matches!(without, Without::HandingOver) || !handed_over.contains(&one.what);
            assert_eq!(denied.is_none(), is_let, "{without:?}, {}: {denied:?}", one.what);
        }
        let mut through = Vec::new();
        for one in scene.forbidden() {
            if one.denied_to(&client, &user(n)).await.is_none() {
                through.push(one.what);
            }
        }
        match without {
            Without::Nothing | Without::HandingOver => assert_eq!(through, Vec::<&str>::new()),
            Without::Expression(_) => {
                assert!(!through.is_empty(), "without {without:?} all is denied as before")
            }
        }
        println!("without {without:?}: {through:?}");
    }
    // Nobody else is asked about anything.
    for one in scene.forbidden() {
        assert_eq!(one.denied_to(&client, "somebody").await, None, "{}", one.what);
    }
}
