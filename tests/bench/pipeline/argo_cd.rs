//! An app that is handed over to an Argo CD, which is played, in a namespace where it keeps a secret of its own.

use super::bed::Bed;
use crate::harness::{
    control_plane::ControlPlane,
    environment::Environment,
    players::{self, NoRecords, Records, Running},
};
use berth::{
    domain::{intent::Occasion, report::Outcome},
    rehearsal::players::{Player, argo_cd},
};
use hyper::Request;
use jiff::SignedDuration;
use serde_json::{Value, json};
use std::sync::Arc;

/// Its own, and nobody else may read it.
const OWN: &str = "argocd-secret";

/// See the module.
pub(super) struct ArgoCd {
    pub(super) namespace: String,
    playing: Running,
}

impl ArgoCd {
    /// Of this cluster.
    pub(super) async fn of(plane: &ControlPlane) -> Self {
        let namespace = plane.fresh_namespace("argocd").await;
        let own = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {"name": OWN, "namespace": namespace},
            "stringData": {"admin.password": "not-one"},
        });
        plane.kubectl(&["create", "-f", "-"], &own.to_string());
        // Whole seconds are what it counts in: it is always late enough for a run to have to wait.
        let first_look = SignedDuration::from_secs(2);
        let players: Vec<Arc<dyn Player>> = vec![Arc::new(argo_cd::ArgoCd { first_look })];
        let no_records = Arc::new(NoRecords) as Arc<dyn Records>;
        let client = plane.client("players").await;
        Self { playing: players::run(players, &client, &namespace, None, &no_records), namespace }
    }

    /// Nothing of anybody's is in its namespace.
    pub(super) fn is_as_it_was(&self, plane: &ControlPlane) {
        assert_eq!(self.holds(plane), [format!("secret/{OWN}")]);
        assert_eq!(self.playing.refused(), Vec::<String>::new());
    }

    fn holds(&self, plane: &ControlPlane) -> Vec<String> {
        let held = plane.kubectl(&["get", "applications,secrets", "-n", &self.namespace, "-o", "name"], "");
        held.lines().map(str::to_owned).collect()
    }
}

/// Up and Down, by Argo CD; its number.
pub(super) async fn handed_over_and_taken_back(bed: &mut Bed) -> u64 {
    bed.hands_over();
    let number = bed.open("handed");
    let name = bed.name(number);
    let environments = bed.environments(&[number]).await;
    let [environment] = environments.as_slice() else { panic!("one for each number") };
    let (report, ()) = tokio::join!(bed.run(number, Occasion::Event), synced(bed, number, environment));
    assert_eq!(report.outcome, Some(Outcome::Ready), "{report:#?}");
    let application = format!("application.argoproj.io/{}", name.strip_prefix("pr-").unwrap());
    let held = [application, format!("secret/{OWN}"), format!("secret/berth-{name}")];
    assert_eq!(bed.argo_cd.holds(bed.management), held);
    bed.close(number);
    let report = bed.run(number, Occasion::Event).await;
    assert!(matches!(report.outcome, Some(Outcome::Removed { .. })), "{report:#?}");
    bed.nothing_is_left(&[number], &environments).await;
    number
}

/// What is played fetches no source: so what stands there is put into the environment here, once there is an Application.
async fn synced(bed: &Bed, number: u64, environment: &Environment) {
    let get = |kind: &str, namespace: &str, path: &str| {
        let shown = format!("jsonpath={{.items[*]{path}}}");
        bed.management.kubectl(&["get", kind, "-n", namespace, "-o", &shown], "")
    };
    let status = ".status.sync.status";
    let synced = async || (get("applications", &bed.argo_cd.namespace, status) == "Synced").then_some(());
    bed.management.eventually("an Application that is synced", synced).await;
    let address = get("clusters.cluster.x-k8s.io", &bed.name(number), ".spec.controlPlaneEndpoint.host");
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "shop", "annotations": {"external-dns.alpha.kubernetes.io/target": address}},
        "spec": {"rules": [{"host": bed.host(number)}]},
    });
    environment.plane.kubectl(&["create", "-f", "-"], &ingress.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_app_is_handed_over_and_taken_back_by_an_account_that_reads_no_secret_of_argo_cd() {
    let mut bed = Bed::with_rights(|_| {}).await;
    handed_over_and_taken_back(&mut bed).await;
    let client = bed.client().await;
    let secrets = format!("/api/v1/namespaces/{}/secrets", bed.argo_cd.namespace);
    for (method, path, denied) in [
        ("GET", secrets.clone(), "cannot list"),
        ("GET", format!("{secrets}?fieldSelector=metadata.name%3D{OWN}"), "cannot list"),
        ("GET", format!("{secrets}?watch=true"), "cannot watch"),
        ("GET", format!("{secrets}/{OWN}"), "cannot get"),
        // As berth looks at its own.
        ("PATCH", format!("{secrets}/{OWN}?dryRun=All"), "only what carries the label"),
        ("PATCH", format!("{secrets}/{OWN}"), "only what carries the label"),
        ("DELETE", format!("{secrets}/{OWN}"), "only what carries the label"),
    ] {
        let request = Request::builder().method(method).uri(&path);
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        let request = request.header("content-type", kind).body(b"{}".to_vec()).unwrap();
        match client.request::<Value>(request).await {
            Err(kube::Error::Api(status)) => {
                assert!(status.is_forbidden() || status.code == 422, "{method} {path}: {status:?}");
                assert!(status.message.contains(denied), "{method} {path}: {status:?}");
            }
            other => panic!("{method} {path}: {other:?}"),
        }
    }
}
