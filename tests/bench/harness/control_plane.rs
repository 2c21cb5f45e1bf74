//! A Kubernetes control plane: etcd, the API server with RBAC, the controller manager, and the scheduler if asked for.

use super::{
    ask,
    certificates::{Authority, signing_key},
    etcd::Etcd,
    keeper::{self, Process, file},
    ports,
};
use berth::{
    clients::kubernetes::{Target, connect},
    domain::names::ContextName,
};
use k8s_openapi::{
    ByteString,
    api::{
        authentication::v1::{TokenRequest, TokenRequestSpec},
        core::v1::{Namespace, ServiceAccount},
    },
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
};
use serde_json::json;
use std::{
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};
use tokio::sync::OnceCell;

const ADMIN: &str = "admin";

/// What the controller manager does; deployments and jobs get their pods, kwok plays the rest.
const CONTROLLERS: &str = "namespace-controller,resourcequota-controller,garbage-collector-controller,\
    serviceaccount-controller,serviceaccount-token-controller,root-ca-certificate-publisher-controller,\
    deployment-controller,replicaset-controller,statefulset-controller,daemonset-controller,job-controller,\
    endpoints-controller,endpointslice-controller,persistentvolume-binder-controller,\
    clusterrole-aggregation-controller";

/// Where the API server keeps who has asked for what.
pub(super) const AUDIT: &str = "audit.log";

/// What belongs to the server itself: it alone cannot end a namespace, nor collect what has lost its owner.
const QUIET: &str = "namespace-controller,garbage-collector-controller";

/// A running control plane. It ends when it is dropped.
pub(crate) struct ControlPlane {
    /// Where the API server listens: `https://127.0.0.1:PORT`.
    pub(crate) url: String,
    /// Signs whatever serves for this control plane.
    pub(crate) authority: Authority,
    /// A kubeconfig that may do everything.
    pub(crate) kubeconfig: PathBuf,
    etcd: Etcd,
    /// Its files.
    pub(crate) directory: PathBuf,
    issued: AtomicU32,
    processes: Vec<Process>,
}

static MANAGEMENT: OnceCell<ControlPlane> = OnceCell::const_new();

/// The one that all facts of this process share, each in namespaces of its own.
pub(crate) async fn management() -> &'static ControlPlane {
    MANAGEMENT.get_or_init(|| ControlPlane::start("management")).await
}

impl ControlPlane {
    /// Usable when this returns: the default namespace has its service account.
    pub(crate) async fn start(name: &str) -> Self {
        let plane = Self::start_with(name, CONTROLLERS).await;
        plane.has_service_account("default").await;
        plane
    }

    /// Nobody in it makes or changes anything unasked. So there are no accounts either, and no pods.
    pub(crate) async fn quiet(name: &str) -> Self {
        Self::start_with(name, QUIET).await
    }

    async fn start_with(name: &str, controllers: &str) -> Self {
        let directory = keeper::directory(name);
        let authority = Authority::new(&directory);
        let etcd = Etcd::start(&directory);
        let port = ports::free();
        let url = format!("https://127.0.0.1:{port}");
        let token = token();
        let kubeconfig = write_kubeconfig(&directory, ADMIN, &url, &authority, &token);
        let api_server = api_server(&directory, &authority, &etcd.url, port, &token);
        let mut plane = Self {
            url,
            authority,
            kubeconfig,
            etcd,
            directory,
            issued: AtomicU32::default(),
            processes: vec![api_server],
        };
        plane.ready().await;
        let manager = plane.controller_manager(controllers);
        plane.processes.push(manager);
        plane
    }

    fn api_server(&self) -> &Process {
        &self.processes[0]
    }

    /// The processes' ids, for whoever measures or looks.
    pub(crate) fn process_ids(&self) -> Vec<u32> {
        self.processes.iter().chain([&self.etcd.process]).map(Process::id).collect()
    }

    /// Lets pods be bound to nodes as long as it lives.
    pub(crate) fn scheduler(&self) -> Process {
        let mut command = keeper::command("kube-scheduler");
        command.arg(format!("--kubeconfig={}", self.kubeconfig.display()));
        command.args(["--leader-elect=false", "--secure-port=0", "--bind-address=127.0.0.1"]);
        Process::start("kube-scheduler", command, &self.directory)
    }

    /// Lets the API server forget every version before the present one, as time does: it reads them no more from etcd, and
    /// has none in its memory. Whoever watched is cut off.
    pub(crate) async fn forget(&self) {
        self.etcd.compact().await;
        self.api_server().restart();
        self.ready().await;
    }

    /// Asks this control plane until the answer is there, for what it gives no sign of.
    pub(crate) async fn eventually<T>(&self, what: &str, answer: impl AsyncFnMut() -> Option<T>) -> T {
        ask(what, self.api_server(), answer).await
    }

    async fn ready(&self) {
        let client = self.client("bench").await;
        ask("a ready API server", self.api_server(), async || {
            let request = hyper::Request::get("/readyz").body(Vec::new()).unwrap();
            client.request_text(request).await.ok()
        })
        .await;
    }

    /// Without it the server takes no pod and no TokenRequest there.
    pub(crate) async fn has_service_account(&self, namespace: &str) {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client("bench").await, namespace);
        ask("the namespace's default service account", self.api_server(), async || {
            accounts.get_opt("default").await.ok().flatten()
        })
        .await;
    }

    fn controller_manager(&self, controllers: &str) -> Process {
        let mut command = keeper::command("kube-controller-manager");
        let path = |name: &str| self.directory.join(name).display().to_string();
        command.args([
            format!("--kubeconfig={}", self.kubeconfig.display()),
            format!("--service-account-private-key-file={}", path("sa.key")),
            format!("--root-ca-file={}", path("ca.crt")),
            format!("--controllers={controllers}"),
        ]);
        command.args([
            "--bind-address=127.0.0.1",
            "--secure-port=0",
            "--leader-elect=false",
            "--use-service-account-credentials=false",
            "--resource-quota-sync-period=10s",
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ]);
        Process::start("kube-controller-manager", command, &self.directory)
    }

    /// As the administrator.
    pub(crate) async fn client(&self, run: &str) -> Client {
        connect_as(&self.kubeconfig, run).await
    }

    /// A name that nobody else uses.
    pub(crate) fn fresh_name(&self, what: &str) -> String {
        format!("{what}-{}", self.issued.fetch_add(1, Ordering::Relaxed))
    }

    /// A namespace that nobody else uses.
    pub(crate) async fn fresh_namespace(&self, what: &str) -> String {
        let name = self.fresh_name(what);
        let namespaces: Api<Namespace> = Api::all(self.client("bench").await);
        let metadata = ObjectMeta { name: Some(name.clone()), ..Default::default() };
        let namespace = Namespace { metadata, ..Default::default() };
        namespaces.create(&PostParams::default(), &namespace).await.unwrap();
        name
    }

    /// A kubeconfig as this service account, which must exist.
    pub(crate) async fn kubeconfig_of(&self, namespace: &str, account: &str) -> PathBuf {
        let token = self.token_of(namespace, account).await;
        write_kubeconfig(
            &self.directory,
            &format!("{namespace}-{account}"),
            &self.url,
            &self.authority,
            &token,
        )
    }

    /// A token of this service account, which must exist.
    pub(crate) async fn token_of(&self, namespace: &str, account: &str) -> String {
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client("bench").await, namespace);
        let request = TokenRequest { spec: Some(TokenRequestSpec::default()), ..Default::default() };
        let made = accounts.create_token_request(account, &PostParams::default(), &request).await.unwrap();
        made.status.unwrap().token.unwrap()
    }

    /// `kubectl` as the administrator; fails with what it said.
    pub(crate) fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        use std::{io::Write, process::Stdio};
        let mut command = keeper::command("kubectl");
        command.env("HOME", &self.directory).arg("--kubeconfig").arg(&self.kubeconfig).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let ended = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "kubectl {arguments:?}: {said}");
        String::from_utf8_lossy(&ended.stdout).into_owned()
    }
}

/// A client as a kubeconfig says, as berth makes it.
pub(crate) async fn connect_as(kubeconfig: &Path, run: &str) -> Client {
    let target = Target::Kubeconfig { files: vec![kubeconfig.to_owned()], context: None::<ContextName> };
    connect(&target, run).await.unwrap()
}

fn api_server(directory: &Path, authority: &Authority, etcd: &str, port: u16, token: &str) -> Process {
    let serving = authority.server("kube-apiserver");
    let accounts = signing_key();
    let private = file(directory, "sa.key", &accounts.serialize_pem());
    let public = file(directory, "sa.pub", &accounts.public_key_pem());
    let tokens = file(directory, "tokens.csv", &format!("{token},{ADMIN},1,system:masters\n"));
    let audit = file(directory, "audit-policy.json", &audited().to_string());
    let mut command = keeper::command("kube-apiserver");
    for (flag, path) in [
        ("tls-cert-file", &serving.certificate),
        ("tls-private-key-file", &serving.key),
        ("client-ca-file", &authority.path()),
        ("token-auth-file", &tokens),
        ("audit-policy-file", &audit),
        ("audit-log-path", &directory.join(AUDIT)),
        ("service-account-signing-key-file", &private),
        ("service-account-key-file", &public),
        ("cert-dir", &directory.join("certificates")),
    ] {
        command.arg(format!("--{flag}={}", path.display()));
    }
    command.args([
        &format!("--etcd-servers={etcd}"),
        &format!("--secure-port={port}"),
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-cluster-ip-range=10.0.0.0/16",
        "--authorization-mode=RBAC",
        "--allow-privileged=true",
        "--endpoint-reconciler-type=none",
    ]);
    Process::start("kube-apiserver", command, directory)
}

/// What accounts have sent, each request when it is answered.
fn audited() -> serde_json::Value {
    json!({
        "apiVersion": "audit.k8s.io/v1", "kind": "Policy", "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
    })
}

fn write_kubeconfig(directory: &Path, user: &str, url: &str, authority: &Authority, token: &str) -> PathBuf {
    let ca = ByteString(authority.pem().into_bytes());
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "bench",
        "clusters": [{"name": "bench", "cluster": {"server": url, "certificate-authority-data": ca}}],
        "users": [{"name": user, "user": {"token": token}}],
        "contexts": [{"name": "bench", "context": {"cluster": "bench", "user": user}}],
    });
    file(directory, &format!("{user}.kubeconfig"), &config.to_string())
}

/// Known to this run only: a port that another run's server answers on would be noticed.
pub(crate) fn token() -> String {
    let random: [u8; 16] = ring::rand::generate(&ring::rand::SystemRandom::new()).unwrap().expose();
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}
