//! The Jobs that run Helm, and what they need: an account that may do everything, the values, the chart if it is given.

use super::super::workloads::play::{DELAY, EXIT_CODE, FAIL, LOG, PLAY};
use super::super::{names, objects::number};
use super::{
    BINDING, CONFIG_MAP, JOB, Kind, Look, NAMESPACE, SECRET, SERVICE_ACCOUNT, annotation, is_true, name,
    namespace, text, yes,
};
use k8s_openapi::ByteString;
use serde_json::{Map, Value, json};

/// What a Job's template carries of what it is for.
pub(super) const HASH: &str = "/spec/template/metadata/annotations/helmcharts.helm.cattle.io~1configHash";
const IMAGE: &str = "rancher/klipper-helm:v0.9.4-build20250113";

impl Look<'_> {
    pub(super) fn make_job(&self, action: &str) -> Value {
        let (chart, called) = (self.chart, name(self.chart));
        let mut annotations = self.plays(action);
        let values = self.config().map_or("", |config| text(config, "/spec/valuesContent"));
        let (spec, plays) = (chart["spec"].to_string(), Value::Object(annotations.clone()).to_string());
        let hash = names::token(&[action, &spec, values, &plays]).to_uppercase();
        annotations
            .insert("helmcharts.helm.cattle.io/configHash".to_owned(), format!("SHA256={hash}").into());
        let policy = self.config().map_or("", |config| text(config, "/spec/failurePolicy"));
        let policy =
            [policy, text(chart, "/spec/failurePolicy"), "reinstall"].into_iter().find(|one| !one.is_empty());
        let mut chart_name = text(chart, "/spec/chart").to_owned();
        if !text(chart, "/spec/repo").is_empty() {
            chart_name = format!("{called}/{chart_name}");
        }
        let image = Some(text(chart, "/spec/jobImage")).filter(|image| !image.is_empty()).unwrap_or(IMAGE);
        json!({
            "apiVersion": JOB.api_version(), "kind": JOB.kind,
            "metadata": {
                "namespace": namespace(chart), "name": format!("helm-{action}-{called}"),
                "labels": { "helmcharts.helm.cattle.io/chart": called },
                "annotations": {
                    "objectset.rio.cattle.io/owner-gvk": "helm.cattle.io/v1, Kind=HelmChart",
                    "objectset.rio.cattle.io/owner-name": called,
                    "objectset.rio.cattle.io/owner-namespace": namespace(chart),
                },
            },
            "spec": {
                "backoffLimit": number(chart, "/spec/backOffLimit").unwrap_or(1000), "completions": 1, "parallelism": 1,
                "template": {
                    "metadata": { "annotations": annotations, "labels": { "helmcharts.helm.cattle.io/chart": called } },
                    "spec": {
                        "restartPolicy": "OnFailure", "serviceAccountName": format!("helm-{called}"),
                        "nodeSelector": { "kubernetes.io/os": "linux" },
                        "containers": [{
                            "name": "helm", "image": image, "imagePullPolicy": "IfNotPresent", "args": self.args(action),
                            "env": [
                                { "name": "NAME", "value": called },
                                { "name": "VERSION", "value": text(chart, "/spec/version") },
                                { "name": "REPO", "value": text(chart, "/spec/repo") },
                                { "name": "HELM_DRIVER", "value": "secret" },
                                { "name": "CHART_NAMESPACE", "value": namespace(chart) },
                                { "name": "CHART", "value": chart_name },
                                { "name": "TARGET_NAMESPACE", "value": self.place() },
                                { "name": "FAILURE_POLICY", "value": policy },
                            ],
                            "volumeMounts": [
                                { "mountPath": "/config", "name": "values" }, { "mountPath": "/chart", "name": "content" },
                            ],
                        }],
                        "volumes": [
                            { "name": "values", "secret": { "secretName": format!("chart-values-{called}") } },
                            { "name": "content", "configMap": { "name": format!("chart-content-{called}") } },
                        ],
                    },
                },
            },
        })
    }

    /// What becomes of its pod.
    fn plays(&self, action: &str) -> Map<String, Value> {
        let mut plays = Map::new();
        for key in [PLAY, EXIT_CODE, LOG, DELAY] {
            let said = annotation(self.chart, key);
            if !said.is_empty() {
                plays.insert(key.to_owned(), said.into());
            }
        }
        let pace = if action == "install" { self.pace.install } else { self.pace.uninstall };
        let takes = if pace.is_zero() { None } else { Some(format!("{}s", pace.as_secs())) };
        if let Some(takes) = takes.filter(|_| !plays.contains_key(DELAY)) {
            plays.insert(DELAY.to_owned(), takes.into());
        }
        // Helm goes nowhere that is not there, unless it may make it.
        let place = self.place();
        let done = self.job(action).is_some_and(|job| is_true(job, "Complete"));
        let made = done || yes(self.chart, "/spec/createNamespace");
        let nowhere = self.objects.get(NAMESPACE, "", place).is_none() && !made;
        if action == "install" && nowhere {
            let said = format!(
                "Error: INSTALLATION FAILED: create: failed to create: namespaces \"{place}\" not found"
            );
            plays.insert(PLAY.to_owned(), FAIL.into());
            plays.insert(LOG.to_owned(), said.into());
        }
        plays
    }

    fn args(&self, action: &str) -> Vec<String> {
        let mut args = vec![action.to_owned()];
        if action != "install" {
            return args;
        }
        let spec = &self.chart["spec"];
        let mut add = |words: [&str; 2]| args.extend(words.map(str::to_owned));
        if !text(spec, "/targetNamespace").is_empty() {
            add(["--namespace", text(spec, "/targetNamespace")]);
        }
        if !text(spec, "/version").is_empty() {
            add(["--version", text(spec, "/version")]);
        }
        for (key, value) in spec["set"].as_object().into_iter().flatten() {
            match value.as_str() {
                Some(text) if !matches!(text, "true" | "false" | "null") => {
                    add(["--set-string", &format!("{key}={text}")])
                }
                Some(text) => add(["--set", &format!("{key}={text}")]),
                None => add(["--set", &format!("{key}={value}")]),
            }
        }
        if yes(spec, "/createNamespace") {
            args.push("--create-namespace".to_owned());
        }
        args
    }

    /// Beside the Job itself.
    pub(super) fn needs(&self) -> [(Kind, Value); 4] {
        let (chart, called, place) = (self.chart, name(self.chart), namespace(self.chart));
        let account = format!("helm-{called}");
        let metadata = |name: &str| json!({ "namespace": place, "name": name });
        let mut values = Map::new();
        let configured = self.config().map_or("", |config| text(config, "/spec/valuesContent"));
        for (key, value) in [
            ("values-01_HelmChart.yaml", text(chart, "/spec/valuesContent")),
            ("values-10_HelmChartConfig.yaml", configured),
            ("ca-file.pem", text(chart, "/spec/repoCA")),
        ] {
            if !value.is_empty() {
                values.insert(key.to_owned(), json!(ByteString(value.as_bytes().to_vec())));
            }
        }
        let mut content = Map::new();
        if !text(chart, "/spec/chartContent").is_empty() {
            content.insert(format!("{called}.tgz.base64"), chart["spec"]["chartContent"].clone());
        }
        [
            (
                SERVICE_ACCOUNT,
                json!({ "apiVersion": "v1", "kind": SERVICE_ACCOUNT.kind, "metadata": metadata(&account) }),
            ),
            (
                SECRET,
                json!({
                    "apiVersion": "v1", "kind": SECRET.kind, "type": "Opaque",
                    "metadata": metadata(&format!("chart-values-{called}")), "data": values,
                }),
            ),
            (
                CONFIG_MAP,
                json!({
                    "apiVersion": "v1", "kind": CONFIG_MAP.kind,
                    "metadata": metadata(&format!("chart-content-{called}")), "data": content,
                }),
            ),
            (
                BINDING,
                json!({
                    "apiVersion": BINDING.api_version(), "kind": BINDING.kind,
                    "metadata": { "name": format!("helm-{place}-{called}") },
                    "roleRef": { "apiGroup": BINDING.group, "kind": "ClusterRole", "name": "cluster-admin" },
                    "subjects": [{ "kind": "ServiceAccount", "namespace": place, "name": account }],
                }),
            ),
        ]
    }
}
