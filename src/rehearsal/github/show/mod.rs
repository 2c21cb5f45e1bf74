//! How GitHub shows what it holds: people, repositories and apps here, the rest in the modules below.
//!
//! Every address is this server's own, so that a client which follows one comes back here.
//! It must never change anything.

mod pull;
mod report;

use super::{
    GitHub,
    state::{Account, AccountKind, Repository},
};
use serde_json::{Map, Value, json};

pub(super) use pull::pull_repository;

/// What stands for an account that is deleted.
const GHOST: &str = "ghost";

/// The addresses below a repository's own, as `key: path`.
const REPOSITORY_URLS: &[(&str, &str)] = &[
    ("archive_url", "{archive_format}{/ref}"),
    ("assignees_url", "assignees{/user}"),
    ("blobs_url", "git/blobs{/sha}"),
    ("branches_url", "branches{/branch}"),
    ("collaborators_url", "collaborators{/collaborator}"),
    ("comments_url", "comments{/number}"),
    ("commits_url", "commits{/sha}"),
    ("compare_url", "compare/{base}...{head}"),
    ("contents_url", "contents/{+path}"),
    ("contributors_url", "contributors"),
    ("deployments_url", "deployments"),
    ("downloads_url", "downloads"),
    ("events_url", "events"),
    ("forks_url", "forks"),
    ("git_commits_url", "git/commits{/sha}"),
    ("git_refs_url", "git/refs{/sha}"),
    ("git_tags_url", "git/tags{/sha}"),
    ("hooks_url", "hooks"),
    ("issue_comment_url", "issues/comments{/number}"),
    ("issue_events_url", "issues/events{/number}"),
    ("issues_url", "issues{/number}"),
    ("keys_url", "keys{/key_id}"),
    ("labels_url", "labels{/name}"),
    ("languages_url", "languages"),
    ("merges_url", "merges"),
    ("milestones_url", "milestones{/number}"),
    ("notifications_url", "notifications{?since,all,participating}"),
    ("pulls_url", "pulls{/number}"),
    ("releases_url", "releases{/id}"),
    ("stargazers_url", "stargazers"),
    ("statuses_url", "statuses/{sha}"),
    ("subscribers_url", "subscribers"),
    ("subscription_url", "subscription"),
    ("tags_url", "tags"),
    ("teams_url", "teams"),
    ("trees_url", "git/trees{/sha}"),
];

/// What is added beside the addresses.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(object), Value::Object(more)) = (&mut object, more) {
        object.extend(more);
    }
    object
}

/// A node id: opaque to clients, and another for each kind.
fn node(kind: &str, id: u64) -> String {
    format!("{kind}_kwDO{id:010x}")
}

/// A reader's view: what is held, and at which address this server is.
pub(super) struct Show<'a> {
    pub(super) github: &'a GitHub,
    pub(super) api: &'a str,
}

impl Show<'_> {
    pub(super) fn person(&self, login: Option<&str>) -> Value {
        let known = login.and_then(|login| self.github.accounts.get(&login.to_ascii_lowercase()));
        let ghost = Account { id: 10_137, login: GHOST.to_owned(), kind: AccountKind::User };
        self.account(known.unwrap_or(&ghost))
    }

    /// A person, as shown to nobody else.
    pub(super) fn oneself(&self, login: &str) -> Value {
        let more = json!({
            "name": null, "company": null, "blog": "", "location": null, "email": null, "hireable": null, "bio": null,
            "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
            "created_at": super::BEGINNING, "updated_at": super::BEGINNING,
        });
        with(self.person(Some(login)), more)
    }

    fn account(&self, account: &Account) -> Value {
        let Account { id, login, kind } = account;
        let url = format!("{}/users/{login}", self.api);
        let (kind, node) = match kind {
            AccountKind::User => ("User", node("U", *id)),
            AccountKind::Bot => ("Bot", node("BOT", *id)),
            AccountKind::Organization => ("Organization", node("O", *id)),
        };
        json!({
            "login": login, "id": id, "node_id": node, "gravatar_id": "",
            "avatar_url": format!("https://avatars.githubusercontent.com/u/{id}?v=4"),
            "url": url, "html_url": format!("https://github.com/{login}"),
            "followers_url": format!("{url}/followers"), "following_url": format!("{url}/following{{/other_user}}"),
            "gists_url": format!("{url}/gists{{/gist_id}}"), "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
            "subscriptions_url": format!("{url}/subscriptions"), "organizations_url": format!("{url}/orgs"),
            "repos_url": format!("{url}/repos"), "events_url": format!("{url}/events{{/privacy}}"),
            "received_events_url": format!("{url}/received_events"),
            "type": kind, "user_view_type": "public", "site_admin": false,
        })
    }

    pub(super) fn organization(&self, login: &str) -> Option<Value> {
        let account = self.github.accounts.get(&login.to_ascii_lowercase())?;
        (account.kind == AccountKind::Organization).then(|| {
            let url = format!("{}/orgs/{}", self.api, account.login);
            let paths = ["repos", "events", "hooks", "issues", "members{/member}", "public_members{/member}"];
            let mut shown = json!({
                "login": account.login, "id": account.id, "node_id": node("O", account.id), "url": url,
                "avatar_url": format!("https://avatars.githubusercontent.com/u/{}?v=4", account.id),
                "description": "",
            });
            for path in paths {
                let key = path.split('{').next().unwrap_or(path);
                shown[format!("{key}_url")] = json!(format!("{url}/{path}"));
            }
            shown
        })
    }

    pub(super) fn url(&self, repository: &Repository) -> String {
        format!("{}/repos/{}", self.api, repository.full_name())
    }

    /// What every view of a repository has.
    pub(super) fn minimal(&self, repository: &Repository) -> Value {
        let url = self.url(repository);
        let full_name = repository.full_name();
        let mut shown = Map::new();
        for (key, path) in REPOSITORY_URLS {
            shown.insert((*key).to_owned(), json!(format!("{url}/{path}")));
        }
        with(
            shown.into(),
            json!({
                "id": repository.id, "node_id": node("R", repository.id), "name": repository.name,
                "full_name": full_name, "owner": self.person(Some(&repository.owner)),
                "private": repository.private, "html_url": format!("https://github.com/{full_name}"),
                "description": null, "fork": repository.parent.is_some(), "url": url,
            }),
        )
    }

    pub(super) fn repository(&self, repository: &Repository) -> Value {
        let name = repository.full_name();
        let open = repository.pulls.values().filter(|pull| pull.is_open()).count();
        let forks = self.github.repositories.values().filter(|r| r.parent == Some(repository.id)).count();
        let visibility = if repository.private { "private" } else { "public" };
        let more = json!({
            "git_url": format!("git://github.com/{name}.git"), "ssh_url": format!("git@github.com:{name}.git"),
            "clone_url": format!("https://github.com/{name}.git"), "svn_url": format!("https://github.com/{name}"),
            "mirror_url": null, "homepage": null, "language": null, "license": null,
            "forks": forks, "forks_count": forks, "stargazers_count": 0, "watchers": 0, "watchers_count": 0, "size": 0,
            "open_issues": open, "open_issues_count": open, "default_branch": repository.default_branch,
            "has_issues": true, "has_projects": true, "has_wiki": true, "has_pages": false, "has_downloads": true,
            "has_discussions": false, "archived": repository.archived, "disabled": false,
            "is_template": false, "topics": [], "visibility": visibility, "allow_forking": true,
            "web_commit_signoff_required": false,
            "created_at": repository.created_at, "updated_at": self.github.now, "pushed_at": self.github.now,
        });
        with(self.minimal(repository), more)
    }

    /// What only a look at the repository itself shows.
    pub(super) fn whole(&self, repository: &Repository) -> Value {
        let shown = with(self.repository(repository), json!({ "subscribers_count": 0, "network_count": 0 }));
        match repository.parent.and_then(|parent| self.github.repositories.get(&parent)) {
            Some(parent) => {
                let parent = self.repository(parent);
                with(shown, json!({ "parent": parent, "source": parent }))
            }
            None => shown,
        }
    }

    pub(super) fn app(&self, slug: &str) -> Value {
        let id = self.github.accounts.get(&format!("{slug}[bot]")).map_or(0, |account| account.id);
        let owner = if slug == "github-actions" { "github" } else { slug };
        json!({
            "id": id, "slug": slug, "node_id": node("A", id), "name": slug, "description": "",
            "owner": self.person(Some(owner)), "external_url": format!("https://{slug}.example"),
            "html_url": format!("https://github.com/apps/{slug}"),
            "created_at": super::BEGINNING, "updated_at": super::BEGINNING,
            "permissions": {}, "events": [],
        })
    }
}
