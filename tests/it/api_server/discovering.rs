//! What a server says that it serves, and what it says of the rest.

use super::{Place, UnderTest};
use kube::{Discovery, discovery::Scope};
use serde_json::{Value, json};

const AGGREGATED: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";

/// As many as pipelines use: more are served by a real server.
const KINDS: [(&str, &str, &str, bool); 21] = [
    ("v1", "configmaps", "ConfigMap", true),
    ("v1", "events", "Event", true),
    ("v1", "namespaces", "Namespace", false),
    ("v1", "nodes", "Node", false),
    ("v1", "persistentvolumeclaims", "PersistentVolumeClaim", true),
    ("v1", "pods", "Pod", true),
    ("v1", "resourcequotas", "ResourceQuota", true),
    ("v1", "secrets", "Secret", true),
    ("v1", "serviceaccounts", "ServiceAccount", true),
    ("v1", "services", "Service", true),
    ("apps/v1", "daemonsets", "DaemonSet", true),
    ("apps/v1", "deployments", "Deployment", true),
    ("apps/v1", "statefulsets", "StatefulSet", true),
    ("batch/v1", "jobs", "Job", true),
    ("networking.k8s.io/v1", "ingresses", "Ingress", true),
    ("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy", true),
    ("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole", false),
    ("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding", true),
    (
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        "ValidatingWebhookConfiguration",
        false,
    ),
    ("apiextensions.k8s.io/v1", "customresourcedefinitions", "CustomResourceDefinition", false),
    ("coordination.k8s.io/v1", "leases", "Lease", true),
];

pub(crate) async fn the_kinds_that_pipelines_use_are_listed(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    let groups = place.get("/apis").await.is(200);
    assert_eq!((&groups["kind"], &groups["apiVersion"]), (&json!("APIGroupList"), &json!("v1")));
    for (version, plural, kind, namespaced) in KINDS {
        let path = if version == "v1" { "/api/v1".to_owned() } else { format!("/apis/{version}") };
        let list = place.get(&path).await.is(200);
        assert_eq!((&list["kind"], &list["groupVersion"]), (&json!("APIResourceList"), &json!(version)));
        let resources = list["resources"].as_array().unwrap();
        let found = resources.iter().find(|resource| resource["name"] == plural).unwrap();
        assert_eq!((&found["kind"], &found["namespaced"]), (&json!(kind), &json!(namespaced)), "{plural}");
        for verb in ["create", "delete", "get", "list", "patch", "update", "watch"] {
            assert!(found["verbs"].as_array().unwrap().contains(&json!(verb)), "{plural}: {verb}");
        }
        let Some((group, _)) = version.split_once('/') else { continue };
        let named = groups["groups"].as_array().unwrap().iter().find(|known| known["name"] == group).unwrap();
        assert!(named["versions"].as_array().unwrap().iter().any(|known| known["groupVersion"] == version));
    }
}

pub(crate) async fn all_of_it_can_be_had_at_once(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    for path in ["/api", "/apis"] {
        let answer = place.raw("GET", path, &[("accept", AGGREGATED)], String::new()).await;
        assert_eq!(answer.kind, AGGREGATED);
        let all = answer.is(200);
        assert_eq!(all["kind"], "APIGroupDiscoveryList");
        assert_eq!(all["apiVersion"], "apidiscovery.k8s.io/v2");
        for (version, plural, kind, namespaced) in KINDS {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            if group.is_empty() != (path == "/api") {
                continue;
            }
            let of = |item: &&Value| item["metadata"]["name"].as_str().unwrap_or_default() == group;
            let items = all["items"].as_array().unwrap();
            let versions = items.iter().find(of).unwrap()["versions"].as_array().unwrap();
            let found = versions.iter().find(|known| known["version"] == version).unwrap();
            assert_eq!(found["freshness"], "Current");
            let resources = found["resources"].as_array().unwrap();
            let found = resources.iter().find(|resource| resource["resource"] == plural).unwrap();
            let scope = if namespaced { "Namespaced" } else { "Cluster" };
            assert_eq!((&found["responseKind"]["kind"], &found["scope"]), (&json!(kind), &json!(scope)));
        }
    }
    let fallback = format!("{AGGREGATED},application/json");
    let plain = place.raw("GET", "/apis/apps", &[("accept", &fallback)], String::new()).await;
    assert_eq!(
        (plain.kind.as_str(), plain.code),
        ("application/json", 200),
        "a group alone has no such form"
    );
    let refusal = place.raw("GET", "/apis/apps", &[("accept", AGGREGATED)], String::new()).await.refusal(406);
    assert_eq!(refusal["reason"], "NotAcceptable");
}

pub(crate) async fn the_client_library_discovers(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    for discovery in [
        Discovery::new(place.client.clone()).run().await.unwrap(),
        Discovery::new(place.client.clone()).run_aggregated().await.unwrap(),
    ] {
        for (version, plural, kind, namespaced) in KINDS {
            let (group, version) = version.split_once('/').unwrap_or(("", version));
            let group = discovery.get(group).unwrap();
            let (resource, capabilities) = group
                .versioned_resources(version)
                .into_iter()
                .find(|(resource, _)| resource.kind == kind)
                .unwrap_or_else(|| panic!("{kind} is not found"));
            assert_eq!(resource.plural, plural);
            assert_eq!(matches!(capabilities.scope, Scope::Namespaced), namespaced);
        }
    }
}

pub(crate) async fn of_what_is_not_served_there_is_no_page(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    for path in [
        "/apis/nobody.example",
        "/apis/nobody.example/v1",
        "/apis/nobody.example/v1/things",
        "/apis/nobody.example/v1/namespaces/default/things/a",
        "/apis/nobody.example/v1/things?watch=true",
        "/nowhere",
    ] {
        let answer = place.get(path).await;
        assert_eq!(answer.kind, "text/plain; charset=utf-8", "{path}");
        assert_eq!(answer.is(404), json!("404 page not found\n"), "{path}");
    }
    for path in [
        "/api/v1/things",
        "/apis/apps/v9",
        "/apis/apps/v9/deployments",
        "/apis/apps/v1/things",
        "/api/v1/configmaps/a",
        "/api/v1/namespaces/default/nodes",
        "/api/v1/namespaces/default/namespaces",
    ] {
        let expected = json!({
            "reason": "NotFound", "details": {}, "message": "the server could not find the requested resource",
        });
        assert_eq!(place.get(path).await.refusal(404), expected, "{path}");
    }
}

pub(crate) async fn it_says_when_it_is_ready(under_test: &impl UnderTest) {
    let place = Place::of(under_test).await;
    for path in ["/readyz", "/livez", "/healthz"] {
        assert_eq!(place.get(path).await.is(200), json!("ok"));
    }
    assert_eq!(place.get("/version").await.is(200)["major"], "1");
}
