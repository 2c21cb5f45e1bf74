//! A pull request with what it shares with issues: labels and comments.

use super::{
    super::state::{Changed, Comment, Label, Mergeable, Pull, PullState, Reaction, Repository, Role},
    Show, node, with,
};
use jiff::Timestamp;
use serde_json::{Value, json};

/// Which of two sides of a pull request a repository is on: the name that its branches go by.
pub(in super::super) fn pull_repository(owner: &str, branch: &str) -> String {
    format!("{owner}:{branch}")
}

fn reactions(url: &str, all: &[Reaction]) -> Value {
    let mut shown = json!({
        "url": format!("{url}/reactions"), "total_count": all.len(), "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
        "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
    });
    for reaction in all {
        let same = all.iter().filter(|other| other.content == reaction.content);
        shown[reaction.content] = json!(same.count());
    }
    shown
}

impl Show<'_> {
    pub(in super::super) fn label(&self, repository: &Repository, label: &Label) -> Value {
        json!({
            "id": label.id, "node_id": node("LA", label.id), "name": label.name, "color": "ededed",
            "url": format!("{}/labels/{}", self.url(repository), label.name), "default": false, "description": null,
        })
    }

    pub(in super::super) fn labels(&self, repository: &Repository, pull: &Pull) -> Vec<Value> {
        let carried =
            pull.labels.iter().filter_map(|name| repository.labels.iter().find(|l| l.name == *name));
        carried.map(|label| self.label(repository, label)).collect()
    }

    fn association(&self, repository: &Repository, author: Option<&str>) -> &'static str {
        match author.map(str::to_ascii_lowercase) {
            Some(login) if login == repository.owner.to_ascii_lowercase() => "OWNER",
            Some(login) => match repository.collaborators.get(&login) {
                Some(Role::Admin | Role::Write | Role::Read) => "COLLABORATOR",
                None => "NONE",
            },
            None => "NONE",
        }
    }

    /// As it stands in a list.
    pub(in super::super) fn pull_in_list(&self, repository: &Repository, pull: &Pull) -> Value {
        let url = self.url(repository);
        let Pull { number, head, base, .. } = pull;
        let html = format!("https://github.com/{}/pull/{number}", repository.full_name());
        let fork = head.repository.and_then(|id| self.github.repositories.get(&id));
        let owner = self.person(Some(&repository.owner));
        let (closed_at, merged_at, merge) = match &pull.state {
            PullState::Open => (None, None, self.test_merge(pull)),
            PullState::Closed(at) => (Some(*at), None, self.test_merge(pull)),
            PullState::Merged { at, sha, .. } => (Some(*at), Some(*at), Some(sha.clone())),
        };
        json!({
            "url": format!("{url}/pulls/{number}"), "id": pull.id, "node_id": node("PR", pull.id), "html_url": html,
            "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
            "issue_url": format!("{url}/issues/{number}"), "commits_url": format!("{url}/pulls/{number}/commits"),
            "review_comments_url": format!("{url}/pulls/{number}/comments"),
            "review_comment_url": format!("{url}/pulls/comments{{/number}}"),
            "comments_url": format!("{url}/issues/{number}/comments"),
            "statuses_url": format!("{url}/statuses/{}", head.sha), "number": number,
            "state": if pull.is_open() { "open" } else { "closed" }, "locked": pull.locked, "title": pull.title,
            "user": self.person(pull.author.as_deref()), "body": pull.body, "labels": self.labels(repository, pull),
            "milestone": null, "created_at": pull.created_at, "updated_at": pull.updated_at, "closed_at": closed_at,
            "merged_at": merged_at, "merge_commit_sha": merge, "assignee": null, "assignees": [],
            "requested_reviewers": [], "requested_teams": [], "draft": pull.draft,
            "head": {
                "label": pull_repository(&head.owner, &head.branch), "ref": head.branch, "sha": head.sha,
                "user": self.person(Some(&head.owner)), "repo": fork.map(|fork| self.repository(fork)),
            },
            "base": {
                "label": pull_repository(&repository.owner, base), "ref": base, "user": owner,
                "sha": repository.branches.get(base).cloned().unwrap_or_default(), "repo": self.repository(repository),
            },
            "_links": self.links(repository, pull),
            "author_association": self.association(repository, pull.author.as_deref()),
            "auto_merge": null, "active_lock_reason": null,
        })
    }

    fn links(&self, repository: &Repository, pull: &Pull) -> Value {
        let (url, number) = (self.url(repository), pull.number);
        let link = |path: &str| json!({ "href": format!("{url}/{path}") });
        json!({
            "self": link(&format!("pulls/{number}")), "issue": link(&format!("issues/{number}")),
            "html": { "href": format!("https://github.com/{}/pull/{number}", repository.full_name()) },
            "comments": link(&format!("issues/{number}/comments")),
            "review_comments": link(&format!("pulls/{number}/comments")),
            "review_comment": link("pulls/comments{/number}"), "commits": link(&format!("pulls/{number}/commits")),
            "statuses": link(&format!("statuses/{}", pull.head.sha)),
        })
    }

    /// The commit that GitHub makes to try the merge, once somebody has asked for it.
    fn test_merge(&self, pull: &Pull) -> Option<String> {
        (pull.mergeable == Mergeable::Clean).then(|| super::super::sha_of(&["merge", &pull.head.sha]))
    }

    pub(in super::super) fn pull(&self, repository: &Repository, pull: &Pull) -> Value {
        let (mergeable, state) = match pull.mergeable {
            _ if !pull.is_open() => (None, "unknown"),
            Mergeable::Unknown => (None, "unknown"),
            Mergeable::Clean => (Some(true), if pull.draft { "draft" } else { "clean" }),
            Mergeable::Conflicting => (Some(false), "dirty"),
        };
        let merged_by = match &pull.state {
            PullState::Merged { by, .. } => Some(self.person(Some(by))),
            PullState::Open | PullState::Closed(_) => None,
        };
        let comments = repository.comments.values().filter(|comment| comment.number == pull.number).count();
        let more = json!({
            "merged": merged_by.is_some(), "mergeable": mergeable, "rebaseable": mergeable, "mergeable_state": state,
            "merged_by": merged_by, "comments": comments, "review_comments": 0, "maintainer_can_modify": false,
            "commits": 1, "additions": pull.files.len(), "deletions": 0, "changed_files": pull.files.len(),
        });
        with(self.pull_in_list(repository, pull), more)
    }

    /// The same pull request, seen as an issue: what `issue_comment` carries.
    pub(in super::super) fn issue(&self, repository: &Repository, pull: &Pull) -> Value {
        let shown = self.pull(repository, pull);
        let url = format!("{}/issues/{}", self.url(repository), pull.number);
        let taken = [
            "number",
            "title",
            "body",
            "user",
            "labels",
            "state",
            "locked",
            "assignee",
            "assignees",
            "milestone",
            "comments",
            "created_at",
            "updated_at",
            "closed_at",
            "author_association",
            "active_lock_reason",
            "draft",
            "html_url",
            "comments_url",
        ];
        let mut issue: Value = taken.map(|key| (key.to_owned(), shown[key].clone())).into_iter().collect();
        issue["pull_request"] = ["url", "html_url", "diff_url", "patch_url", "merged_at"]
            .map(|key| (key.to_owned(), shown[key].clone()))
            .into_iter()
            .collect();
        let id = pull.id + 1;
        with(
            issue,
            json!({
                "id": id, "node_id": node("I", id), "url": url, "repository_url": self.url(repository),
                "labels_url": format!("{url}/labels{{/name}}"), "events_url": format!("{url}/events"),
                "timeline_url": format!("{url}/timeline"), "reactions": reactions(&url, &[]),
                "performed_via_github_app": null, "state_reason": null,
            }),
        )
    }

    pub(in super::super) fn comment(&self, repository: &Repository, comment: &Comment) -> Value {
        let Comment { id, number, .. } = comment;
        let url = format!("{}/issues/comments/{id}", self.url(repository));
        let author = comment.author.as_deref();
        json!({
            "id": id, "node_id": node("IC", *id), "url": url, "body": comment.body, "user": self.person(author),
            "html_url": format!("https://github.com/{}/pull/{number}#issuecomment-{id}", repository.full_name()),
            "issue_url": format!("{}/issues/{number}", self.url(repository)),
            "created_at": comment.created_at, "updated_at": comment.updated_at,
            "author_association": self.association(repository, author),
            "performed_via_github_app": null, "reactions": reactions(&url, &comment.reactions),
        })
    }

    pub(in super::super) fn reaction(&self, reaction: &Reaction, at: Timestamp) -> Value {
        json!({
            "id": reaction.id, "node_id": node("REA", reaction.id), "user": self.person(Some(&reaction.login)),
            "content": reaction.content, "created_at": at,
        })
    }

    pub(in super::super) fn changed(&self, repository: &Repository, pull: &Pull, file: &Changed) -> Value {
        let html = format!("https://github.com/{}", repository.full_name());
        let Changed { path, status, before } = file;
        let sha = &pull.head.sha;
        let mut shown = json!({
            "sha": super::super::sha_of(&[sha, path]), "filename": path, "status": status, "additions": 1,
            "deletions": 0, "changes": 1, "blob_url": format!("{html}/blob/{sha}/{path}"),
            "raw_url": format!("{html}/raw/{sha}/{path}"),
            "contents_url": format!("{}/contents/{path}?ref={sha}", self.url(repository)), "patch": "@@ -0,0 +1 @@\n+1",
        });
        if let Some(before) = before {
            shown["previous_filename"] = json!(before);
        }
        shown
    }
}
