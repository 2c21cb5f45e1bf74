//! The embedded API server, for the facts of `apply`. (Those who prove them on another give that in this module's place.)

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{apply::UnderTest, bed::Bed};
use berth::{
    clients::kubernetes::for_url,
    rehearsal::{self, Request, gate::Verdict},
};
use kube::Client;
use serde_json::json;

/// The run of the account that may nothing.
const POWERLESS: &str = "powerless";

pub(crate) struct Server {
    bed: Bed,
}

impl Server {
    pub(crate) async fn fresh() -> Self {
        let bed = Bed::start().await;
        bed.world().kubernetes.add_namespace("fact");
        bed.gate().rule(refuse);
        Self { bed }
    }

    fn run(&self, run: &str) -> Client {
        for_url(&self.bed.served.url(rehearsal::Server::Kubernetes), None, run).unwrap()
    }
}

fn refuse(request: &Request) -> Verdict {
    if request.run != POWERLESS || request.path.len() == 1 {
        return Verdict::Pass;
    }
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": "the powerless may nothing", "details": {},
    });
    Verdict::json(403, &status)
}

impl UnderTest for Server {
    fn client(&self) -> Client {
        self.run("admin")
    }
    fn powerless(&self) -> Client {
        self.run(POWERLESS)
    }
    fn namespace(&self) -> &str {
        "fact"
    }
}
