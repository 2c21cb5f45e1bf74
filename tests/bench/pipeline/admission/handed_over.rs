//! What berth does in an Argo CD's namespace, and what whoever has its token might try there.

use super::{LABEL, Scene, Try, config, labels};
use serde_json::{Value, json};

/// As berth makes a cluster known to Argo CD.
pub(super) fn registration(namespace: &str, name: &str, of: Option<&str>) -> Value {
    let mut labels = labels(of);
    labels["argocd.argoproj.io/secret-type"] = json!("cluster");
    json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque",
        "metadata": {"namespace": namespace, "name": name, "labels": labels}, "stringData": {"server": "https://a"},
    })
}

/// As it lets it deploy there.
pub(super) fn application(namespace: &str, name: &str, of: Option<&str>) -> Value {
    json!({
        "apiVersion": "argoproj.io/v1alpha1", "kind": "Application",
        "metadata": {"namespace": namespace, "name": name, "labels": labels(of)},
        "spec": {"project": "default", "source": {"repoURL": "https://a"}, "destination": {"name": of.unwrap_or("any")}},
    })
}

/// The same with this at that place, whose parent is there.
fn with(mut object: Value, path: &str, value: Value) -> Value {
    let (parent, key) = path.rsplit_once('/').unwrap();
    object.pointer_mut(parent).unwrap()[key.replace("~1", "/")] = value;
    object
}

impl Scene {
    fn secrets(&self) -> String {
        format!("/api/v1/namespaces/{}/secrets", self.argo_cd)
    }

    fn applications(&self) -> String {
        format!("/apis/argoproj.io/v1alpha1/namespaces/{}/applications", self.argo_cd)
    }

    /// At Argo CD's.
    pub(super) fn not_handed_over(&self) -> Vec<Try> {
        let (argo_cd, secrets, applications) = (&self.argo_cd, self.secrets(), self.applications());
        let cluster = || registration(argo_cd, "berth-pr-c-3", Some("pr-c-3"));
        let app = || application(argo_cd, "c-3", Some("pr-c-3"));
        let mut filled = with(cluster(), "/type", json!("kubernetes.io/service-account-token"));
        filled["metadata"]["annotations"] = json!({"kubernetes.io/service-account.name": "default"});
        let repository = json!("repository");
        let kind = "/metadata/labels/argocd.argoproj.io~1secret-type";
        let itself = json!({"server": "https://kubernetes.default.svc"});
        let both = json!({"server": "https://kubernetes.default.svc", "name": "pr-c-3"});
        let changed = json!({"metadata": {"annotations": {"is": "not so"}}});
        let ours = json!({"metadata": {"labels": {LABEL: "pr-a-1"}}});
        let held = json!(["example.com/held"]);
        let operation = json!({"sync": {"revision": "main"}});
        let synced = json!({"sync": {"status": "Synced"}});
        let at = |of: &str, name: &str| format!("{of}/{name}");
        let configs = format!("/api/v1/namespaces/{argo_cd}/configmaps");
        let all = [
            ("a cluster of nobody", "POST", secrets.clone(), registration(argo_cd, "berth-pr-c-3", None)),
            (
                "a cluster by another's name",
                "POST",
                secrets.clone(),
                with(cluster(), "/metadata/name", json!("berth-pr-b-2")),
            ),
            (
                "a cluster by any name",
                "POST",
                secrets.clone(),
                with(cluster(), "/metadata/name", json!("any")),
            ),
            ("a repository", "POST", secrets.clone(), with(cluster(), kind, repository.clone())),
            ("a Secret for a token", "POST", secrets.clone(), filled),
            ("an app of nobody", "POST", applications.clone(), application(argo_cd, "c-3", None)),
            (
                "an app by another's name",
                "POST",
                applications.clone(),
                with(app(), "/metadata/name", json!("b-2")),
            ),
            (
                "an app for Argo CD's cluster",
                "POST",
                applications.clone(),
                with(app(), "/spec/destination", itself.clone()),
            ),
            (
                "an app for that cluster, too",
                "POST",
                applications.clone(),
                with(app(), "/spec/destination", both),
            ),
            (
                "an app for another",
                "POST",
                applications.clone(),
                with(app(), "/spec/destination/name", json!("pr-b-2")),
            ),
            (
                "an app of another project",
                "POST",
                applications.clone(),
                with(app(), "/spec/project", json!("ops")),
            ),
            (
                "an app for in-cluster by its own label",
                "POST",
                applications.clone(),
                application(argo_cd, "in-cluster", Some("in-cluster")),
            ),
            (
                "an app for another registered cluster by its own label",
                "POST",
                applications.clone(),
                application(argo_cd, "production", Some("production")),
            ),
            (
                "an app for one whose name begins as ours do",
                "POST",
                applications.clone(),
                application(argo_cd, "production", Some("pr-production")),
            ),
            (
                "a cluster by a label of anybody's choice",
                "POST",
                secrets.clone(),
                registration(argo_cd, "berth-production", Some("production")),
            ),
            (
                "Argo CD's own cluster by our name",
                "POST",
                secrets.clone(),
                with(cluster(), "/stringData/server", json!("https://kubernetes.default.svc/")),
            ),
            (
                "a cluster marked for others' apps",
                "POST",
                secrets.clone(),
                with(cluster(), "/metadata/labels/env", json!("production")),
            ),
            (
                "our cluster marked for others' apps",
                "PATCH",
                at(&secrets, "berth-pr-a-1"),
                json!({"metadata": {"labels": {"env": "production"}}}),
            ),
            (
                "a cluster that outlives its deletion",
                "POST",
                secrets.clone(),
                with(cluster(), "/metadata/finalizers", held.clone()),
            ),
            (
                "an app that outlives its deletion",
                "POST",
                applications.clone(),
                with(app(), "/metadata/finalizers", held.clone()),
            ),
            (
                "our app made to outlive its deletion",
                "PATCH",
                at(&applications, "a-1"),
                json!({"metadata": {"finalizers": held}}),
            ),
            (
                "an app whose news somebody gets",
                "POST",
                applications.clone(),
                with(
                    app(),
                    "/metadata/annotations",
                    json!({"notifications.argoproj.io/subscribe.slack": "all"}),
                ),
            ),
            (
                "an app with an operation",
                "POST",
                applications.clone(),
                with(app(), "/operation", operation.clone()),
            ),
            (
                "our app given an operation",
                "PATCH",
                at(&applications, "a-1"),
                json!({"operation": operation}),
            ),
            (
                "an app said to be synced",
                "POST",
                applications.clone(),
                with(app(), "/status", synced.clone()),
            ),
            ("our app said to be synced", "PATCH", at(&applications, "a-1"), json!({"status": synced})),
            (
                "an app that writes into repositories",
                "POST",
                applications.clone(),
                with(app(), "/spec/sourceHydrator", json!({"drySource": {"repoURL": "https://a"}})),
            ),
            ("anything else handed over", "POST", configs.clone(), config(argo_cd, "fresh", Some("pr-c-3"))),
            ("anything else there deleted", "DELETE", at(&configs, "stray"), Value::Null),
            (
                "our cluster made a repository",
                "PATCH",
                at(&secrets, "berth-pr-a-1"),
                json!({"metadata": {"labels": {"argocd.argoproj.io/secret-type": repository}}}),
            ),
            (
                "our app sent to Argo CD's cluster",
                "PATCH",
                at(&applications, "a-1"),
                json!({"spec": {"destination": itself}}),
            ),
            ("a look at another's Secret", "PATCH", at(&secrets, "other"), json!({})),
            ("another's Secret changed", "PATCH", at(&secrets, "other"), changed.clone()),
            ("another's Secret made ours", "PATCH", at(&secrets, "other"), ours),
            ("another's Secret deleted", "DELETE", at(&secrets, "other"), Value::Null),
            ("another's app changed", "PATCH", at(&applications, "other"), changed),
            ("another's app deleted", "DELETE", at(&applications, "other"), Value::Null),
        ];
        all.into_iter().map(|(what, method, path, body)| Try { what, method, path, body }).collect()
    }

    /// What berth does there.
    pub(super) fn handed_over(&self) -> Vec<Try> {
        let (argo_cd, secrets, applications) = (&self.argo_cd, self.secrets(), self.applications());
        let (cluster, app) = (format!("{secrets}/berth-pr-a-1"), format!("{applications}/a-1"));
        let marked = json!({"metadata": {"labels": {"berth.dev/generation": "2"}}});
        let all = [
            (
                "a cluster made known",
                "POST",
                secrets.clone(),
                registration(argo_cd, "berth-pr-c-3", Some("pr-c-3")),
            ),
            (
                "a merge group's cluster made known",
                "POST",
                secrets.clone(),
                registration(argo_cd, "berth-mg-c-0123456789ab", Some("mg-c-0123456789ab")),
            ),
            (
                "a merge group's app handed over",
                "POST",
                applications.clone(),
                application(argo_cd, "mg-c-0123456789ab", Some("mg-c-0123456789ab")),
            ),
            ("a look at our cluster", "PATCH", cluster.clone(), json!({})),
            ("our cluster marked", "PATCH", cluster.clone(), marked.clone()),
            ("our cluster taken back", "DELETE", cluster, Value::Null),
            ("an app handed over", "POST", applications, application(argo_cd, "c-3", Some("pr-c-3"))),
            ("our app marked", "PATCH", app.clone(), marked),
            ("our app taken back", "DELETE", app, Value::Null),
        ];
        all.into_iter().map(|(what, method, path, body)| Try { what, method, path, body }).collect()
    }
}
