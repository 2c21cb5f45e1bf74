//! What berth's client reads of a repository: files, directories, branches, and what a pull request changes.

use super::github_client::{REPOSITORY, SHA, Site, pull, repo, sha};
use berth::{
    clients::{
        Kind,
        github::{ChangedFile, ChangedFiles, Entry, EntryKind, Revision},
    },
    domain::names::BranchName,
    rehearsal::{
        gate::Verdict,
        github::{Changed, Grant, Level, Permission},
    },
};
use serde_json::json;

fn branch(name: &str) -> BranchName {
    name.parse().unwrap()
}

fn main() -> Revision {
    Revision::Branch(branch("main"))
}

fn has(site: &Site, files: &[(&str, Vec<u8>)]) {
    let github = &mut site.served.lock().github;
    let repository = github.change(REPOSITORY).unwrap();
    let main = repository.branches["main"].clone();
    let files = files.iter().map(|(path, content)| ((*path).to_owned(), content.clone()));
    repository.files.entry(main).or_default().extend(files);
}

#[tokio::test]
async fn a_file_is_read_whole_at_a_branch_or_a_commit() {
    let site = Site::start().await;
    // With one and two letters of padding, longer than a line of base64, and as large as GitHub gives one.
    for length in [0, 1, 2, 3, 44, 45, 46, 5000, 1 << 20] {
        let content: Vec<u8> = (0..length).map(|n| (n % 251) as u8).collect();
        has(&site, &[("deploy/berth.yaml", content.clone())]);
        let found = site.github().file(&repo(), "deploy/berth.yaml", &main()).await;
        assert_eq!(found, Ok(Some(content)), "{length}");
    }
    let commit = site.served.lock().github.repository(REPOSITORY).unwrap().branches["main"].clone();
    let commit = Revision::Commit(commit.parse().unwrap());
    let github = site.github();
    assert!(github.file(&repo(), "deploy/berth.yaml", &commit).await.unwrap().is_some());
    let head = Revision::Commit(sha());
    assert_eq!(github.file(&repo(), "deploy/berth.yaml", &head).await, Ok(None), "the head has none");
}

#[tokio::test]
async fn a_file_is_absent_only_where_the_repository_can_be_read_at_that_revision() {
    let site = Site::start().await;
    has(&site, &[("berth.yaml", b"version: 1".to_vec())]);
    let github = site.github();
    assert_eq!(github.file(&repo(), "absent.yaml", &main()).await, Ok(None));
    assert_eq!(github.file(&repo(), "berth.yaml/x", &main()).await, Ok(None));
    assert_eq!(github.directory(&repo(), "absent", &main()).await, Ok(None));
    let gone = Revision::Branch(branch("gone"));
    let failure = github.file(&repo(), "berth.yaml", &gone).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid);
    assert!(failure.detail.contains("there is no such branch or commit"), "{failure}");
    assert_eq!(github.directory(&repo(), "", &gone).await.unwrap_err().kind, Kind::Invalid);
    site.served.lock().github.add_token("ghs_other", Grant::app("other", &["acme/other"]).may_all());
    let other = site.by("ghs_other").file(&repo(), "absent.yaml", &main()).await.unwrap_err();
    assert_eq!(other.kind, Kind::Refused);
    let blind = Grant::workflow(REPOSITORY).may(Permission::PullRequests, Level::Write);
    site.served.lock().github.add_token("ghs_blind", blind);
    let blind = site.by("ghs_blind").file(&repo(), "absent.yaml", &main()).await.unwrap_err();
    assert!(blind.kind == Kind::Refused && blind.detail.ends_with("`contents: read`"), "{blind}");
}

#[tokio::test]
async fn what_is_no_file_or_too_large_is_not_read_as_one() {
    let site = Site::start().await;
    has(&site, &[("deploy/app.yaml", vec![b'x'; (1 << 20) + 1])]);
    let github = site.github();
    let failure = github.file(&repo(), "deploy/app.yaml", &main()).await.unwrap_err();
    assert!(failure.kind == Kind::Invalid && failure.detail.contains("1 MiB"), "{failure}");
    assert_eq!(github.file(&repo(), "deploy", &main()).await.unwrap_err().kind, Kind::Invalid);
    let failure = github.directory(&repo(), "deploy/app.yaml", &main()).await.unwrap_err();
    assert!(failure.kind == Kind::Invalid && failure.detail.contains("no directory"), "{failure}");
    let link = json!({ "type": "symlink", "size": 3, "target": "/etc" });
    site.served.gate.rule(move |_| Verdict::json(200, &link));
    assert_eq!(github.file(&repo(), "link", &main()).await.unwrap_err().kind, Kind::Invalid);
}

#[tokio::test]
async fn content_that_is_not_what_its_size_says_is_unknown() {
    let site = Site::start().await;
    for (content, size) in [("YQ==", 2), ("Y", 1), ("", 1), ("\u{e9}", 1)] {
        let file = json!({ "type": "file", "size": size, "encoding": "base64", "content": content });
        site.served.gate.rule(move |_| Verdict::json(200, &file));
        let failure = site.github().file(&repo(), "a", &main()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable { wait: None }, "{content:?} of {size}");
    }
}

#[tokio::test]
async fn a_path_that_leads_elsewhere_is_not_asked_for() {
    let site = Site::start().await;
    let github = site.github();
    for path in ["..", "a/../b", "./a", "/a", "a//b", "a/", "."] {
        assert_eq!(github.file(&repo(), path, &main()).await.unwrap_err().kind, Kind::Invalid, "{path}");
        assert_eq!(github.directory(&repo(), path, &main()).await.unwrap_err().kind, Kind::Invalid, "{path}");
    }
    assert_eq!(github.file(&repo(), "", &main()).await.unwrap_err().kind, Kind::Invalid);
    assert_eq!(site.asked(), [""; 0]);
    let odd = "a b/ü?#%2e%2e";
    has(&site, &[(odd, b"x".to_vec())]);
    assert_eq!(github.file(&repo(), odd, &main()).await, Ok(Some(b"x".to_vec())));
}

#[tokio::test]
async fn a_directory_is_listed_whole_or_not_at_all() {
    let site = Site::start().await;
    let entry = |name: &str, kind| Entry { name: name.to_owned(), kind };
    has(&site, &[("deploy/app.yaml", vec![]), ("deploy/base/x", vec![]), ("berth.yaml", vec![])]);
    let github = site.github();
    let root = [entry("berth.yaml", EntryKind::File), entry("deploy", EntryKind::Dir)];
    assert_eq!(github.directory(&repo(), "", &main()).await, Ok(Some(root.to_vec())));
    let deploy = [entry("app.yaml", EntryKind::File), entry("base", EntryKind::Dir)];
    assert_eq!(github.directory(&repo(), "deploy", &main()).await, Ok(Some(deploy.to_vec())));
    for n in 0..999 {
        has(&site, &[(&format!("many/{n}"), vec![])]);
    }
    assert_eq!(github.directory(&repo(), "many", &main()).await.unwrap().unwrap().len(), 999);
    for n in 999..1001 {
        has(&site, &[(&format!("many/{n}"), vec![])]);
        let failure = github.directory(&repo(), "many", &main()).await.unwrap_err();
        assert!(failure.kind == Kind::Invalid && failure.detail.contains("a thousand"), "{failure}");
    }
}

#[tokio::test]
async fn of_a_renamed_repository_the_same_revision_is_read() {
    let site = Site::start().await;
    has(&site, &[("berth.yaml", b"of main".to_vec())]);
    {
        let github = &mut site.served.lock().github;
        let repository = github.change(REPOSITORY).unwrap();
        let head = [("berth.yaml".to_owned(), b"of the head".to_vec())];
        repository.files.insert(SHA.to_owned(), head.into());
        github.rename(REPOSITORY, "acme/shop").unwrap();
    }
    let found = site.github().file(&repo(), "berth.yaml", &Revision::Commit(sha())).await;
    assert_eq!(found, Ok(Some(b"of the head".to_vec())), "a redirect may come without the question's query");
}

#[tokio::test]
async fn branches_are_found_by_their_commit_whatever_they_are_called() {
    let site = Site::start().await;
    let names = ["-dash-", "100%", "feature/a/b", "fix#1&x=y", "gh-readonly-queue/main/pr-1-x", "ünïcode"];
    let commit = "c".repeat(40);
    for name in names {
        let github = &mut site.served.lock().github;
        github.change(REPOSITORY).unwrap().branches.insert(name.to_owned(), commit.clone());
    }
    let found = site.github().branches_at(&repo(), &commit.parse().unwrap()).await.unwrap();
    assert_eq!(found.iter().map(AsRef::as_ref).collect::<Vec<_>>(), names);
}

#[tokio::test]
async fn a_commit_of_no_branch_is_told_only_by_who_can_see_the_repository() {
    let site = Site::start().await;
    let left = "d".repeat(40);
    site.served.lock().github.push(REPOSITORY, 1, "alice", &left).unwrap();
    site.served.lock().github.push(REPOSITORY, 1, "alice", &"e".repeat(40)).unwrap();
    assert_eq!(site.github().branches_at(&repo(), &left.parse().unwrap()).await, Ok(vec![]));
    site.served.lock().github.add_token("ghs_other", Grant::app("other", &["acme/other"]).may_all());
    let failure = site.by("ghs_other").branches_at(&repo(), &left.parse().unwrap()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Invalid, "{failure}");
}

#[tokio::test]
async fn the_files_of_a_pull_request_are_all_there_or_said_to_be_capped() {
    let site = Site::start().await;
    let changes = |count: usize| {
        let github = &mut site.served.lock().github;
        let file = |n: usize| Changed {
            path: format!("src/{n}.rs"),
            status: "renamed",
            before: (n == 0).then(|| "deploy/old.rs".to_owned()),
        };
        github.pull(REPOSITORY, 1).unwrap().files = (0..count).map(file).collect();
    };
    for count in [0, 1, 101, 2999] {
        changes(count);
        let ChangedFiles::Complete(files) = site.github().changed_files(&pull(1)).await.unwrap() else {
            panic!("{count} are all")
        };
        assert_eq!(files.len(), count);
        let first = ChangedFile { path: "src/0.rs".to_owned(), before: Some("deploy/old.rs".to_owned()) };
        assert!(count == 0 || files[0] == first);
    }
    for count in [3000, 3001] {
        changes(count);
        let ChangedFiles::Capped(files) = site.github().changed_files(&pull(1)).await.unwrap() else {
            panic!("of {count} GitHub shows 3000")
        };
        assert_eq!(files.len(), 3000);
    }
}
