//! What GitHub tells of what happens: payloads in its own form, with its headers and its signature over the body.
//!
//! They are kept, not sent: whoever plays the network takes them, in any order, twice or never.

use super::{
    BEGINNING, GitHub, hex,
    show::Show,
    state::{Comment, Label, Repository},
};
use serde_json::{Value, json};

/// Whom GitHub tells.
#[derive(Debug, Clone, Default)]
pub struct Hook {
    /// The secret of the signature; none: nothing is signed.
    pub secret: Option<String>,
    /// The installation of an app that the hook is part of; its payloads say so.
    pub installation: Option<u64>,
}

/// One delivery.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The event's name.
    pub event: &'static str,
    /// What tells it from other deliveries; delivering it again does not change it.
    pub id: String,
    /// The headers, with GitHub's own spelling.
    pub headers: Vec<(&'static str, String)>,
    /// The body, byte for byte what is signed.
    pub body: Vec<u8>,
}

/// Something that GitHub tells of.
pub(super) enum Happening<'a> {
    Pull { action: &'a str, number: u64 },
    Push { number: u64, before: &'a str, after: &'a str },
    Labels { action: &'a str, number: u64, label: &'a Label },
    Comment { action: &'a str, comment: &'a Comment, before: Option<&'a str> },
    Dispatch { event_type: &'a str, payload: &'a Value },
    Queued { number: u64, sha: &'a str },
    Ping,
}

const API: &str = "https://api.github.com";
const HOOK: u64 = 7;

impl Happening<'_> {
    /// The event's name and what is its own in the payload; none of something that is gone.
    fn payload(&self, show: &Show<'_>, repository: &Repository) -> Option<(&'static str, Value)> {
        let pull = |number: &u64| repository.pulls.get(number);
        let about = |action: &str, number: &u64| {
            let shown = show.pull(repository, pull(number)?);
            Some(json!({ "action": action, "number": number, "pull_request": shown }))
        };
        Some(match self {
            Self::Pull { action, number } => ("pull_request", about(action, number)?),
            Self::Push { number, before, after } => {
                let mut payload = about("synchronize", number)?;
                payload["before"] = json!(before);
                payload["after"] = json!(after);
                ("pull_request", payload)
            }
            Self::Labels { action, number, label } => {
                let mut payload = about(action, number)?;
                payload["label"] = show.label(repository, label);
                ("pull_request", payload)
            }
            Self::Comment { action, comment, before } => {
                let issue = show.issue(repository, pull(&comment.number)?);
                let comment = show.comment(repository, comment);
                let mut payload = json!({ "action": action, "issue": issue, "comment": comment });
                if let Some(before) = before {
                    payload["changes"] = json!({ "body": { "from": before } });
                }
                ("issue_comment", payload)
            }
            Self::Dispatch { event_type, payload } => {
                let branch = &repository.default_branch;
                (
                    "repository_dispatch",
                    json!({ "action": event_type, "branch": branch, "client_payload": payload }),
                )
            }
            Self::Queued { number, sha } => {
                let pull = pull(number)?;
                let base = repository.branches.get(&pull.base).map(String::as_str).unwrap_or_default();
                let person = json!({ "name": "GitHub", "email": "noreply@github.com" });
                let group = json!({
                    "head_sha": sha, "base_sha": base, "base_ref": format!("refs/heads/{}", pull.base),
                    "head_ref": format!("refs/heads/{}", repository.queue_branch(&pull.base, *number)),
                    "head_commit": {
                        "id": sha, "tree_id": super::sha_of(&["tree", sha]), "timestamp": show.github.now,
                        "message": format!("Merge pull request #{number}"), "author": person, "committer": person,
                    },
                });
                ("merge_group", json!({ "action": "checks_requested", "merge_group": group }))
            }
            Self::Ping => {
                let url = format!("{}/hooks/{HOOK}", show.url(repository));
                let hook = json!({
                    "type": "Repository", "id": HOOK, "name": "web", "active": true, "events": ["*"], "url": url,
                    "config": { "content_type": "json", "insecure_ssl": "0", "url": "https://berth.example/" },
                    "created_at": BEGINNING, "updated_at": BEGINNING, "test_url": format!("{url}/test"),
                    "ping_url": format!("{url}/pings"), "deliveries_url": format!("{url}/deliveries"),
                    "last_response": { "code": null, "status": "unused", "message": null },
                });
                ("ping", json!({ "zen": "Design for failure.", "hook_id": HOOK, "hook": hook }))
            }
        })
    }
}

impl GitHub {
    /// Everything told so far and not taken yet, oldest first.
    pub fn take_deliveries(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.deliveries)
    }

    pub(super) fn happens(&mut self, repository: u64, sender: Option<&str>, happening: &Happening<'_>) {
        let Some(hook) = &self.hook else { return };
        let show = Show { github: self, api: API };
        let Some(repository) = self.repositories.get(&repository) else { return };
        let Some((event, mut payload)) = happening.payload(&show, repository) else { return };
        payload["repository"] = show.repository(repository);
        // Only what is told, not what is answered, has these.
        for place in ["/repository", "/pull_request/head/repo", "/pull_request/base/repo"] {
            if let Some(Value::Object(shown)) = payload.pointer_mut(place) {
                shown.insert("custom_properties".to_owned(), json!({}));
            }
        }
        payload["sender"] = show.person(sender.or(Some(&repository.owner)));
        if let Some(organization) = show.organization(&repository.owner) {
            payload["organization"] = organization;
        }
        if let Some(installation) = hook.installation {
            payload["installation"] = json!({ "id": installation, "node_id": format!("MDIz{installation}") });
        }
        let target = repository.id;
        self.last_id += 2;
        let digest = super::sha_of(&["delivery", &self.last_id.to_string()]);
        let id = format!(
            "{}-{}-4{}-8{}-{}",
            &digest[..8],
            &digest[8..12],
            &digest[12..15],
            &digest[15..18],
            &digest[18..30]
        );
        let body = payload.to_string().into_bytes();
        let mut headers = vec![
            ("Accept", "*/*".to_owned()),
            ("Content-Type", "application/json".to_owned()),
            ("User-Agent", "GitHub-Hookshot/044aadd".to_owned()),
            ("X-GitHub-Delivery", id.clone()),
            ("X-GitHub-Event", event.to_owned()),
            ("X-GitHub-Hook-ID", HOOK.to_string()),
            ("X-GitHub-Hook-Installation-Target-ID", target.to_string()),
            ("X-GitHub-Hook-Installation-Target-Type", "repository".to_owned()),
        ];
        if let Some(secret) = &hook.secret {
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
            let signature = hex(ring::hmac::sign(&key, &body).as_ref());
            headers.push(("X-Hub-Signature-256", format!("sha256={signature}")));
        }
        self.deliveries.push(Delivery { event, id, headers, body });
    }
}
