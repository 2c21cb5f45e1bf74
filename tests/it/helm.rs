//! k3s' helm-controller in the embedded world, and the operators that its charts bring.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::workloads::Environment;
use berth::rehearsal::players::Pace;
use serde_json::{Value, json};

const CHARTS: &str = "/apis/helm.cattle.io/v1/namespaces/kube-system/helmcharts";
const CERTIFICATES: &str = "/apis/cert-manager.io/v1/namespaces/default/certificates";

fn chart(name: &str, of: &str, place: &str, annotations: Value) -> Value {
    json!({
        "apiVersion": "helm.cattle.io/v1", "kind": "HelmChart", "metadata": {"name": name, "annotations": annotations},
        "spec": {
            "chart": of, "repo": "https://charts.example", "version": "1.2.3", "targetNamespace": place,
            "createNamespace": true,
        },
    })
}

fn cert_manager(annotations: Value) -> Value {
    let mut chart = chart("cert-manager", "cert-manager", "cert-manager", annotations);
    chart["spec"]["set"] = json!({"crds.enabled": "true"});
    chart
}

/// Those that play when they are installed.
pub(crate) fn operators() -> [Value; 4] {
    [
        cert_manager(json!({})),
        chart("cnpg", "cloudnative-pg", "cnpg-system", json!({})),
        chart("external-dns", "external-dns", "external-dns", json!({})),
        chart("external-secrets", "external-secrets", "external-secrets", json!({})),
    ]
}

fn said(object: &Value, kind: &str) -> (String, String) {
    let all = object["status"]["conditions"].as_array().into_iter().flatten();
    let condition = all.into_iter().find(|condition| condition["type"] == kind);
    let text = |field: &str| condition.and_then(|one| one[field].as_str()).unwrap_or("").to_owned();
    (text("status"), text("reason"))
}

fn is(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

fn names(objects: &[Value]) -> Vec<&str> {
    objects.iter().map(|object| object["metadata"]["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_environment_has_the_kinds_of_its_k3s_from_its_birth() {
    let bed = crate::bed::Bed::start().await;
    for player in berth::rehearsal::players::environment_players(Pace::REAL) {
        bed.world().play_in_environments(player);
    }
    let world = bed.world();
    assert_eq!(
        world.environment.resource("helm.cattle.io/v1", "HelmChart").as_deref(),
        Some("helmcharts.helm.cattle.io")
    );
    assert!(world.environment.resource("helm.cattle.io/v1", "HelmChartConfig").is_some());
    assert!(world.environment.get("namespaces", "", "kube-system").is_some());
    assert_eq!(world.refused(), Vec::<String>::new());
}

#[tokio::test]
async fn a_chart_is_installed_by_a_job_and_uninstalled_by_another() {
    let environment = Environment::born(Pace::REAL).await;
    environment.make(CHARTS, chart("shop", "shop", "shop", json!({}))).await;
    let get = || environment.get("helmcharts.helm.cattle.io", "kube-system", "shop");
    let of = get().unwrap();
    assert_eq!(of["status"]["jobName"], "helm-install-shop");
    assert_eq!((said(&of, "JobCreated"), said(&of, "Failed")), (is("True", "Job created"), is("False", "")));
    let job = |action: &str| environment.get("jobs.batch", "kube-system", &format!("helm-{action}-shop"));
    assert_eq!(job("install").unwrap()["status"]["active"], 1);
    assert_eq!(
        environment.get("namespaces", "", "shop"),
        None,
        "it is not there before the chart is installed"
    );
    let pace = Pace::REAL;
    let job_takes = u32::try_from((pace.pull + pace.start + pace.install).as_secs()).unwrap();
    environment.bed.pass(job_takes);
    assert_eq!(said(&job("install").unwrap(), "Complete").0, "True");
    let deployment = || environment.get("deployments.apps", "shop", "shop");
    assert_eq!(said(&deployment().unwrap(), "Available").0, "False");
    environment.bed.pass(12);
    assert_eq!(said(&deployment().unwrap(), "Available").0, "True");
    // What is changed is installed anew; what was taken away from a release stays away until then.
    environment.delete("/apis/apps/v1/namespaces/shop/deployments/shop").await;
    assert_eq!(deployment(), None);
    let before = job("install").unwrap()["metadata"]["uid"].clone();
    environment.patch(&format!("{CHARTS}/shop"), json!({"spec": {"valuesContent": "replicas: 2"}})).await;
    assert_ne!(job("install").unwrap()["metadata"]["uid"], before);
    environment.bed.pass(job_takes + 12);
    assert_eq!(said(&deployment().unwrap(), "Available").0, "True");
    assert!(environment.get("secrets", "shop", "sh.helm.release.v1.shop.v2").is_some());
    environment.delete(&format!("{CHARTS}/shop")).await;
    assert!(get().is_some() && deployment().is_some());
    assert_eq!(get().unwrap()["status"]["jobName"], "helm-delete-shop");
    environment.bed.pass(60);
    assert_eq!((get(), deployment(), job("delete"), job("install")), (None, None, None, None));
    assert_eq!(names(&environment.all("secrets")), Vec::<&str>::new());
    environment.unrefused();
}

#[tokio::test]
async fn a_job_that_fails_is_no_failure_of_its_chart_but_is_named() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let annotations =
        json!({"play.berth.dev/play": "crash-loop", "play.berth.dev/log": "Error: INSTALLATION FAILED"});
    let mut broken = chart("shop", "shop", "shop", annotations);
    broken["spec"]["backOffLimit"] = json!(2);
    environment.make(CHARTS, broken).await;
    let told = environment.told().await;
    let expected = "job keeps failing: job kube-system/helm-install-shop: pod kube-system/helm-install-shop-";
    assert!(told.starts_with(expected), "a Job that still tries has not failed: {told}");
    environment.bed.pass(10 + 20);
    let get = || environment.get("helmcharts.helm.cattle.io", "kube-system", "shop").unwrap();
    assert_eq!(said(&get(), "Failed"), is("False", ""), "as the real controller has it");
    let job = environment.get("jobs.batch", "kube-system", "helm-install-shop").unwrap();
    assert_eq!(said(&job, "Failed"), is("True", "BackoffLimitExceeded"));
    assert!(environment.told().await.starts_with("job failed: job kube-system/helm-install-shop: "));
    environment.patch(&format!("{CHARTS}/shop"), json!({"spec": {"helmVersion": "v2"}})).await;
    assert_eq!(said(&get(), "Failed"), is("True", "Unsupported version"));
    environment.unrefused();
}

#[tokio::test]
async fn helm_goes_nowhere_that_is_not_there() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let mut nowhere = chart("shop", "shop", "shop", json!({}));
    nowhere["spec"]["createNamespace"] = json!(false);
    environment.make(CHARTS, nowhere).await;
    assert_eq!(environment.get("deployments.apps", "shop", "shop"), None);
    let pods = environment.all("pods");
    assert_eq!(pods[0]["status"]["containerStatuses"][0]["state"]["waiting"]["reason"], "CrashLoopBackOff");
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}});
    environment.make("/api/v1/namespaces", namespace).await;
    assert!(environment.get("deployments.apps", "shop", "shop").is_some());
    environment.unrefused();
}

#[tokio::test]
async fn cert_manager_brings_its_kinds_only_if_it_is_told_to_and_they_stay() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    let served =
        || environment.bed.world().environment.resource("cert-manager.io/v1", "Certificate").is_some();
    environment.make(CHARTS, chart("cert-manager", "cert-manager", "cert-manager", json!({}))).await;
    let made = ["cert-manager", "cert-manager-cainjector", "cert-manager-webhook"];
    assert_eq!((names(&environment.all("deployments.apps")), served()), (made.to_vec(), false));
    let values = json!({"spec": {"valuesContent": "crds:\n  enabled: true\n"}});
    environment.patch(&format!("{CHARTS}/cert-manager"), values).await;
    assert!(served());
    let webhook = environment
        .get("validatingwebhookconfigurations.admissionregistration.k8s.io", "", "cert-manager-webhook")
        .unwrap();
    let service = webhook["webhooks"][0]["clientConfig"]["service"]["name"].as_str().unwrap();
    let endpoints = environment.get("endpoints", "cert-manager", service).unwrap();
    assert!(endpoints["subsets"][0]["addresses"][0]["ip"].is_string(), "{endpoints}");
    assert_eq!(endpoints["subsets"][0]["ports"][0]["port"], 10250);
    environment.delete(&format!("{CHARTS}/cert-manager")).await;
    assert_eq!((environment.all("deployments.apps"), served()), (vec![], true));
    environment.unrefused();
}

#[tokio::test]
async fn the_charts_of_operators_bring_what_people_wait_for() {
    for (release, of, deployments, kinds) in [
        (
            "external-dns",
            "external-dns",
            vec!["external-dns"],
            vec![("externaldns.k8s.io/v1alpha1", "DNSEndpoint")],
        ),
        (
            "external-secrets",
            "external-secrets",
            vec!["external-secrets", "external-secrets-cert-controller", "external-secrets-webhook"],
            vec![
                ("external-secrets.io/v1", "SecretStore"),
                ("external-secrets.io/v1", "ClusterSecretStore"),
                ("external-secrets.io/v1", "ExternalSecret"),
            ],
        ),
        (
            "cnpg",
            "cloudnative-pg",
            vec!["cnpg-cloudnative-pg"],
            vec![("postgresql.cnpg.io/v1", "Cluster"), ("postgresql.cnpg.io/v1", "Backup")],
        ),
        (
            "cert-manager",
            "cert-manager",
            vec!["cert-manager", "cert-manager-cainjector", "cert-manager-webhook"],
            vec![
                ("cert-manager.io/v1", "Certificate"),
                ("cert-manager.io/v1", "CertificateRequest"),
                ("cert-manager.io/v1", "Issuer"),
                ("cert-manager.io/v1", "ClusterIssuer"),
            ],
        ),
    ] {
        let environment = Environment::born(Pace::AT_ONCE).await;
        let mut chart = chart(release, of, "operators", json!({}));
        chart["spec"]["set"] = json!({"crds.enabled": "true"});
        environment.make(CHARTS, chart).await;
        let made = environment.all("deployments.apps");
        assert_eq!(names(&made), deployments);
        assert!(made.iter().all(|deployment| said(deployment, "Available").0 == "True"), "{release}");
        for (api_version, kind) in kinds {
            assert!(environment.bed.world().environment.resource(api_version, kind).is_some(), "{kind}");
        }
        environment.unrefused();
    }
}

#[tokio::test]
async fn a_release_whose_pods_do_not_start_is_named_and_its_operator_does_nothing() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CHARTS, cert_manager(json!({"play.berth.dev/release": "image-pull-back-off"}))).await;
    let told = environment.told().await;
    assert!(told.starts_with("image not found: pod cert-manager/cert-manager-"), "{told}");
    let job = environment.get("jobs.batch", "kube-system", "helm-install-cert-manager").unwrap();
    assert_eq!(said(&job, "Complete").0, "True", "Helm does not wait");
    environment.unrefused();
}

pub(crate) fn certificate(issuer: &str, annotations: Value) -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "shop", "annotations": annotations},
        "spec": {
            "secretName": "shop-tls", "dnsNames": ["shop.example.org"],
            "issuerRef": {"kind": "ClusterIssuer", "name": issuer},
        },
    })
}

pub(crate) fn issuer() -> Value {
    json!({
        "apiVersion": "cert-manager.io/v1", "kind": "ClusterIssuer", "metadata": {"name": "acme"},
        "spec": {"acme": {
            "server": "https://acme.example/directory", "privateKeySecretRef": {"name": "acme-key"}, "solvers": [],
        }},
    })
}

const ISSUERS: &str = "/apis/cert-manager.io/v1/clusterissuers";

#[tokio::test]
async fn a_certificate_is_issued_when_its_issuer_is_ready_and_as_long_as_that_takes() {
    let environment = Environment::born(Pace::REAL).await;
    environment.make(CHARTS, cert_manager(json!({}))).await;
    environment.bed.pass(120);
    environment.make(CERTIFICATES, certificate("acme", json!({}))).await;
    let get = |resource: &str, name: &str| environment.get(resource, "default", name);
    let certificate = || get("certificates.cert-manager.io", "shop").unwrap();
    assert_eq!(
        (said(&certificate(), "Ready"), said(&certificate(), "Issuing").0),
        (is("False", "DoesNotExist"), "True".to_owned())
    );
    let request = get("certificaterequests.cert-manager.io", "shop-1").unwrap();
    let message = request["status"]["conditions"][1]["message"].as_str().unwrap();
    assert_eq!(
        message,
        "Referenced \"ClusterIssuer\" not found: clusterissuer.cert-manager.io \"acme\" not found"
    );
    environment.bed.pass(600);
    environment.make(ISSUERS, issuer()).await;
    assert_eq!(
        said(&environment.get("clusterissuers.cert-manager.io", "", "acme").unwrap(), "Ready").0,
        "True"
    );
    assert_eq!(said(&certificate(), "Ready"), is("True", "Ready"), "it has waited long enough");
    assert_eq!(get("secrets", "shop-tls").unwrap()["type"], "kubernetes.io/tls");
    assert_eq!(environment.told().await, "nothing");
    environment.unrefused();
}

#[tokio::test]
async fn an_issuer_is_refused_until_the_operator_s_webhook_answers() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CHARTS, cert_manager(json!({"play.berth.dev/release": "never-ready"}))).await;
    let refused = environment.send("POST", ISSUERS, &issuer()).await.unwrap_err();
    let kube::Error::Api(status) = refused else { panic!("{refused}") };
    assert_eq!(
        (status.code, status.reason.as_str(), status.message.as_str()),
        (
            500,
            "InternalError",
            "Internal error occurred: failed calling webhook \"webhook.cert-manager.io\": failed to call webhook: Post \
             \"https://cert-manager-webhook.cert-manager.svc:443/validate?timeout=10s\": no endpoints available for service \
             \"cert-manager-webhook\""
        )
    );
    environment.patch(&format!("{CHARTS}/cert-manager"), json!({"metadata": {"annotations": {"play.berth.dev/release": null}}, "spec": {"version": "1.2.4"}})).await;
    environment.make(ISSUERS, issuer()).await;
    environment.unrefused();
}

#[tokio::test]
async fn a_certificate_that_is_not_issued_is_named() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CHARTS, cert_manager(json!({}))).await;
    environment.make(ISSUERS, issuer()).await;
    environment.make(CERTIFICATES, certificate("acme", json!({"play.berth.dev/play": "fail"}))).await;
    let expected =
        "certificate not issued: certificate default/shop: Issuing certificate as Secret does not exist";
    assert_eq!(environment.told().await, expected);
    environment.unrefused();
}

#[tokio::test]
async fn an_ingress_that_names_an_issuer_gets_its_certificate() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CHARTS, cert_manager(json!({}))).await;
    environment.make(ISSUERS, issuer()).await;
    let backend = json!({"service": {"name": "shop", "port": {"number": 80}}});
    let ingress = json!({
        "apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
        "metadata": {"name": "shop", "annotations": {"cert-manager.io/cluster-issuer": "acme"}},
        "spec": {
            "tls": [{"hosts": ["shop.example.org"], "secretName": "shop-tls"}],
            "rules": [{"host": "shop.example.org", "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        },
    });
    environment.make("/apis/networking.k8s.io/v1/namespaces/default/ingresses", ingress).await;
    assert!(environment.get("secrets", "default", "shop-tls").is_some());
    environment.delete("/apis/networking.k8s.io/v1/namespaces/default/ingresses/shop").await;
    assert_eq!(environment.get("certificates.cert-manager.io", "default", "shop-tls"), None);
    environment.unrefused();
}

pub(crate) fn database(annotations: Value) -> Value {
    json!({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": {"name": "postgres", "annotations": annotations},
        "spec": {
            "instances": 2, "storage": {"size": "1Gi"}, "bootstrap": {"initdb": {"database": "shop", "owner": "shop"}},
        },
    })
}

const CLUSTERS: &str = "/apis/postgresql.cnpg.io/v1/namespaces/default/clusters";

#[tokio::test]
async fn a_database_is_ready_with_its_secret_and_its_services_and_goes_with_them() {
    let environment = Environment::born(Pace::REAL).await;
    environment.make(CHARTS, chart("cnpg", "cloudnative-pg", "cnpg-system", json!({}))).await;
    environment.bed.pass(120);
    environment.make(CLUSTERS, database(json!({}))).await;
    let get = || environment.get("clusters.postgresql.cnpg.io", "default", "postgres").unwrap();
    assert_eq!(
        (said(&get(), "Ready"), &get()["status"]["phase"]),
        (is("False", "ClusterIsNotReady"), &json!("Setting up primary"))
    );
    environment.bed.pass(32);
    assert_eq!(
        (&get()["status"]["readyInstances"], &get()["status"]["phase"]),
        (&json!(1), &json!("Creating a new replica"))
    );
    environment.bed.pass(32);
    assert_eq!(
        (said(&get(), "Ready"), &get()["status"]["readyInstances"]),
        (is("True", "ClusterIsReady"), &json!(2))
    );
    let secret = environment.get("secrets", "default", "postgres-app").unwrap();
    for key in ["username", "password", "dbname", "host", "port", "uri", "jdbc-uri", "pgpass", "user"] {
        assert!(secret["data"][key].is_string(), "{key}");
    }
    let endpoints = environment.get("endpoints", "default", "postgres-rw").unwrap();
    assert_eq!(endpoints["subsets"][0]["addresses"][0]["targetRef"]["name"], "postgres-1");
    environment.delete(&format!("{CLUSTERS}/postgres")).await;
    for resource in ["pods", "secrets", "persistentvolumeclaims", "services", "persistentvolumes"] {
        let left = environment.all(resource);
        let left: Vec<&str> = names(&left).into_iter().filter(|name| name.contains("postgres")).collect();
        assert_eq!(left, Vec::<&str>::new(), "{resource}");
    }
    environment.unrefused();
}

#[tokio::test]
async fn a_database_that_does_not_come_up_is_named() {
    let environment = Environment::born(Pace::AT_ONCE).await;
    environment.make(CHARTS, chart("cnpg", "cloudnative-pg", "cnpg-system", json!({}))).await;
    environment.make(CLUSTERS, database(json!({"play.berth.dev/play": "out-of-memory"}))).await;
    let told = environment.told().await;
    assert!(told.starts_with("out of memory: pod default/postgres-1: container postgres ended"), "{told}");
    environment.unrefused();
}
