//! The embedded API server, for the facts of `apply`. (Those who prove them on another give that in this module's place.)

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::{apply::UnderTest, bed::Bed};
use berth::{
    clients::kubernetes::for_url,
    rehearsal::{self, Request, gate::Verdict},
};
use kube::Client;
use serde_json::json;

/// The run of the account that may nothing, and its token.
const POWERLESS: &str = "powerless";
const ADMIN: &str = "admin";

pub(crate) struct Server {
    bed: Bed,
}

impl Server {
    pub(crate) async fn fresh() -> Self {
        let bed = Bed::start().await;
        bed.world().kubernetes.add_namespace("fact");
        bed.world().kubernetes.add_user(ADMIN, "admin");
        bed.world().kubernetes.add_user(POWERLESS, "system:serviceaccount:fact:default");
        bed.gate().rule(refuse);
        Self { bed }
    }

    fn run(&self, run: &str) -> Client {
        let token = Some(run.to_owned().into());
        for_url(&self.bed.served.url(rehearsal::Server::Kubernetes), token, run).unwrap()
    }
}

fn refuse(request: &Request) -> Verdict {
    let is_everybodys =
        request.path.len() == 1 || request.path.last().is_some_and(|last| last == "selfsubjectreviews");
    if request.run != POWERLESS || is_everybodys {
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
        self.run(ADMIN)
    }
    fn powerless(&self) -> Client {
        self.run(POWERLESS)
    }
    fn namespace(&self) -> &str {
        "fact"
    }
}
