//! As a GitHub App: its key is Vault's, and no token of the job's is needed to speak.

use super::bed::{Bed, sha};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use berth::{
    clock::Clock,
    rehearsal::{
        example::REPOSITORY,
        github::{App, Level, Permission},
    },
};
use ring::rsa::KeyPair;
use serde_json::json;

const KEY: &str = include_str!("../github_app.pem");
const ID: u64 = 104_729;

/// An app that is installed in the repository, and its key in Vault; the world's time is the machine's, for an app says when
/// it speaks.
fn by_app() -> Bed {
    let bed = Bed::new();
    let lines = KEY.lines().skip_while(|line| !line.starts_with("-----BEGIN"));
    let text: String = lines.filter(|line| !line.starts_with("-----")).collect();
    let key = KeyPair::from_der(&BASE64_STANDARD.decode(text).unwrap()).unwrap();
    let all = [
        Permission::Contents,
        Permission::PullRequests,
        Permission::Statuses,
        Permission::Checks,
        Permission::Deployments,
    ];
    let app = App {
        id: ID,
        slug: "berth-of-acme".to_owned(),
        public_key: key.public().as_ref().to_vec(),
        permissions: all.into_iter().map(|permission| (permission, Level::Write)).collect(),
        repositories: vec![REPOSITORY.to_owned()],
    };
    let mut world = bed.world();
    let behind = Clock::system().now().duration_since(world.now());
    world.pass_by(behind);
    world.github.add_app(app);
    world.vault.put("berth/github-app", json!({"key": KEY}).as_object().unwrap().clone());
    drop(world);
    let platform = std::fs::read_to_string(bed.path("platform.yaml")).unwrap();
    let github = format!("github: {{app: {{id: {ID}, key: \"vault:berth/github-app#key\"}}}}\n");
    std::fs::write(bed.path("platform.yaml"), format!("{platform}{github}")).unwrap();
    bed
}

#[test]
fn the_app_speaks_where_it_is_configured_and_its_key_is_nowhere() {
    let bed = by_app();
    let acted = bed.acts(&bed.opened());
    assert_eq!((acted.exit, bed.deployed()), (0, Some(sha('a'))), "{}", acted.log);
    let world = bed.world();
    let repository = world.github.repository(REPOSITORY).unwrap();
    let [comment] = &repository.comments(42)[..] else { panic!("{}", acted.log) };
    assert_eq!(comment.author.as_deref(), Some("berth-of-acme[bot]"));
    assert!(comment.body.contains("### ✅ Ready"), "{}", comment.body);
    let shown = format!("{}{}{}", acted.log, acted.summary, comment.body);
    assert!(KEY.lines().filter(|line| line.len() == 64).all(|line| !shown.contains(line)));
}

#[test]
fn a_key_that_is_not_where_it_should_be_is_told_with_its_place() {
    let bed = by_app();
    let platform = std::fs::read_to_string(bed.path("platform.yaml")).unwrap();
    std::fs::write(bed.path("platform.yaml"), platform.replace("#key", "#kee")).unwrap();
    let acted = bed.acts(&bed.opened());
    assert_eq!(acted.exit, 2, "{}", acted.log);
    assert!(
        acted.log.contains("berth/github-app in Vault has no text under the key \"kee\""),
        "{}",
        acted.log
    );
    assert!(acted.log.contains("cannot speak as the GitHub App 104729"), "{}", acted.log);
}
