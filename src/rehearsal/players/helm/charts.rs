//! What is in the charts that environments use, as far as anybody waits for it or is kept waiting by it.
//!
//! A chart that nobody knows here is a Deployment named like its release.

use super::super::{definitions, workloads::play::PLAY};
use super::{
    DEFINITION, DEPLOYMENT, Kind, RELEASE, RELEASE_NAME, RELEASE_NAMESPACE, SERVICE, VALIDATING, annotation,
    name, text,
};
use serde_json::{Value, json};

/// What Helm makes of a HelmChart.
pub(super) fn objects(chart: &Value, config: Option<&Value>, place: &str) -> Vec<(Kind, Value)> {
    let values = Values::of(chart, config);
    let release =
        Release { chart, place, called: text(chart, "/spec/chart").rsplit('/').next().unwrap_or_default() };
    match release.called {
        "cert-manager" => cert_manager(&release, &values),
        "external-dns" => external_dns(&release),
        "external-secrets" => external_secrets(&release, &values),
        "cloudnative-pg" => cloudnative_pg(&release, &values),
        _ => vec![release.deployment("", name(chart), None)],
    }
}

/// The values that a chart is installed with.
struct Values {
    set: Value,
    texts: Vec<Value>,
}

impl Values {
    fn of(chart: &Value, config: Option<&Value>) -> Self {
        let texts = [Some(chart), config].into_iter().flatten().map(|one| text(one, "/spec/valuesContent"));
        // The last says most.
        let texts = texts.map(|text| serde_saphyr::from_str(text).unwrap_or(Value::Null)).rev();
        Self { set: chart["spec"]["set"].clone(), texts: texts.collect() }
    }

    fn is(&self, path: &str, default: bool) -> bool {
        let read = |value: &Value| match value {
            Value::Bool(is) => Some(*is),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        let pointer = format!("/{}", path.replace('.', "/"));
        let of_texts = || self.texts.iter().find_map(|text| text.pointer(&pointer).and_then(read));
        read(&self.set[path]).or_else(of_texts).unwrap_or(default)
    }
}

struct Release<'a> {
    chart: &'a Value,
    place: &'a str,
    /// Of the chart.
    called: &'a str,
}

impl Release<'_> {
    /// As most charts name what they make.
    fn full_name(&self) -> String {
        let release = name(self.chart);
        if release.contains(self.called) { release.to_owned() } else { format!("{release}-{}", self.called) }
    }

    fn metadata(&self, name: &str, of: &str, keep: bool) -> Value {
        let release = super::name(self.chart);
        let mut metadata = json!({
            "name": name,
            "labels": {
                "app.kubernetes.io/name": of, "app.kubernetes.io/instance": release, "app.kubernetes.io/managed-by": "Helm",
            },
            "annotations": { RELEASE_NAME: release, RELEASE_NAMESPACE: self.place },
        });
        if keep {
            metadata["annotations"]["helm.sh/resource-policy"] = "keep".into();
        }
        metadata
    }

    /// A Deployment of the release, and the port that it serves webhooks on.
    fn deployment(&self, suffix: &str, of: &str, port: Option<(&str, u16)>) -> (Kind, Value) {
        let full = match self.called {
            "cert-manager" | "external-secrets" | "cloudnative-pg" | "external-dns" => self.full_name(),
            _ => name(self.chart).to_owned(),
        };
        let called = format!("{full}{suffix}");
        let mut metadata = self.metadata(&called, of, false);
        metadata["namespace"] = self.place.into();
        let labels = json!({ "app.kubernetes.io/name": of, "app.kubernetes.io/instance": name(self.chart) });
        let mut annotations = json!({});
        if !annotation(self.chart, RELEASE).is_empty() {
            annotations[PLAY] = annotation(self.chart, RELEASE).into();
        }
        let mut container =
            json!({ "name": called, "image": format!("registry.example/{of}:{}", self.version()) });
        if let Some((port, number)) = port {
            container["ports"] = json!([{ "name": port, "containerPort": number, "protocol": "TCP" }]);
        }
        let template = json!({
            "metadata": { "labels": labels, "annotations": annotations },
            "spec": { "containers": [container], "restartPolicy": "Always" },
        });
        let rolling = json!({ "maxSurge": "25%", "maxUnavailable": "25%" });
        let spec = json!({
            "replicas": 1, "selector": { "matchLabels": labels }, "template": template,
            "strategy": { "type": "RollingUpdate", "rollingUpdate": rolling },
            "progressDeadlineSeconds": 600, "revisionHistoryLimit": 10,
        });
        let deployment = json!({
            "apiVersion": DEPLOYMENT.api_version(), "kind": DEPLOYMENT.kind, "metadata": metadata, "spec": spec,
        });
        (DEPLOYMENT, deployment)
    }

    fn version(&self) -> &str {
        match text(self.chart, "/spec/version") {
            "" => "latest",
            version => version,
        }
    }

    fn service(&self, called: &str, of: &str, port: &str) -> (Kind, Value) {
        let mut metadata = self.metadata(called, of, false);
        metadata["namespace"] = self.place.into();
        let selector =
            json!({ "app.kubernetes.io/name": of, "app.kubernetes.io/instance": name(self.chart) });
        let service = json!({
            "apiVersion": "v1", "kind": SERVICE.kind, "metadata": metadata,
            "spec": {
                "type": "ClusterIP", "selector": selector,
                "ports": [{ "name": port, "port": 443, "protocol": "TCP", "targetPort": port }],
            },
        });
        (SERVICE, service)
    }

    /// A webhook that is asked about these resources of a group, and must answer.
    fn webhook(
        &self,
        of: (&str, &str),
        hook: &str,
        service: (&str, &str),
        group: &str,
        kinds: &[&str],
    ) -> (Kind, Value) {
        let (called, chart_name) = of;
        let (service, path) = service;
        let webhook = json!({
            "name": hook, "failurePolicy": "Fail", "sideEffects": "None", "matchPolicy": "Equivalent",
            "admissionReviewVersions": ["v1"], "timeoutSeconds": 10,
            "rules": [{
                "apiGroups": [group], "apiVersions": ["*"], "operations": ["CREATE", "UPDATE"], "resources": kinds,
                "scope": "*",
            }],
            "clientConfig": { "caBundle": "bm90LW9uZQ==", "service": {
                "namespace": self.place, "name": service, "path": path, "port": 443,
            } },
        });
        let configuration = json!({
            "apiVersion": VALIDATING.api_version(), "kind": VALIDATING.kind,
            "metadata": self.metadata(called, chart_name, false), "webhooks": [webhook],
        });
        (VALIDATING, configuration)
    }

    /// The definitions of a group; what Helm is told to keep stays when the release goes.
    fn definitions(&self, group: &str, keep: bool) -> impl Iterator<Item = (Kind, Value)> {
        definitions::of(group).map(move |definition| {
            let mut definition = definition.clone();
            let metadata = self.metadata(name(&definition), self.called, keep);
            definition["metadata"]["labels"] = metadata["labels"].clone();
            definition["metadata"]["annotations"] = metadata["annotations"].clone();
            (DEFINITION, definition)
        })
    }
}

/// Its definitions are part of it only if somebody says so.
fn cert_manager(release: &Release<'_>, values: &Values) -> Vec<(Kind, Value)> {
    let webhook = format!("{}-webhook", release.full_name());
    let hook = "webhook.cert-manager.io";
    let service = (webhook.as_str(), "/validate");
    let mut all = vec![
        release.deployment("", "cert-manager", None),
        release.deployment("-webhook", "webhook", Some(("https", 10250))),
        release.deployment("-cainjector", "cainjector", None),
        release.service(&webhook, "webhook", "https"),
        release.webhook((&webhook, "webhook"), hook, service, "cert-manager.io", &["*/*"]),
    ];
    if values.is("crds.enabled", false) || values.is("installCRDs", false) {
        all.extend(release.definitions("cert-manager.io", values.is("crds.keep", true)));
    }
    all
}

/// Its definition lies beside its templates: Helm makes it and never takes it away.
fn external_dns(release: &Release<'_>) -> Vec<(Kind, Value)> {
    let definitions = definitions::of("externaldns.k8s.io").map(|one| (DEFINITION, one.clone()));
    std::iter::once(release.deployment("", "external-dns", None)).chain(definitions).collect()
}

fn external_secrets(release: &Release<'_>, values: &Values) -> Vec<(Kind, Value)> {
    let (full, group) = (release.full_name(), "external-secrets.io");
    let webhook = format!("{full}-webhook");
    let of = "external-secrets-webhook";
    let stores = (webhook.as_str(), "/validate-external-secrets-io-v1-secretstore");
    let secrets = (webhook.as_str(), "/validate-external-secrets-io-v1-externalsecret");
    let store = "validate.secretstore.external-secrets.io";
    let mut all = vec![
        release.deployment("", "external-secrets", None),
        release.deployment("-webhook", of, Some(("webhook", 10250))),
        release.deployment("-cert-controller", "external-secrets-cert-controller", None),
        release.service(&webhook, of, "webhook"),
        release.webhook(
            ("secretstore-validate", of),
            store,
            stores,
            group,
            &["secretstores", "clustersecretstores"],
        ),
        release.webhook(
            ("externalsecret-validate", of),
            "validate.externalsecret.external-secrets.io",
            secrets,
            group,
            &["externalsecrets"],
        ),
    ];
    if values.is("installCRDs", true) {
        all.extend(release.definitions(group, false));
    }
    all
}

fn cloudnative_pg(release: &Release<'_>, values: &Values) -> Vec<(Kind, Value)> {
    let (of, service) = ("cloudnative-pg", "cnpg-webhook-service");
    let path = "/validate-postgresql-cnpg-io-v1-cluster";
    let mut all = vec![
        release.deployment("", of, Some(("webhook-server", 9443))),
        release.service(service, of, "webhook-server"),
        release.webhook(
            ("cnpg-validating-webhook-configuration", of),
            "vcluster.cnpg.io",
            (service, path),
            "postgresql.cnpg.io",
            &["clusters"],
        ),
    ];
    if values.is("crds.create", true) {
        all.extend(release.definitions("postgresql.cnpg.io", true));
    }
    all
}
