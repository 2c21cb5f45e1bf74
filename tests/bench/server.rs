//! The real API server, for the facts of `api_server` and `apply`.

use crate::{
    api_server::{self, Forgets, facts},
    apply,
    bed::crypto,
    harness::control_plane::{self, ControlPlane, connect_as},
};
use kube::Client;
use tokio::sync::OnceCell;

/// A namespace of the shared control plane, and an account there that no role was given to.
pub(crate) struct Server {
    admin: Client,
    powerless: Client,
    namespace: String,
}

impl Server {
    pub(crate) async fn fresh() -> Self {
        crypto();
        let plane = control_plane::management().await;
        let namespace = plane.fresh_namespace("fact").await;
        plane.has_service_account(&namespace).await;
        let powerless = plane.kubeconfig_of(&namespace, "default").await;
        Self {
            admin: plane.client("admin").await,
            powerless: connect_as(&powerless, "powerless").await,
            namespace,
        }
    }
}

impl apply::UnderTest for Server {
    fn client(&self) -> Client {
        self.admin.clone()
    }
    fn powerless(&self) -> Client {
        self.powerless.clone()
    }
    fn namespace(&self) -> &str {
        &self.namespace
    }
}

/// The facts of `api_server` see every event, so nobody else may make any.
struct Quiet {
    admin: Client,
}

impl Quiet {
    async fn fresh() -> Self {
        static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
        crypto();
        let plane = SHARED.get_or_init(|| ControlPlane::quiet("quiet")).await;
        Self { admin: plane.client("admin").await }
    }
}

impl api_server::UnderTest for Quiet {
    fn client(&self) -> Client {
        self.admin.clone()
    }
}

/// Apart from the others: it forgets by starting again.
struct Forgetful {
    plane: ControlPlane,
    admin: Client,
}

impl Forgetful {
    async fn fresh() -> Self {
        crypto();
        let plane = ControlPlane::quiet("forgetful").await;
        let admin = plane.client("admin").await;
        Self { plane, admin }
    }
}

impl api_server::UnderTest for Forgetful {
    fn client(&self) -> Client {
        self.admin.clone()
    }
}

impl Forgets for Forgetful {
    async fn forget(&self) {
        self.plane.forget().await;
    }
}

facts!(facts Quiet Forgetful);
