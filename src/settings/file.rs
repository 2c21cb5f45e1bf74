//! What a configuration file may say: every key optional, every unknown key an error, each value with its place.
//!
//! These types are the one list of keys: the schema, the names of the `BERTH_` variables and the suggestions for a
//! mistyped key are all made from them. Their doc comments are what an editor shows.
//! Must never: hold a default (`defaults.rs`), or decide which of two files is right (`layers.rs`).

use super::{
    address::{VaultAddress, VaultPath},
    app_values::{Pattern, VariableName},
    defaults,
    secrets::AppSecrets,
    values::{
        Count, Exclusion, FilePath, HostLabel, Limit, Namespace, Percent, PoolName, ProviderName, Secret,
        Size, Switch, Version, WhenFull, Word,
    },
};
use crate::domain::duration::Duration;
use crate::domain::{
    names::{ContextName, LabelName},
    pool::Range,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, generate::SchemaSettings};
use serde::{Deserialize, Deserializer};
use std::{borrow::Cow, collections::BTreeMap};

/// The keys that an app file may hold: it comes with the code under review. All others are the platform's.
pub(super) const APP_KEYS: [&str; 12] = [
    "version", "lifetime", "provider", "deploy", "hosts", "health", "tests", "secrets", "filter", "skip",
    "vars", "timeouts",
];

/// A value and where in its file it stands; line 0 if it does not come from a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) line: u64,
    pub(super) column: u64,
}

impl<T> From<T> for At<T> {
    fn from(value: T) -> Self {
        Self { value, line: 0, column: 0 }
    }
}

impl<T> At<T> {
    /// Something else that is said at this place.
    pub(super) fn mark<K>(&self, value: K) -> At<K> {
        At { value, line: self.line, column: self.column }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for At<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let found = serde_saphyr::Spanned::<T>::deserialize(deserializer)?;
        let (line, column) = (found.referenced.line(), found.referenced.column());
        Ok(Self { value: found.value, line, column })
    }
}

impl<T: JsonSchema> JsonSchema for At<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

/// Makes a struct of optional keys.
macro_rules! keys {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        #[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        $(#[$doc])*
        pub(in crate::settings) struct $name {
            $($(#[$field_doc])* pub(in crate::settings) $field: Option<$type>,)*
        }
    };
}

/// The same, with the keys of a source first.
macro_rules! source_keys {
    ($(#[$doc:meta])* $name:ident { $($keys:tt)* }) => {
        keys!(
            $(#[$doc])*
            $name {
                /// A file with manifests, or a directory of such.
                manifests: At<FilePath>,
                /// A directory with a kustomization.
                kustomize: At<FilePath>,
                /// A chart: a directory, `oci://…`, a name in `repo`, or one that berth knows: cert-manager,
                /// external-dns, external-secrets, cloudnative-pg.
                chart: At<Word>,
                /// A file with an Application of Argo CD.
                argo_cd: At<FilePath>,
                /// The chart's repository.
                repo: At<ChartRepository>,
                /// The chart's version. Default: the newest.
                version: At<Word>,
                /// The name of the chart's release. Default: the chart's own name.
                release: At<Release>,
                /// The namespace of the release, and of objects that name none.
                #[schemars(extend("default" = defaults::deploy_namespace().as_ref()))]
                namespace: At<Namespace>,
                /// The chart's values.
                values: At<Values>,
                /// Files with the chart's values; `values` win over them.
                values_files: At<Vec<FilePath>>,
                $($keys)*
            }
        );
    };
}

mod app;
mod providers;

pub(super) use app::*;
pub(super) use providers::*;

keys!(
    /// What berth gives to pull requests, and within which limits.
    Layer {
        /// The version of this file's format.
        #[expect(dead_code, reason = "that it could be read is all: there is one version")]
        version: At<Version>,
        /// Where berth keeps its documents. Default: Vault if VAULT_ADDR is set, else a directory of the user's.
        store: StoreLayer,
        /// How long environments live. An app file may only shorten what the platform file says.
        lifetime: LifetimeLayer,
        /// How much a sweep may remove. Beyond that it removes nothing, and somebody must look.
        sweep: SweepLayer,
        /// The address pools by name. Default: one that is called `default`.
        pools: BTreeMap<PoolName, PoolLayer>,
        /// The names of environments in DNS.
        dns: DnsLayer,
        /// What berth is to GitHub.
        github: GitHubLayer,
        /// By name, the ways in which environments are made real.
        providers: BTreeMap<ProviderName, At<ProviderLayer>>,
        /// Which provider an app's environments are made by. Default: the only one.
        provider: At<ProviderName>,
        /// What an environment runs.
        deploy: At<DeployLayer>,
        /// More labels for hosts: `api` gives `${HOST_API}`.
        hosts: At<Vec<HostLabel>>,
        /// When the app counts as healthy.
        health: At<HealthLayer>,
        /// What is run against the environment.
        tests: At<TestsLayer>,
        /// Secrets that are copied from Vault into the environment.
        secrets: At<Vec<At<SecretLayer>>>,
        /// Only pull requests that are like this get an environment.
        filter: FilterLayer,
        /// Pull requests that are like this get none.
        skip: SkipLayer,
        /// Variables of one's own, for `${NAME}`.
        vars: BTreeMap<VariableName, At<serde_json::Value>>,
        /// How long each step may take.
        timeouts: TimeoutsLayer,
    }
);

keys!(
    /// Exactly one of the three.
    #[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
    StoreLayer {
        /// Vault's key-value engine, version 2.
        vault: At<VaultLayer>,
        /// Objects in a namespace of a cluster.
        kubernetes: At<KubernetesLayer>,
        /// A directory.
        file: At<FilePath>,
    }
);

keys!(
    /// Vault's key-value engine, version 2.
    VaultLayer {
        /// Scheme, host and port. Default: VAULT_ADDR.
        address: At<VaultAddress>,
        /// Where the engine is mounted.
        #[schemars(extend("default" = defaults::vault_mount().as_ref()))]
        mount: At<VaultPath>,
        /// Below what berth's documents lie.
        #[schemars(extend("default" = defaults::vault_path().as_ref()))]
        path: At<VaultPath>,
        /// Below what path in `mount` the secrets of an app file lie: `apps/${OWNER}/${REPO}`. Default: an app file names
        /// no secret.
        app_secrets: At<AppSecrets>,
        /// One document with all kubeconfigs, for those who read it. Default: none.
        merged_kubeconfig: At<MergedKubeconfigLayer>,
        /// Vault's own namespace. Default: VAULT_NAMESPACE.
        namespace: At<VaultPath>,
        /// A file with the certificate authority to trust beside the system's. Default: VAULT_CACERT.
        ca: At<FilePath>,
        /// How to log in. Default: the token in VAULT_TOKEN.
        auth: AuthLayer,
    }
);

keys!(
    /// Exactly one of the four.
    #[schemars(extend("maxProperties" = 1))]
    AuthLayer {
        /// The token in VAULT_TOKEN.
        token: At<TokenLayer>,
        /// An AppRole.
        approle: At<AppRoleLayer>,
        /// The service account of the pod that berth runs in.
        kubernetes: At<ServiceAccountLayer>,
        /// A JSON web token: GitHub's for the running job, or one from a file.
        jwt: At<JwtLayer>,
    }
);

keys!(
    /// The token in VAULT_TOKEN.
    TokenLayer {}
);

keys!(
    /// An AppRole.
    AppRoleLayer {
        /// Where it is mounted.
        #[schemars(extend("default" = defaults::approle_path().as_ref()))]
        path: At<VaultPath>,
        /// The role's id.
        role_id: At<Word>,
        /// Only as the variable BERTH_STORE_VAULT_AUTH_APPROLE_SECRET_ID, never in a file.
        secret_id: At<Secret>,
        /// A file that holds the secret id.
        secret_id_file: At<FilePath>,
    }
);

keys!(
    /// The service account of the pod that berth runs in.
    ServiceAccountLayer {
        /// Where it is mounted.
        #[schemars(extend("default" = defaults::kubernetes_path().as_ref()))]
        path: At<VaultPath>,
        /// The role to log in to.
        role: At<Word>,
        /// The file that holds the pod's token.
        #[schemars(extend("default" = defaults::SERVICE_ACCOUNT_TOKEN))]
        token_file: At<FilePath>,
    }
);

keys!(
    /// A JSON web token: GitHub's for the running job, or one from a file.
    JwtLayer {
        /// Where it is mounted.
        #[schemars(extend("default" = defaults::jwt_path().as_ref()))]
        path: At<VaultPath>,
        /// The role to log in to.
        role: At<Word>,
        /// A file that holds the token. Default: the job asks GitHub for one (`permissions: {id-token: write}`).
        token_file: At<FilePath>,
        /// For whom GitHub makes the token. Default: GitHub's own, the owner's address.
        audience: At<Word>,
    }
);

keys!(
    /// Objects in a namespace of a cluster.
    KubernetesLayer {
        /// Berth's own namespace.
        #[schemars(extend("default" = defaults::namespace().as_ref()))]
        namespace: At<Namespace>,
        /// A context of the kubeconfig. Default: its current one.
        context: At<ContextName>,
        /// The cluster that berth itself runs in.
        in_cluster: At<Switch>,
    }
);

keys!(
    /// How long environments live.
    LifetimeLayer {
        /// How long a closed pull request keeps its environment.
        #[schemars(extend("default" = Duration(defaults::GRACE).to_string()))]
        grace: At<Duration>,
        /// How long an environment lives at most.
        #[schemars(extend("default" = Duration(defaults::MAX).to_string()))]
        max: At<Duration>,
        /// How long before its end people are warned.
        #[schemars(extend("default" = Duration(defaults::WARN).to_string()))]
        warn: At<Duration>,
        /// After how long without progress an environment counts as stuck.
        #[schemars(extend("default" = Duration(defaults::STUCK).to_string()))]
        stuck: At<Duration>,
    }
);

keys!(
    /// How much a sweep may remove: so many, or so many of a hundred, whichever is more.
    SweepLayer {
        /// Environments.
        #[schemars(extend("default" = defaults::SWEEP_LIMIT))]
        limit: At<Count>,
        /// Environments of a hundred.
        #[schemars(extend("default" = defaults::SWEEP_PERCENT))]
        percent: At<Percent>,
    }
);

keys!(
    /// The addresses that environments share.
    PoolLayer {
        /// From the first to the last address, or a CIDR.
        #[schemars(extend("default" = defaults::range().to_string()))]
        range: At<Range>,
        /// Addresses or ranges in it that are somebody else's.
        #[schemars(extend("default" = []))]
        exclude: At<Vec<Exclusion>>,
        /// Consecutive addresses of one environment: the VIP and its node.
        #[schemars(extend("default" = defaults::BLOCK.get()))]
        block: At<Size>,
        /// A block begins at a multiple of this. Default: `block` if that is a power of two, else 1.
        align: At<Size>,
        /// How long an address that was given back is not handed out again.
        #[schemars(extend("default" = Duration(defaults::REUSE_AFTER).to_string()))]
        reuse_after: At<Duration>,
        /// Environments of one repository; 0 is no limit.
        #[schemars(extend("default" = defaults::MAX_PER_REPOSITORY))]
        max_per_repository: At<Limit>,
        /// What a run does when no block is free.
        #[schemars(extend("default" = defaults::WHEN_FULL.to_string()))]
        when_full: At<WhenFull>,
    }
);

keys!(
    /// What berth is to GitHub.
    GitHubLayer {
        /// Repositories whose pull requests get environments: `acme/*`. Default: the one that the run is of.
        repositories: At<Vec<Pattern>>,
        /// The name of the commit status: the one to require.
        #[schemars(extend("default" = defaults::STATUS))]
        status: At<Word>,
        /// By which label a maintainer lets the code of a fork in, at the commit that it has then.
        #[schemars(extend("default" = defaults::APPROVAL_LABEL))]
        approval_label: At<LabelName>,
        /// By which label whoever may write gives an environment its whole lifetime anew.
        #[schemars(extend("default" = defaults::EXTEND_LABEL))]
        extend_label: At<LabelName>,
        /// What dispatches are called.
        dispatch: DispatchLayer,
        /// The app as which berth speaks. Default: the token that it is given.
        app: At<GitHubAppLayer>,
    }
);

keys!(
    /// What dispatches are called. Default: `berth`, and what they were called of old.
    DispatchLayer {
        /// Those that ask for an environment.
        up: At<Vec<Word>>,
        /// Those that ask for its removal.
        down: At<Vec<Word>>,
        /// Those whose payload says it: `{"berth": {"command": "up", "repository": "acme/shop", "number": 42}}`.
        typed: At<Vec<Word>>,
    }
);

keys!(
    /// A GitHub App.
    GitHubAppLayer {
        /// Its id: a number.
        id: At<Word>,
        /// Where its private key is: `vault:PATH#KEY`, below `store.vault.mount`, or `file:PATH`.
        key: At<Word>,
    }
);

/// The JSON schema of a configuration file, for editors.
pub fn schema() -> String {
    let mut text = serde_json::to_string_pretty(&schema_value()).expect("a JSON value is JSON");
    text.push('\n');
    text
}

/// The schema with every part in its place, without references.
pub(super) fn schema_value() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Layer>();
    schema.insert("title".to_owned(), "berth configuration".into());
    schema.to_value()
}
