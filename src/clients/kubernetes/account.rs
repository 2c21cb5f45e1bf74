//! Who the server takes us for.

use super::{Denial, Kubernetes, failed::Failed, request};
use anyhow::Result;
use hyper::http::{Request, header::CONTENT_TYPE};
use kube::core::request::Error as NotBuilt;
use serde_json::{Value, json};

const REVIEWS: &str = "/apis/authentication.k8s.io/v1/selfsubjectreviews";

impl Kubernetes {
    /// Our account, as a subject of a role's binding. Everybody may ask that, and nothing is kept of it.
    pub async fn account(&self) -> Result<Value> {
        let review = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"});
        let asked = Request::post(REVIEWS).header(CONTENT_TYPE, "application/json");
        let asked = asked.body(review.to_string().into_bytes()).map_err(NotBuilt::BuildRequest);
        let unread = |denial| self.unread(vec![Failed::new("find out which account this is", denial)]);
        let answer: Value = request(&self.client, asked, self.limit).await.map_err(unread)?;
        let name = answer["status"]["userInfo"]["username"].as_str().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| unread(Denial::garbled("the answer names no account")))?;
        Ok(match name.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':')) {
            Some((namespace, name)) => {
                json!({"kind": "ServiceAccount", "namespace": namespace, "name": name})
            }
            None => json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name}),
        })
    }
}
