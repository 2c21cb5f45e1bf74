//! An etcd: what a control plane, or the DNS, keeps.

use super::{
    ask,
    keeper::{self, Process},
    ports, proxy,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::path::Path;

/// Ends when it is dropped.
pub(crate) struct Etcd {
    pub(crate) url: String,
    pub(crate) process: Process,
}

impl Etcd {
    /// With its files in this directory.
    pub(crate) fn start(directory: &Path) -> Self {
        let [client, peer] = [(); 2].map(|()| format!("http://127.0.0.1:{}", ports::free()));
        let mut command = keeper::command("etcd");
        command.arg(format!("--data-dir={}", directory.join("etcd").display())).args([
            "--unsafe-no-fsync",
            "--log-level=warn",
            "--name=bench",
            &format!("--listen-client-urls={client}"),
            &format!("--advertise-client-urls={client}"),
            &format!("--listen-peer-urls={peer}"),
            &format!("--initial-advertise-peer-urls={peer}"),
            &format!("--initial-cluster=bench={peer}"),
        ]);
        Self { url: client, process: Process::start("etcd", command, directory) }
    }

    /// Returns when it answers.
    pub(crate) async fn ready(&self) {
        ask("an etcd that answers", &self.process, async || {
            self.send("range", &json!({"key": base64("/")})).await.ok()?.error_for_status().ok()
        })
        .await;
    }

    async fn send(&self, what: &str, body: &Value) -> reqwest::Result<reqwest::Response> {
        proxy::plain().post(format!("{}/v3/kv/{what}", self.url)).json(body).send().await
    }

    async fn must(&self, what: &str, body: Value) -> Value {
        let answer = self.send(what, &body).await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "etcd {what}: {status} {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub(crate) async fn put(&self, key: &str, value: &str) {
        self.must("put", json!({"key": base64(key), "value": base64(value)})).await;
    }

    pub(crate) async fn delete(&self, key: &str) {
        self.must("deleterange", json!({"key": base64(key)})).await;
    }

    /// All that begin so, with their values; the prefix ends with `/`.
    pub(crate) async fn entries(&self, prefix: &str) -> Vec<(String, String)> {
        // '0' comes after '/'.
        let end = format!("{}0", prefix.strip_suffix('/').unwrap());
        let found = self.must("range", json!({"key": base64(prefix), "range_end": base64(&end)})).await;
        // Without any key the list is left out.
        let entries = found["kvs"].as_array().cloned().unwrap_or_default();
        let text = |part: &Value| {
            String::from_utf8(BASE64_STANDARD.decode(part.as_str().unwrap()).unwrap()).unwrap()
        };
        entries.iter().map(|entry| (text(&entry["key"]), text(&entry["value"]))).collect()
    }

    /// Forgets every revision before the present one, as time does.
    pub(crate) async fn compact(&self) {
        let found = self.must("range", json!({"key": base64("/")})).await;
        self.must("compaction", json!({"revision": found["header"]["revision"], "physical": true})).await;
    }
}

fn base64(text: &str) -> String {
    BASE64_STANDARD.encode(text)
}
