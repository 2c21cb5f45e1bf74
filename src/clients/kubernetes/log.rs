//! What a container says, as it says it.
//!
//! Must never: take a cut for the end.

use super::{Denial, Kubernetes, failed::Failed, open};
use crate::domain::{claim::ObjectName, diagnosis::Life};
use anyhow::Result;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{Resource as _, api::LogParams, client::Body, core::Request as Requests};

/// Bytes of last words.
const MOST: usize = 8 << 10;
/// Stands where some are left out.
const CUT: &str = "[… what came before is left out here …]\n";

/// The log of one container.
pub struct Log {
    pod: ObjectName,
    kubernetes: Kubernetes,
    body: Body,
}

/// Whether to wait for what is not said yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until the container ends.
    TheEnd,
    /// What it has said so far.
    Now,
}

impl Kubernetes {
    /// Its log from the beginning, at most so many bytes.
    pub async fn log(&self, pod: &ObjectName, container: &str, until: Until, most: usize) -> Result<Log> {
        let params = LogParams {
            container: Some(container.to_owned()),
            follow: until == Until::TheEnd,
            limit_bytes: i64::try_from(most).ok(),
            ..LogParams::default()
        };
        self.hear(pod, &params).await
    }

    /// The last lines that one life of a container has said. A limit of bytes is not for the kubelet: it counts them from the
    /// first of these lines, and the last is the one that matters.
    pub async fn last_words(
        &self,
        pod: &ObjectName,
        container: &str,
        life: Life,
        lines: usize,
    ) -> Result<String> {
        let params = LogParams {
            container: Some(container.to_owned()),
            previous: life == Life::Before,
            tail_lines: i64::try_from(lines).ok(),
            ..LogParams::default()
        };
        let mut log = self.hear(pod, &params).await?;
        let (mut said, mut is_cut) = (Vec::new(), false);
        while let Some(part) = log.next().await? {
            said.extend_from_slice(&part);
            let over = said.len().saturating_sub(MOST);
            is_cut |= over > 0;
            said.drain(..over);
        }
        let said = String::from_utf8_lossy(&said);
        Ok(if is_cut { format!("{CUT}{}", whole(&said)) } else { said.into_owned() })
    }

    async fn hear(&self, pod: &ObjectName, params: &LogParams) -> Result<Log> {
        let requests = Requests::new(Pod::url_path(&(), pod.namespace.as_deref()));
        let opened = open(&self.client, requests.logs(&pod.name, params), self.limit).await;
        let body = opened.map_err(|denial| self.unheard(pod, denial))?;
        Ok(Log { pod: pod.clone(), kubernetes: self.clone(), body })
    }

    fn unheard(&self, pod: &ObjectName, denial: Denial) -> anyhow::Error {
        self.unread(vec![Failed::new(format!("read the log of {pod}"), denial)])
    }
}

/// Without the rest of the line that it begins within; of one line alone, of the word.
fn whole(text: &str) -> &str {
    let after = |of: char| text.split_once(of).map(|(_, rest)| rest).filter(|rest| !rest.trim().is_empty());
    after('\n').or_else(|| after(' ')).unwrap_or(text)
}

impl Log {
    /// What comes next; `None`: that was all.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.body.frame().await {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(self.kubernetes.unheard(&self.pod, Denial::from(error))),
            }
        }
    }
}
