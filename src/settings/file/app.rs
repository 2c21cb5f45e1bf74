//! The keys that an app file may hold. See the parent for what these types are.

use super::super::{
    app_values::{ChartRepository, ImageName, ObjectName, Pattern, Placeholders, Release, Status, Values},
    defaults,
    values::{FilePath, Namespace, Switch, Word},
};
use super::At;
use crate::domain::duration::Duration;
use crate::domain::names::{LabelName, Login};
use schemars::JsonSchema;
use serde::Deserialize;
use std::collections::BTreeMap;

source_keys!(
    /// Exactly one of `manifests`, `kustomize`, `chart` and `argo-cd`.
    SourceLayer {}
);

source_keys!(
    /// Exactly one of `manifests`, `kustomize`, `chart` and `argo-cd`, and what is done to it.
    DeployKeys {
        /// By name in the manifests, the images that are waited for in their registry and then set.
        images: BTreeMap<ImageName, At<Placeholders>>,
        /// How long images are waited for.
        #[schemars(extend("default" = Duration(defaults::IMAGE_WAIT).to_string()))]
        image_wait: At<Duration>,
        /// Literals that are replaced wherever they stand in texts of the manifests.
        replace: BTreeMap<Word, At<Placeholders>>,
        /// Files with Jobs that must complete, one after the other, once the rest is applied: migrate, seed.
        #[schemars(extend("default" = []))]
        after: At<Vec<FilePath>>,
    }
);

/// [`DeployKeys`], its source as a value of its own.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(from = "DeployKeys")]
pub(in crate::settings) struct DeployLayer {
    pub(in crate::settings) source: SourceLayer,
    pub(in crate::settings) images: Option<BTreeMap<ImageName, At<Placeholders>>>,
    pub(in crate::settings) image_wait: Option<At<Duration>>,
    pub(in crate::settings) replace: Option<BTreeMap<Word, At<Placeholders>>>,
    pub(in crate::settings) after: Option<At<Vec<FilePath>>>,
}

impl From<DeployKeys> for DeployLayer {
    fn from(keys: DeployKeys) -> Self {
        let DeployKeys { manifests, kustomize, chart, argo_cd, repo, version, release, .. } = keys;
        let DeployKeys { namespace, values, values_files, images, image_wait, replace, after, .. } = keys;
        let source = SourceLayer {
            manifests,
            kustomize,
            chart,
            argo_cd,
            repo,
            version,
            release,
            namespace,
            values,
            values_files,
        };
        Self { source, images, image_wait, replace, after }
    }
}

impl JsonSchema for DeployLayer {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        DeployKeys::schema_name()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        DeployKeys::json_schema(generator)
    }
}

keys!(
    /// When the app counts as healthy.
    HealthLayer {
        /// Where it answers. Default: nothing is asked.
        url: At<Placeholders>,
        /// With which status it must.
        #[schemars(extend("default" = defaults::HEALTH_STATUS))]
        status: At<Status>,
        /// Whose certificates it may show: `system`, `environment` (what the environment's own issuer signed), or a file.
        #[schemars(extend("default" = "system"))]
        ca: At<FilePath>,
    }
);

keys!(
    /// Exactly one of `job`, `report` and `command`, and what it leaves behind.
    TestsLayer {
        /// A file with a Job, which is run in the environment. It may print its JUnit between two lines of its log,
        /// `-----BEGIN JUNIT-----` and `-----END JUNIT-----`; without any, its own end is the result.
        job: At<FilePath>,
        /// The name under which another job of the workflow hands its JUnit in.
        report: At<Word>,
        /// A program and its arguments, run beside berth without any of its credentials.
        command: At<Vec<Word>>,
        /// Where the JUnit is. With `job`: in its first container, whose `command` is then followed by printing it.
        junit: At<FilePath>,
        /// How long the tests may take.
        #[schemars(extend("default" = Duration(defaults::TESTS).to_string()))]
        timeout: At<Duration>,
    }
);

keys!(
    /// A secret that is copied from Vault into the environment.
    SecretLayer {
        /// What it is called there.
        name: At<ObjectName>,
        /// The namespace that it is put into.
        #[schemars(extend("default" = defaults::deploy_namespace().as_ref()))]
        namespace: At<Namespace>,
        /// Its path in Vault, below `store.vault.mount`.
        vault: At<Placeholders>,
    }
);

keys!(
    /// Only pull requests that are like this get an environment.
    FilterLayer {
        /// One of these labels is on it.
        labels: At<Vec<LabelName>>,
        /// It goes into a branch like one of these.
        base: At<Vec<Pattern>>,
        /// It changes a file like one of these.
        paths: At<Vec<Pattern>>,
        /// One of these people opened it.
        authors: At<Vec<Login>>,
    }
);

keys!(
    /// Pull requests that are like this get no environment.
    SkipLayer {
        /// One of these labels is on it.
        labels: At<Vec<LabelName>>,
        /// It goes into a branch like one of these.
        base: At<Vec<Pattern>>,
        /// All files that it changes are like one of these.
        paths: At<Vec<Pattern>>,
        /// One of these people opened it. Default: bots, whose runs have no secrets.
        #[schemars(extend("default" = defaults::SKIPPED_AUTHORS))]
        authors: At<Vec<Login>>,
        /// Whether drafts get none.
        #[schemars(extend("default" = defaults::SKIP_DRAFTS))]
        drafts: At<Switch>,
    }
);

keys!(
    /// How long each step may take.
    TimeoutsLayer {
        /// Until the environment's own API server answers.
        #[schemars(extend("default" = Duration(defaults::CLUSTER).to_string()))]
        cluster: At<Duration>,
        /// Until its kubeconfig is there.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        access: At<Duration>,
        /// Until its secrets are in place.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        secrets: At<Duration>,
        /// Until its operators are available.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        operators: At<Duration>,
        /// Until the resources of the operators are applied.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        resources: At<Duration>,
        /// Until the app is rolled out; `deploy.image-wait` comes on top.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        deploy: At<Duration>,
        /// Until the name resolves.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        dns: At<Duration>,
        /// Until the app is healthy.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        health: At<Duration>,
        /// Around the tests themselves; `tests.timeout` comes on top.
        #[schemars(extend("default" = Duration(defaults::STEP).to_string()))]
        tests: At<Duration>,
    }
);
