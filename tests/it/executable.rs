//! The real binary: what it prints where, how it ends, and that hundreds of it at once lose nothing.
//!
//! Each child gets exactly the environment that its test gives it. What people read is pinned here as they read it.

use crate::claims::{pull, removal, run, uid};
use berth::{
    clients::vault::{self, Access, Auth, TIMEOUT},
    clock::Clock,
    documents::claims::Claims,
    domain::{
        claim::Claim,
        names::EnvironmentName,
        pool::{Allocation, Block, Layout},
    },
    engine::{Given, Pace, Pools},
    rehearsal::{
        Request, Server, World,
        gate::Verdict,
        kv::{Capability, Grant, Login, Rule},
        serve::Served,
    },
    stores::vault::VaultStore,
};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, mpsc},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A secret that must be in no output.
pub(crate) const CANARY: &str = "hvs.CANARY-7f3a";
/// The pool's document, as Vault's API and as its world name it.
pub(crate) const DOCUMENT: &str = "ephemeral-clusters/ip-allocations";

/// A user at a terminal: a home of their own, and the variables that the test gives.
pub(crate) struct User {
    home: TempDir,
    variables: BTreeMap<String, String>,
    /// What is shown in place of what differs from run to run.
    names: Vec<(String, &'static str)>,
}

impl User {
    /// With a directory of their own choice for the pool.
    pub(crate) fn new() -> Self {
        let user = Self::newcomer();
        let chosen = format!("file:{}", user.home().join(".local/state/berth").display());
        user.with("BERTH_STORE", &chosen)
    }

    /// Who has said nothing yet.
    pub(crate) fn newcomer() -> Self {
        let home = tempfile::tempdir().expect("a home");
        let names = vec![(home.path().display().to_string(), "~")];
        Self { home, variables: BTreeMap::new(), names }
    }

    /// As the shell tool of old wants it.
    pub(crate) fn of(vault: &Vault) -> Self {
        let mut user = Self::newcomer().with("VAULT_ADDR", &vault.url()).with("VAULT_TOKEN", CANARY);
        user.names.push((vault.url(), "http://vault"));
        user
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.variables.remove(name);
        self
    }

    /// A file in their directory.
    pub(crate) fn writes(&self, name: &str, text: &str) {
        fs::write(self.home().join(name), text).expect("a file in theirs");
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Where the embedded default keeps the pool.
    fn file(&self) -> PathBuf {
        self.home().join(".local/state/berth/ip-allocations.json")
    }

    fn file_document(&self) -> Map<String, Value> {
        let on_disk: Value = serde_json::from_slice(&fs::read(self.file()).expect("a file")).expect("JSON");
        on_disk["document"].as_object().expect("an object").clone()
    }

    fn put_file(&self, document: &Value) {
        fs::create_dir_all(self.file().parent().expect("a folder")).expect("made");
        let on_disk = json!({"version": "1", "document": document});
        fs::write(self.file(), on_disk.to_string()).expect("written");
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.args(arguments).env_clear().env("HOME", self.home()).envs(&self.variables);
        command.current_dir(self.home()).stdin(Stdio::null());
        command
    }

    pub(crate) fn berth(&self, arguments: &[&str]) -> Said {
        let output = self.command(arguments).output().expect("the binary starts");
        Said { asked: arguments.join(" "), ..self.said(output) }
    }

    fn said(&self, output: Output) -> Said {
        let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
        let (stdout, stderr) = (text(output.stdout), text(output.stderr));
        for stream in [&stdout, &stderr] {
            assert!(!stream.contains("CANARY"), "a secret was printed:\n{stream}");
            assert!(!stream.contains("panicked"), "it panicked:\n{stream}");
        }
        let code = output.status.code().expect("an exit code, not a signal");
        let clean = |text: String| self.names.iter().fold(text, |text, (from, to)| text.replace(from, to));
        Said { asked: String::new(), stdout: clean(stdout), stderr: clean(stderr), code }
    }
}

/// What one call came to.
pub(crate) struct Said {
    asked: String,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
}

impl Said {
    /// As a person sees it at a terminal, with the two streams told apart.
    pub(crate) fn seen(&self) -> String {
        let mut seen = format!("$ berth {}", self.asked).trim_end().to_owned() + "\n";
        for (mark, stream) in [("", &self.stdout), ("| ", &self.stderr)] {
            for line in stream.lines() {
                seen.push_str(format!("{mark}{line}").trim_end());
                seen.push('\n');
            }
        }
        seen + &format!("exit {}\n", self.code)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("JSON on stdout")
    }
}

/// Several calls, one after the other.
fn session(user: &User, calls: &[&[&str]]) -> String {
    calls.iter().map(|arguments| user.berth(arguments).seen()).collect::<Vec<_>>().join("\n")
}

/// The embedded Vault, served on a thread of its own.
pub(crate) struct Vault {
    pub(crate) served: Served,
    _runtime: Runtime,
}

impl Vault {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut world = World::default();
        world.vault.add_token(CANARY, Grant::default());
        let served = runtime.block_on(Served::start(world)).expect("a world on loopback");
        Self { served, _runtime: runtime }
    }

    pub(crate) fn with(document: Value) -> Self {
        let vault = Self::start();
        vault.put(document);
        vault
    }

    pub(crate) fn url(&self) -> String {
        self.served.url(Server::Vault)
    }

    /// The pool's document, written as the old tool writes: over whatever is there.
    pub(crate) fn put(&self, document: Value) {
        let Value::Object(document) = document else { panic!("a document is an object") };
        self.served.lock().vault.put(DOCUMENT, document);
    }

    pub(crate) fn claim(&self, claim: &Claim) {
        let Ok(Value::Object(document)) = serde_json::to_value(claim) else { panic!("an object") };
        let path = format!("ephemeral-clusters/{}/claim", claim.name());
        self.served.lock().vault.put(&path, document);
    }

    pub(crate) fn document(&self) -> Value {
        document(&self.served)
    }

    pub(crate) fn version(&self) -> u64 {
        self.served.lock().vault.version(DOCUMENT)
    }
}

pub(crate) fn document(served: &Served) -> Value {
    served.lock().vault.document(DOCUMENT).map_or(Value::Null, |document| json!(document))
}

/// Whether a request writes the pool.
pub(crate) fn writes_pool(request: &Request) -> bool {
    request.mutates() && request.path.ends_with(&["ip-allocations".to_owned()])
}

/// Noon of a day in 2020: whenever the tests run, that year is not this one and is shown.
fn day(day: i8) -> Timestamp {
    format!("2020-01-{day:02}T12:00:00Z").parse().expect("a time")
}

/// A claim that waits, made at noon of that day.
pub(crate) fn waiting(holder: &str, of: i8) -> Claim {
    let life = SignedDuration::from_hours(72);
    Claim::first(pull(holder), (uid("u"), run("r")), None, removal(), day(of), life)
}

pub(crate) fn block(first: u8) -> Block {
    Block::new(Ipv4Addr::new(192, 168, 1, first), 2.try_into().expect("not 0")).expect("a block")
}

fn held(holder: &str, of: i8, first: u8) -> Claim {
    waiting(holder, of).held(Some(block(first))).expect("it waited")
}

pub(crate) fn cooling(holder: &str, of: i8, first: u8, until: i8) -> Claim {
    let draining = held(holder, of, first).draining(day(of)).expect("it was held");
    draining.cooling(day(until)).expect("it was draining")
}

/// The engine in this process, over real HTTP.
pub(crate) fn pools(served: &Served, range: &str) -> Pools {
    // Other tests of this process do so too.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let access = Access {
        address: served.url(Server::Vault),
        namespace: None,
        ca: None,
        auth: Auth::Token(CANARY.to_owned().into()),
        timeout: TIMEOUT,
    };
    let client = vault::Vault::new(access, Clock::system(), "test").expect("a client");
    let store = VaultStore::new(client, "kv", "ephemeral-clusters");
    let (size, align) = (2.try_into().expect("not 0"), 2.try_into().expect("not 0"));
    let layout = Layout { range: range.parse().expect("a range"), exclude: BTreeSet::new(), size, align };
    Pools {
        claims: Claims::new(Arc::new(store)),
        layout,
        places: Default::default(),
        taken: BTreeSet::new(),
        pace: Pace::default(),
        clock: Clock::system(),
    }
}

pub(crate) fn name(text: &str) -> EnvironmentName {
    text.parse().expect("a name")
}

const ALLOCATE: &[&str] = &["pool", "allocate", "pr-shop-42"];
const RELEASE: &[&str] = &["pool", "release", "pr-shop-42"];
const LIST: &[&str] = &["pool", "list"];
const CAPACITY: &[&str] = &["pool", "check-capacity"];
const VERBS: [&[&str]; 4] = [ALLOCATE, RELEASE, LIST, CAPACITY];

#[test]
fn a_first_session_needs_no_configuration() {
    let user = User::newcomer();
    let calls = [LIST, CAPACITY, ALLOCATE, ALLOCATE, LIST, CAPACITY, RELEASE, RELEASE];
    insta::assert_snapshot!(session(&user, &calls), @r"
    $ berth pool list
    Current IP Allocations (0/10 used):
    No IPs currently allocated

    Available IPs (5 of 5 blocks free):
    192.168.1.140-141
    192.168.1.142-143
    192.168.1.144-145
    192.168.1.146-147
    192.168.1.148-149
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0

    $ berth pool check-capacity
    Capacity available: 5 slots free
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0

    $ berth pool allocate pr-shop-42
    192.168.1.140
    | allocated 192.168.1.140-141 to pr-shop-42
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0

    $ berth pool allocate pr-shop-42
    192.168.1.140
    | pr-shop-42 already has 192.168.1.140-141
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0

    $ berth pool list
    Current IP Allocations (2/10 used):
    192.168.1.140 -> pr-shop-42
    192.168.1.141 -> pr-shop-42

    Available IPs (4 of 5 blocks free):
    192.168.1.142-143
    192.168.1.144-145
    192.168.1.146-147
    192.168.1.148-149
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0

    $ berth pool check-capacity
    Capacity available: 4 slots free
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0

    $ berth pool release pr-shop-42
    192.168.1.140
    | released 192.168.1.140-141 from pr-shop-42
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0

    $ berth pool release pr-shop-42
    | warning: pr-shop-42 has no address in the pool; nothing was changed
    | note: this is your own pool in ~/.local/state/berth; for a shared one set VAULT_ADDR or --store
    exit 0
    ");
    assert_eq!(Value::Object(user.file_document()), json!({}));
}

#[test]
fn every_verb_speaks_json_on_one_line_and_yaml() {
    let user = User::new();
    let json = |call: &[&'static str]| [call, &["-q", "-o", "json"]].concat();
    let calls: Vec<_> =
        [ALLOCATE, ALLOCATE, LIST, CAPACITY, RELEASE, RELEASE].into_iter().map(json).collect();
    let calls: Vec<&[&str]> = calls.iter().map(Vec::as_slice).collect();
    insta::assert_snapshot!(session(&user, &calls), @r#"
    $ berth pool allocate pr-shop-42 -q -o json
    {"name":"pr-shop-42","vip":"192.168.1.140","addresses":["192.168.1.140","192.168.1.141"],"outcome":"new"}
    exit 0

    $ berth pool allocate pr-shop-42 -q -o json
    {"name":"pr-shop-42","vip":"192.168.1.140","addresses":["192.168.1.140","192.168.1.141"],"outcome":"already"}
    exit 0

    $ berth pool list -q -o json
    {"pool":"default","blocks":{"free":4,"taken":1,"total":5},"allocations":[{"address":"192.168.1.140","name":"pr-shop-42","claim":null},{"address":"192.168.1.141","name":"pr-shop-42","claim":null}],"available":[{"vip":"192.168.1.142","addresses":["192.168.1.142","192.168.1.143"]},{"vip":"192.168.1.144","addresses":["192.168.1.144","192.168.1.145"]},{"vip":"192.168.1.146","addresses":["192.168.1.146","192.168.1.147"]},{"vip":"192.168.1.148","addresses":["192.168.1.148","192.168.1.149"]}],"elsewhere":[]}
    exit 0

    $ berth pool check-capacity -q -o json
    {"pool":"default","blocks":{"free":4,"taken":1,"total":5}}
    exit 0

    $ berth pool release pr-shop-42 -q -o json
    {"name":"pr-shop-42","freed":["192.168.1.140","192.168.1.141"]}
    exit 0

    $ berth pool release pr-shop-42 -q -o json
    {"name":"pr-shop-42","freed":[]}
    exit 0
    "#);
    let user = user.with("BERTH_OUTPUT", "yaml");
    insta::assert_snapshot!(session(&user, &[ALLOCATE, CAPACITY]), @r#"
    $ berth pool allocate pr-shop-42
    name: pr-shop-42
    vip: "192.168.1.140"
    addresses:
    - "192.168.1.140"
    - "192.168.1.141"
    outcome: new
    | allocated 192.168.1.140-141 to pr-shop-42
    exit 0

    $ berth pool check-capacity
    pool: default
    blocks:
      free: 4
      taken: 1
      total: 5
    exit 0
    "#);
}

#[test]
fn half_of_a_block_that_was_lost_is_put_back() {
    let user = User::new();
    user.put_file(&json!({"192.168.1.142": "pr-shop-42", "192.168.1.140": "pr-web-7"}));
    insta::assert_snapshot!(session(&user, &[ALLOCATE]), @r"
    $ berth pool allocate pr-shop-42
    192.168.1.142
    | pr-shop-42 already has 192.168.1.142-143; part of it had been lost from the pool, and has been put back
    exit 0
    ");
    assert_eq!(user.file_document()["192.168.1.143"], "pr-shop-42");
}

#[test]
fn a_full_pool_says_who_has_it_and_what_helps() {
    let user = User::new();
    let calls: Vec<[&str; 5]> = ["pr-a-1", "pr-a-2", "pr-a-3"]
        .map(|n| ["pool", "allocate", n, "--range", "10.0.0.8-10.0.0.11"])
        .into();
    let calls: Vec<&[&str]> = calls.iter().map(<[_; 5]>::as_slice).collect();
    insta::assert_snapshot!(session(&user, &calls), @r"
    $ berth pool allocate pr-a-1 --range 10.0.0.8-10.0.0.11
    10.0.0.8
    | allocated 10.0.0.8-9 to pr-a-1
    exit 0

    $ berth pool allocate pr-a-2 --range 10.0.0.8-10.0.0.11
    10.0.0.10
    | allocated 10.0.0.10-11 to pr-a-2
    exit 0

    $ berth pool allocate pr-a-3 --range 10.0.0.8-10.0.0.11
    | error: the pool `default` is full: all 2 blocks are taken
    |   10.0.0.8-9    pr-a-1
    |   10.0.0.10-11  pr-a-2
    | hint: release a name that is no longer used (`berth pool release NAME`)
    |    or give the pool a larger range (`pools.default.range`)
    exit 3
    ");
    // A caller that takes stdout for an address gets none.
    assert_eq!(user.berth(&[calls[2], &["-o", "json"]].concat()).stdout, "");
    let full = ["pool", "check-capacity", "--range", "10.0.0.8-10.0.0.11"];
    let as_json = [full.as_slice(), &["-o", "json"]].concat();
    insta::assert_snapshot!(session(&user, &[&full, &as_json]), @r#"
    $ berth pool check-capacity --range 10.0.0.8-10.0.0.11
    At capacity: 0 of 2 slots free
    exit 3

    $ berth pool check-capacity --range 10.0.0.8-10.0.0.11 -o json
    {"pool":"default","blocks":{"free":0,"taken":2,"total":2}}
    exit 3
    "#);
}

#[test]
fn a_full_pool_of_claims_says_how_far_each_is() {
    let vault = Vault::with(json!({
        "192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42",
        "192.168.1.142": "pr-web-7", "192.168.1.143": "pr-web-7",
        "192.168.1.144": "pr-docs-3", "192.168.1.145": "pr-docs-3",
        "192.168.1.146": "pr-legacy-7",
    }));
    vault.claim(&held("acme/shop#42", 5, 140));
    let ends = "2120-01-06T12:00:00Z".parse().unwrap();
    vault.claim(&held("acme/web#7", 3, 142).draining(day(5)).unwrap().cooling(ends).unwrap());
    vault.claim(&held("acme/docs#3", 5, 144).draining(day(5)).unwrap());
    // The old tool has erased its entries: what it claims is taken all the same.
    vault.claim(&held("acme/api#9", 4, 148));
    let user = User::of(&vault);
    insta::assert_snapshot!(session(&user, &[&["pool", "allocate", "pr-new-1"], CAPACITY]), @r"
    $ berth pool allocate pr-new-1
    | error: the pool `default` is full: all 5 blocks are taken
    |   192.168.1.140-141  pr-shop-42 (acme/shop#42, held, claimed 5 Jan 2020 12:00 UTC)
    |   192.168.1.142-143  pr-web-7 (acme/web#7, cooling until 6 Jan 2120 12:00 UTC)
    |   192.168.1.144-145  pr-docs-3 (acme/docs#3, draining, claimed 5 Jan 2020 12:00 UTC)
    |   192.168.1.146-147  pr-legacy-7
    |   192.168.1.148-149  pr-api-9 (acme/api#9, held, claimed 4 Jan 2020 12:00 UTC; lost from the document, taken all the same)
    | hint: wait for pr-web-7 until 6 Jan 2120 12:00 UTC
    |    or release a name that is no longer used (`berth pool release NAME`)
    |    or give the pool a larger range (`pools.default.range`)
    exit 3

    $ berth pool check-capacity
    At capacity: 0 of 5 slots free
    exit 3
    ");
}

#[test]
fn a_large_pool_that_is_full_shows_no_more_than_fits() {
    let user = User::new();
    let taken = |i: u8| (format!("10.0.0.{i}"), json!(format!("pr-a-{i}")));
    user.put_file(&Value::Object((0..30).map(taken).collect()));
    let said = user.berth(&["pool", "allocate", "x", "--range", "10.0.0.0-10.0.0.29", "--block", "1"]);
    assert_eq!(said.code, 3);
    assert_eq!(said.stderr.lines().count(), 1 + 20 + 1 + 2, "{}", said.stderr);
    assert!(said.stderr.contains("\n  and 10 more: `berth pool list` shows all\n"), "{}", said.stderr);
}

#[test]
fn the_list_shows_whatever_is_there_as_it_is() {
    let vault = Vault::with(json!({
        "192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42",
        "192.168.1.142": "pr-legacy-7",
        "192.168.1.144": {"a": 1}, "192.168.1.145": "two\nlines \u{1b}[31m",
        "192.168.1.146": "pr-thief-1",
        "192.168.1.150": "printer", "10.9.9.9": 7,
        "_empty": "true", "data": {"192.168.1.149": "pr-ghost-1"}, "note": "kept",
    }));
    vault.claim(&held("acme/shop#42", 5, 140).closed(day(7)).unwrap());
    vault.claim(&held("acme/api#9", 4, 146));
    vault.claim(&waiting("acme/web#1", 4));
    let user = User::of(&vault);
    insta::assert_snapshot!(user.berth(LIST).seen(), @r#"
    $ berth pool list
    Current IP Allocations (7/10 used):
    192.168.1.140 -> pr-shop-42 (acme/shop#42, held, claimed 5 Jan 2020 12:00 UTC, closed 7 Jan 2020 12:00 UTC)
    192.168.1.141 -> pr-shop-42 (acme/shop#42, held, claimed 5 Jan 2020 12:00 UTC, closed 7 Jan 2020 12:00 UTC)
    192.168.1.142 -> pr-legacy-7
    192.168.1.144 -> {"a":1} (no name, taken all the same)
    192.168.1.145 -> "two\nlines \u001b[31m"
    192.168.1.146 -> pr-thief-1 (claimed by pr-api-9; acme/api#9, held, claimed 4 Jan 2020 12:00 UTC)
    192.168.1.147 -> pr-api-9 (acme/api#9, held, claimed 4 Jan 2020 12:00 UTC; lost from the document, taken all the same)

    Available IPs (1 of 5 blocks free):
    192.168.1.148-149

    Outside of this pool:
    10.9.9.9 -> 7 (no name, taken all the same)
    192.168.1.150 -> printer
    exit 0
    "#);
    let listed = user.berth(&["pool", "list", "-o", "json"]).json();
    insta::assert_snapshot!(format!("{:#}", listed["allocations"][0]), @r#"
    {
      "address": "192.168.1.140",
      "claim": {
        "holder": "acme/shop#42",
        "name": "pr-shop-42",
        "since": "2020-01-05T12:00:00Z",
        "state": "held"
      },
      "name": "pr-shop-42"
    }
    "#);
    insta::assert_snapshot!(json!([listed["blocks"], listed["available"], listed["elsewhere"]]), @r#"[{"free":1,"taken":4,"total":5},[{"addresses":["192.168.1.148","192.168.1.149"],"vip":"192.168.1.148"}],[{"address":"10.9.9.9","claim":null,"name":7},{"address":"192.168.1.150","claim":null,"name":"printer"}]]"#);
    assert_eq!(listed["allocations"][3]["name"], json!({"a": 1}), "as the document has it");
}

#[test]
fn a_claim_that_cannot_be_read_is_shown_and_nothing_is_given_away() {
    let vault = Vault::with(json!({"192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42"}));
    let damaged = Map::from_iter([("schema".to_owned(), json!(1))]);
    vault.served.lock().vault.put("ephemeral-clusters/pr-shop-42/claim", damaged);
    let user = User::of(&vault);
    insta::assert_snapshot!(session(&user, &[LIST, CAPACITY]), @r"
    $ berth pool list
    Current IP Allocations (2/10 used):
    192.168.1.140 -> pr-shop-42 (its claim cannot be read)
    192.168.1.141 -> pr-shop-42 (its claim cannot be read)

    Available IPs (at most 4 of 5 blocks free):
    192.168.1.142-143
    192.168.1.144-145
    192.168.1.146-147
    192.168.1.148-149
    | error: kv/ephemeral-clusters/pr-shop-42/claim on http://vault is no claim that berth can read
    |   because: missing field `uid`
    | hint: look at it and at its environment, and remove it once nothing of that is left; never bring back an earlier version: a run that was superseded since would go on
    exit 4

    $ berth pool check-capacity
    | error: kv/ephemeral-clusters/pr-shop-42/claim on http://vault is no claim that berth can read
    |   because: missing field `uid`
    | hint: look at it and at its environment, and remove it once nothing of that is left; never bring back an earlier version: a run that was superseded since would go on
    exit 4
    ");
    for verb in [ALLOCATE, RELEASE, &["pool", "allocate", "pr-web-7"]] {
        let said = user.berth(verb);
        assert_eq!((said.stdout.as_str(), said.code), ("", 4), "{}", said.seen());
    }
    assert_eq!(vault.version(), 1, "nothing was written");
}

#[test]
fn a_release_never_takes_from_a_claim() {
    let before = json!({"192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42"});
    let vault = Vault::with(before.clone());
    let user = User::of(&vault);
    vault.claim(&held("acme/shop#42", 5, 140));
    insta::assert_snapshot!(user.berth(RELEASE).seen(), @r"
    $ berth pool release pr-shop-42
    | error: pr-shop-42 is claimed, so its addresses are not released: acme/shop#42, held, claimed 5 Jan 2020 12:00 UTC
    | hint: the removal of its environment frees them, once they have cooled
    exit 2
    ");
    vault.claim(&cooling("acme/shop#42", 5, 140, 6));
    insta::assert_snapshot!(user.berth(RELEASE).seen(), @r"
    $ berth pool release pr-shop-42
    | error: pr-shop-42 is claimed, so its addresses are not released: acme/shop#42, cooling until 6 Jan 2020 12:00 UTC
    | hint: the removal of its environment frees them, once they have cooled
    exit 2
    ");
    assert_eq!(vault.document(), before);
}

#[test]
fn the_help_reads_well() {
    let user = User::new();
    let help = user.berth(&["--help"]);
    insta::assert_snapshot!(help.seen(), @r#"
    $ berth --help
    Gives every pull request its own Kubernetes environment and takes it away again

    Usage: berth [OPTIONS] <COMMAND>

    Commands:
      up          Bring an environment up, at the commit that its pull request has now
      down        Take an environment down: its grace begins, or it goes at once
      extend      Let an environment live longer
      sweep       Look at everything: what is past its time goes, and what nobody claims any more
      action      Do what a job's event leads to: the entry of the GitHub Action
      list        Show all environments, and how full the pools are
      show        Show one environment
      history     Show what has been of an environment: its lives, and the results of its tests
      kubeconfig  Print the kubeconfig of an environment
      plan        Show what an event leads to, offline
      rehearse    Run the whole pipeline on an embedded world, offline
      pool        Hand out addresses and take them back
      schema      Print the JSON schema of the configuration, for editors
      help        Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Everywhere:
          --config <FILE>    The app file [default: berth.yaml, then .github/berth.yaml]
          --platform <FILE>  The platform file: store, pools, limits [default: none]
          --store <STORE>    vault, kubernetes or file:DIR [default: vault with VAULT_ADDR, else file]
      -o, --output <FORMAT>  text, json or yaml on stdout [default: text]
      -q, --quiet            Say nothing on stderr but errors
      -v, --verbose          Say on stderr what is read and written, and where

    Every setting is also a variable: BERTH_ and its path, such as BERTH_POOLS_LAB_RANGE.

    Exit: 0 done; 1 the environment or its tests failed; 2 wrong call or configuration; 3 pool full;
          4 unknown: something could not be read or reached; 5 a newer event has taken over
    exit 0
    "#);
    insta::assert_snapshot!(user.berth(&["pool", "--help"]).seen(), @r"
    $ berth pool --help
    Hand out addresses and take them back

    Usage: berth pool [OPTIONS] <COMMAND>

    Commands:
      allocate        Give a name its addresses, the same each time, and print the first: the VIP
      release         Take all of a name's addresses back, of whichever pool, and print the first
      list            Show who has which address, and what is free
      check-capacity  Say how many blocks are free; exit 3 if none is
      help            Print this message or the help of the given subcommand(s)

    Options:
      -h, --help  Print help

    The pool:
          --pool <NAME>          Which pool, where several are configured
          --range <RANGE>        Its addresses, such as 192.168.1.140-149 or 10.0.0.0/28
          --exclude <ADDRESSES>  Addresses in it that are somebody else's; repeat it, or use commas
          --block <N>            How many consecutive addresses one name gets
          --align <N>            A block begins at a multiple of this

    Everywhere:
          --config <FILE>    The app file [default: berth.yaml, then .github/berth.yaml]
          --platform <FILE>  The platform file: store, pools, limits [default: none]
          --store <STORE>    vault, kubernetes or file:DIR [default: vault with VAULT_ADDR, else file]
      -o, --output <FORMAT>  text, json or yaml on stdout [default: text]
      -q, --quiet            Say nothing on stderr but errors
      -v, --verbose          Say on stderr what is read and written, and where

    Examples:
      VIP=$(berth pool allocate pr-shop-42)    one line on stdout, always; nothing if it failed
      berth pool release pr-shop-42
      berth pool check-capacity && echo room
      berth pool list -o json | jq .blocks.free

    Exit: 0 done; 2 wrong call or configuration; 3 pool full; 4 unknown: a read or write failed
    exit 0
    ");
    for call in [&["--help"][..], &["pool", "--help"], &["pool", "allocate", "--help"], &["schema", "--help"]]
    {
        let said = user.berth(call);
        assert_eq!((said.stderr.as_str(), said.code), ("", 0));
        let wide: Vec<&str> = said.stdout.lines().filter(|line| line.chars().count() > 100).collect();
        assert!(wide.is_empty(), "wider than a terminal: {wide:#?}");
    }
    let bare = user.berth(&[]);
    assert_eq!((bare.stdout.as_str(), bare.code), ("", 2));
    assert_eq!(bare.stderr, help.stdout);
    assert_eq!(user.berth(&["--version"]).stdout, format!("berth {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_wrong_call_is_told_on_stderr_before_anything_is_touched() {
    let user = User::new();
    let long = "x".repeat(300);
    let calls: [&[&str]; 9] = [
        &["pool", "allocate"],
        &["pool", "allocate", ""],
        &["pool", "allocate", "Shop_42"],
        &["pool", "allocat", "pr-shop-42"],
        &["pool", "list", "--range", "192.168.1.300"],
        &["pool", "list", "--block", "0"],
        &["pool", "list", "--exclude", "192.168.1.144,x"],
        &["pool", "list", "--store", "etcd"],
        &["pool", "list", "-q", "-v"],
    ];
    insta::assert_snapshot!(session(&user, &calls), @r#"
    $ berth pool allocate
    | error: the following required arguments were not provided:
    |   <NAME>
    |
    | Usage: berth pool allocate <NAME>
    |
    | For more information, try '--help'.
    exit 2

    $ berth pool allocate
    | error: NAME: "" is no environment name: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit
    | hint: `--help` tells more
    exit 2

    $ berth pool allocate Shop_42
    | error: NAME: "Shop_42" is no environment name: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit
    | hint: `--help` tells more
    exit 2

    $ berth pool allocat pr-shop-42
    | error: unrecognized subcommand 'allocat'
    |
    |   tip: a similar subcommand exists: 'allocate'
    |
    | Usage: berth pool [OPTIONS] <COMMAND>
    |
    | For more information, try '--help'.
    exit 2

    $ berth pool list --range 192.168.1.300
    | error: --range: "192.168.1.300" is no IPv4 range: 192.168.1.140-192.168.1.149, 192.168.1.140-149, 192.168.1.0/28 or one address, of at most 65536
    | hint: `--help` tells more
    exit 2

    $ berth pool list --block 0
    | error: --block: give a whole number from 1 to 255
    | hint: `--help` tells more
    exit 2

    $ berth pool list --exclude 192.168.1.144,x
    | error: --exclude: "x" is no IPv4 range: 192.168.1.140-192.168.1.149, 192.168.1.140-149, 192.168.1.0/28 or one address, of at most 65536
    | hint: `--help` tells more
    exit 2

    $ berth pool list --store etcd
    | error: --store: "etcd" is no store: vault, kubernetes or file:DIR
    | hint: `--help` tells more
    exit 2

    $ berth pool list -q -v
    | error: the argument '--quiet' cannot be used with '--verbose'
    |
    | Usage: berth pool list --quiet
    |
    | For more information, try '--help'.
    exit 2
    "#);
    let said = user.berth(&["pool", "release", &long]);
    assert!(said.code == 2 && said.stderr.len() < 300, "{}", said.seen());
    let said = user.with("BERTH_OUTPUT", "xml").berth(LIST);
    insta::assert_snapshot!(said.seen(), @r#"
    $ berth pool list
    | error: BERTH_OUTPUT: "xml" is none of text, json and yaml
    exit 2
    "#);
    assert!(!said.stderr.is_empty());
}

#[test]
fn the_schema_needs_no_configuration_and_is_json() {
    let user = User::new().with("VAULT_TOKEN", CANARY).with("VAULT_ADDR", "nonsense");
    let said = user.berth(&["schema"]);
    assert_eq!((said.code, said.stderr.as_str()), (0, ""));
    assert_eq!(said.json()["title"], "berth configuration");
    assert!(user.berth(&["schema", "-o", "yaml"]).stdout.contains("title: berth configuration\n"));
}

#[test]
fn flags_and_files_say_which_pool_and_where() {
    let user = User::new();
    let said = user.berth(&[
        "pool",
        "allocate",
        "a",
        "--store",
        "file:here",
        "--range",
        "10.0.0.0/28",
        "--block",
        "3",
        "--align",
        "4",
        "--exclude",
        "10.0.0.4,10.0.0.9-10.0.0.10",
        "--exclude",
        "10.0.0.1",
    ]);
    assert_eq!(said.stdout, "10.0.0.12\n", "{}", said.seen());
    assert!(user.home().join("here/ip-allocations.json").exists());
    let file = "pools: {lab: {range: 10.1.0.0/28}, attic: {range: 10.2.0.0/28}}\n";
    fs::write(user.home().join("berth.yaml"), file).unwrap();
    insta::assert_snapshot!(session(&user, &[ALLOCATE, &["pool", "allocate", "b", "--pool", "attic"]]), @r"
    $ berth pool allocate pr-shop-42
    | error: there are several pools, and none is named
    | hint: name one by --pool: `attic`, `lab`
    exit 2

    $ berth pool allocate b --pool attic
    10.2.0.2
    | allocated 10.2.0.2-3 to b
    exit 0
    ");
    // In a job the working directory is a checkout of the code under review.
    let user = user.with("GITHUB_ACTIONS", "true");
    insta::assert_snapshot!(session(&user, &[&["pool", "list", "--store", "file:here"]]), @r"
    $ berth pool list --store file:here
    | error: berth.yaml:1:1: `pools` belongs into the platform file, not into an app file
    | hint: name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input
    | ::error::berth.yaml:1:1: `pools` belongs into the platform file, not into an app file%0Ahint: name the platform file by --platform, BERTH_PLATFORM or the action's `platform` input
    exit 2
    ");
    fs::rename(user.home().join("berth.yaml"), user.home().join("platform.yaml")).unwrap();
    let named = ["pool", "list", "--store", "file:here", "--platform", "platform.yaml", "--pool", "lab"];
    assert_eq!(user.berth(&named).code, 0);
}

#[test]
fn it_is_called_like_the_old_tool() {
    let vault = Vault::start();
    let user = User::of(&vault);
    insta::assert_snapshot!(session(&user, &[ALLOCATE, RELEASE]), @r"
    $ berth pool allocate pr-shop-42
    192.168.1.140
    | allocated 192.168.1.140-141 to pr-shop-42
    exit 0

    $ berth pool release pr-shop-42
    192.168.1.140
    | released 192.168.1.140-141 from pr-shop-42
    exit 0
    ");
    assert_eq!(vault.document(), json!({}));
    let user = user.without("VAULT_TOKEN");
    insta::assert_snapshot!(session(&user, &[ALLOCATE]), @r"
    $ berth pool allocate pr-shop-42
    | error: the vault store has no token: VAULT_TOKEN is not set
    | hint: set it, or another way to log in as `store.vault.auth` in the platform file
    exit 2
    ");
    let user = user.without("VAULT_ADDR").with("GITHUB_ACTIONS", "true");
    insta::assert_snapshot!(session(&user, &[ALLOCATE]), @r"
    $ berth pool allocate pr-shop-42
    | error: no store is configured, and a directory would be lost with this job's runner (VAULT_ADDR is not set)
    | hint: set VAULT_ADDR, or `store` in the platform file (--platform, BERTH_PLATFORM or the action's `platform` input)
    | ::error::no store is configured, and a directory would be lost with this job's runner (VAULT_ADDR is not set)%0Ahint: set VAULT_ADDR, or `store` in the platform file (--platform, BERTH_PLATFORM or the action's `platform` input)
    exit 2
    ");
}

#[test]
fn an_annotation_is_one_line_on_stderr() {
    let user = User::new().with("GITHUB_ACTIONS", "true");
    let full = ["--store", "file:here", "--range", "10.0.0.0-10.0.0.1"];
    let allocate = |name| user.berth(&[&["pool", "allocate", name], full.as_slice()].concat());
    allocate("pr-a-1");
    let said = allocate("pr-a-2");
    let annotations: Vec<&str> = said.stderr.lines().filter(|line| line.starts_with("::")).collect();
    insta::assert_snapshot!(annotations.join("\n"), @"::error::the pool `default` is full: its one block is taken%0A  10.0.0.0-1  pr-a-1%0Ahint: release a name that is no longer used (`berth pool release NAME`)%0A   or give the pool a larger range (`pools.default.range`)");
    assert!(said.stderr.starts_with("error: the pool"), "people read it too: {}", said.stderr);
    assert_eq!(said.stdout, "");
    assert!(
        user.berth(&["pool", "allocat"]).stderr.contains("\n::error::unrecognized subcommand 'allocat'%0A")
    );
}

#[test]
fn an_outage_changes_nothing_and_says_what_to_do() {
    let before = json!({"192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42"});
    let vault = Vault::with(before.clone());
    let sealed = json!({"errors": ["Vault is sealed"]});
    vault.served.gate.rule(move |_| Verdict::json(503, &sealed));
    let user = User::of(&vault);
    for verb in VERBS {
        let said = user.berth(verb);
        assert_eq!((said.stdout.as_str(), said.code), ("", 4), "{}", said.seen());
    }
    insta::assert_snapshot!(user.berth(ALLOCATE).seen(), @r"
    $ berth pool allocate pr-shop-42
    | error: could not read kv/ephemeral-clusters/ip-allocations on http://vault
    |   because: Vault answered 503: Vault is sealed
    | hint: nothing was changed on that ground; `vault status` tells more, then try again
    exit 4
    ");
    assert_eq!((vault.document(), vault.version()), (before, 1));
    drop(vault);
    let said = user.berth(LIST);
    assert_eq!((said.stdout.as_str(), said.code), ("", 4), "nobody listens there: {}", said.seen());
}

#[test]
fn an_outage_that_begins_at_any_request_changes_nothing_or_is_made_good() {
    let before = json!({"192.168.1.140": "pr-shop-42", "192.168.1.141": "pr-shop-42"});
    for after in 0..4 {
        for verb in [&["pool", "allocate", "pr-web-7"][..], RELEASE, LIST, CAPACITY] {
            let vault = Vault::with(before.clone());
            let user = User::of(&vault);
            let mut seen = 0;
            vault.served.gate.rule(move |_| {
                seen += 1;
                if seen > after { Verdict::Cut } else { Verdict::Pass }
            });
            let said = user.berth(verb);
            let written = vault.version() > 1;
            match said.code {
                0 => assert!(written == (verb.len() == 3), "{}", said.seen()),
                4 => assert!(!written && said.stdout.is_empty(), "after {after}: {}", said.seen()),
                _ => panic!("{}", said.seen()),
            }
            vault.served.gate.open();
            assert_eq!(user.berth(verb).code, 0, "the next try makes it good");
        }
    }
}

#[test]
fn a_write_that_landed_unseen_is_told_as_such_and_the_next_call_finds_it() {
    let vault = Vault::start();
    let user = User::of(&vault);
    let mut lost = false;
    vault.served.gate.rule(move |request| match (request.mutates(), lost) {
        // It lands, and neither its answer nor the reading back comes through.
        (true, false) => {
            lost = true;
            Verdict::CutAfter
        }
        (_, true) => Verdict::Cut,
        _ => Verdict::Pass,
    });
    let said = user.berth(ALLOCATE);
    assert_eq!((said.code, said.stdout.as_str(), vault.version()), (4, "", 1));
    assert!(said.stderr.contains("it may have landed all the same"), "{}", said.stderr);
    vault.served.gate.open();
    let found = user.berth(ALLOCATE);
    assert_eq!((found.stdout.as_str(), vault.version()), ("192.168.1.140\n", 1));
    assert_eq!(found.stderr, "pr-shop-42 already has 192.168.1.140-141\n");
}

#[test]
fn killed_outright_at_any_request_it_leaves_nothing_that_the_next_call_does_not_mend() {
    for how in [Verdict::Hang, Verdict::HangAfter] {
        for k in 1..=3 {
            let vault = Vault::with(json!({"192.168.1.140": "pr-web-7", "192.168.1.141": "pr-web-7"}));
            let user = User::of(&vault);
            let (reached, at) = mpsc::channel();
            let (how, mut count) = (how.clone(), 0);
            vault.served.gate.rule(move |_| {
                count += 1;
                if count < k {
                    return Verdict::Pass;
                }
                // Nobody listens any more once the process is dead.
                let _ = reached.send(());
                how.clone()
            });
            let mut process =
                user.command(ALLOCATE).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            at.recv().expect("an allocation has that many requests");
            process.kill().unwrap();
            assert!(!process.wait().unwrap().success());
            vault.served.gate.open();
            assert_eq!(user.berth(ALLOCATE).stdout, "192.168.1.142\n");
            let document = json!({
                "192.168.1.140": "pr-web-7", "192.168.1.141": "pr-web-7",
                "192.168.1.142": "pr-shop-42", "192.168.1.143": "pr-shop-42",
            });
            assert_eq!((vault.document(), vault.version()), (document, 2), "request {k}");
        }
    }
}

#[test]
fn no_secret_is_in_any_output() {
    // `User::berth` looks for it in both streams of every call; here are the ways in which it could get there.
    let vault = Vault::start();
    let user = User::of(&vault);
    for verb in VERBS {
        user.berth(&[verb, &["-v"]].concat());
    }
    let read_only = Rule::new("kv/data/*", &[Capability::Read]);
    let grant = Grant { policy: Some(vec![read_only]), ..Grant::default() };
    vault.served.lock().vault.add_token(CANARY, grant);
    let refused = user.berth(&[ALLOCATE, &["-v"]].concat());
    assert_eq!(refused.code, 4);
    for wrong in ["hvs.CANARY unknown", "CANARY\u{7f}", "CANARY\ntwo"] {
        let user = User::of(&vault).with("VAULT_TOKEN", wrong);
        assert_ne!(user.berth(&[ALLOCATE, &["-v"]].concat()).code, 0);
    }
    let page = format!("<html>{CANARY}</html>");
    vault.served.gate.rule(move |_| Verdict::html(502, &page));
    assert_eq!(user.berth(&[ALLOCATE, &["-v"]].concat()).code, 4);
    let elsewhere = "https://somebody:CANARY@vault.example.com";
    assert_eq!(User::of(&vault).with("VAULT_ADDR", elsewhere).berth(ALLOCATE).code, 2);
}

#[test]
fn the_platform_file_says_how_to_log_in() {
    let vault = Vault::start();
    let user = User::of(&vault).without("VAULT_TOKEN");
    {
        let mut world = vault.served.lock();
        world.vault.add_login("approle", Login::approle("berth", CANARY), Grant::default());
        world.vault.add_login("jwt", Login::jwt("ci", CANARY), Grant::default());
        world.vault.add_login("kubernetes", Login::kubernetes("pod", CANARY), Grant::default());
    }
    fs::write(user.home().join("secret"), format!("{CANARY}\n")).unwrap();
    let ways = [
        "approle: {role-id: berth, secret-id-file: secret}",
        "jwt: {role: ci, token-file: secret}",
        "kubernetes: {role: pod, token-file: secret}",
    ];
    for way in ways {
        fs::write(user.home().join("p.yaml"), format!("store: {{vault: {{auth: {{{way}}}}}}}\n")).unwrap();
        let said = user.berth(&[ALLOCATE, &["--platform", "p.yaml", "-v"]].concat());
        assert_eq!((said.stdout.as_str(), said.code), ("192.168.1.140\n", 0), "{way}: {}", said.seen());
    }
    fs::remove_file(user.home().join("secret")).unwrap();
    for way in ways {
        fs::write(user.home().join("p.yaml"), format!("store: {{vault: {{auth: {{{way}}}}}}}\n")).unwrap();
        let said = user.berth(&[ALLOCATE, &["--platform", "p.yaml"]].concat());
        assert!(said.code != 0 && said.stderr.contains("secret"), "{way}: {}", said.seen());
    }
}

#[test]
fn a_cluster_keeps_the_pool_too() {
    let vault = Vault::start();
    vault.served.lock().kubernetes.add_namespace("berth");
    let cluster = vault.served.url(Server::Kubernetes);
    let user = User::new().with("KUBECONFIG", "here.yaml");
    let kubeconfig = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": cluster}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "users": [{"name": "me", "user": {"token": CANARY}}],
    });
    fs::write(user.home().join("here.yaml"), kubeconfig.to_string()).unwrap();
    let store = ["--store", "kubernetes"];
    let calls = [ALLOCATE, ALLOCATE, CAPACITY, RELEASE].map(|call| [call, &store].concat());
    let calls: Vec<&[&str]> = calls.iter().map(Vec::as_slice).collect();
    insta::assert_snapshot!(session(&user, &calls), @r"
    $ berth pool allocate pr-shop-42 --store kubernetes
    192.168.1.140
    | allocated 192.168.1.140-141 to pr-shop-42
    exit 0

    $ berth pool allocate pr-shop-42 --store kubernetes
    192.168.1.140
    | pr-shop-42 already has 192.168.1.140-141
    exit 0

    $ berth pool check-capacity --store kubernetes
    Capacity available: 4 slots free
    exit 0

    $ berth pool release pr-shop-42 --store kubernetes
    192.168.1.140
    | released 192.168.1.140-141 from pr-shop-42
    exit 0
    ");
    let nowhere = user.without("KUBECONFIG");
    let said = nowhere.berth(&[LIST, &store].concat());
    assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{}", said.seen());
}

#[test]
fn quiet_leaves_errors_and_verbose_tells_every_step() {
    let vault = Vault::start();
    let user = User::of(&vault);
    assert_eq!(user.berth(&[ALLOCATE, &["-q"]].concat()).stderr, "");
    assert_ne!(
        user.berth(&["-q", "pool", "allocate", "pr-web-7", "--range", "192.168.1.140-141"]).stderr,
        ""
    );
    let said = user.berth(&["-v", "pool", "release", "pr-shop-42"]);
    let (run, steps) = said.stderr.split_once('\n').expect("its id comes first");
    assert!(run.starts_with("run ") && run.len() == "run ".len() + 24, "{run}");
    insta::assert_snapshot!(steps, @r"
    pool default: 192.168.1.140-192.168.1.149, 5 blocks of 2
    store: kv/ephemeral-clusters/ip-allocations on http://vault
    read kv/ephemeral-clusters/ip-allocations on http://vault: version 1, 2 entries
    read kv/ephemeral-clusters/pr-shop-42/claim on http://vault: not there
    write kv/ephemeral-clusters/ip-allocations on http://vault over version 1: now 2
    released 192.168.1.140-141 from pr-shop-42
    ");
    // The servers' logs know the same id.
    let log = vault.served.gate.log();
    assert!(log.iter().any(|line| line.starts_with(&run["run ".len()..])), "{run} is not in {log:#?}");
}

#[test]
fn whoever_closes_a_pipe_has_read_enough() {
    let user = User::new();
    for verb in [ALLOCATE, LIST, &["schema"], &["--help"], &["pool", "allocat"]] {
        let mut command = user.command(verb);
        // Closed before the child begins.
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let said = user
            .said(command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().unwrap());
        assert_eq!(said.code, if verb.contains(&"allocat") { 2 } else { 0 }, "{verb:?}: {}", said.seen());
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output =
            user.command(verb).stdout(Stdio::piped()).stderr(writer).spawn().unwrap().wait_with_output();
        assert_eq!(user.said(output.unwrap()).code, said.code, "{verb:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_answer_that_could_not_be_written_is_an_error() {
    let user = User::new();
    let full = fs::File::options().write(true).open("/dev/full").unwrap();
    let output =
        user.command(ALLOCATE).stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output();
    insta::assert_snapshot!(user.said(output.unwrap()).seen(), @r"
    $ berth
    | allocated 192.168.1.140-141 to pr-shop-42
    | error: could not write to stdout
    |   because: No space left on device (os error 28)
    | hint: what was to be done is done, only its answer is lost; the same command gives it again
    exit 4
    ");
}

/// Calls them all at once: every process is started before the first is waited for.
fn at_once(user: &User, calls: &[Vec<String>]) -> Vec<Said> {
    let start = |call: &Vec<String>| {
        let call: Vec<&str> = call.iter().map(String::as_str).collect();
        user.command(&call).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary starts")
    };
    let started: Vec<_> = calls.iter().map(start).collect();
    started.into_iter().map(|process| user.said(process.wait_with_output().expect("it ends"))).collect()
}

fn allocations(count: usize) -> Vec<Vec<String>> {
    let call = |i| {
        ["pool", "allocate", &format!("pr-shop-{i}"), "--range", "10.0.0.0-10.0.1.143", "-o", "json"]
            .map(str::to_owned)
            .to_vec()
    };
    (0..count).map(call).collect()
}

/// What a set of answers says the document must be.
fn sum<'a>(given: impl IntoIterator<Item = &'a Value>) -> BTreeMap<String, Value> {
    let entries = given.into_iter().flat_map(|given| {
        let addresses = given["addresses"].as_array().expect("addresses").iter();
        addresses.map(|address| (address.as_str().expect("text").to_owned(), given["name"].clone()))
    });
    let mut all = BTreeMap::new();
    for (address, name) in entries {
        let before = all.insert(address.clone(), name);
        assert_eq!(before, None, "{address} was given twice");
    }
    all
}

#[test]
fn two_hundred_processes_at_once_get_two_hundred_blocks() {
    let user = User::new();
    let said = at_once(&user, &allocations(200));
    for said in &said {
        assert_eq!(said.code, 0, "{}", said.seen());
    }
    let given: Vec<Value> = said.iter().map(Said::json).collect();
    let document: BTreeMap<String, Value> = user.file_document().into_iter().collect();
    assert_eq!(sum(&given), document);
    assert_eq!(document.len(), 400);
}

#[test]
fn of_two_hundred_and_ten_processes_exactly_ten_find_the_pool_full() {
    let user = User::new();
    let said = at_once(&user, &allocations(210));
    let (given, full): (Vec<&Said>, Vec<&Said>) = said.iter().partition(|said| said.code == 0);
    assert_eq!((given.len(), full.len()), (200, 10));
    for said in full {
        assert_eq!((said.code, said.stdout.as_str()), (3, ""), "{}", said.seen());
    }
    let given: Vec<Value> = given.into_iter().map(Said::json).collect();
    assert_eq!(sum(&given), user.file_document().into_iter().collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_tasks_at_once_get_two_hundred_blocks_from_vault() {
    let mut world = World::default();
    world.vault.add_token(CANARY, Grant::default());
    let served = Served::start(world).await.unwrap();
    let pools = pools(&served, "10.0.0.0-10.0.1.143");
    let allocate = async |i: usize| {
        let name = name(&format!("pr-shop-{i}"));
        (pools.allocate(&name).await, name)
    };
    let mut given = Vec::new();
    let mut full = 0;
    for done in join_all((0..210).map(allocate)).await {
        match done {
            (Ok(Given::Pool(Allocation::New(block))), name) => {
                given.push(json!({"addresses": block, "name": name}))
            }
            (Ok(Given::Pool(Allocation::Full)), _) => full += 1,
            (other, name) => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!((given.len(), full), (200, 10));
    assert_eq!(json!(sum(&given)), document(&served));
}

#[test]
fn a_process_that_is_killed_leaves_a_document_that_the_next_can_read() {
    let user = User::new();
    for i in 0..24 {
        let name = format!("pr-shop-{i}");
        let mut command = user.command(&["pool", "allocate", &name, "--range", "10.0.0.0/24", "-v"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        // After so many of its steps, or a little later.
        let steps = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(steps.take(i % 8).all(|step| step.is_ok()));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let said = user.berth(&["pool", "allocate", "pr-last-1", "--range", "10.0.0.0/24"]);
    assert_eq!(said.code, 0, "{}", said.seen());
    let mut blocks: BTreeMap<String, usize> = BTreeMap::new();
    user.file_document().into_values().for_each(|name| *blocks.entry(name.to_string()).or_default() += 1);
    assert!(blocks.values().all(|addresses| *addresses == 2), "no half of a block: {blocks:?}");
    assert!(blocks.len() > 6, "those that said so had written: {blocks:?}");
}

#[test]
fn a_file_that_is_damaged_is_not_an_empty_pool() {
    let user = User::new();
    user.put_file(&json!({}));
    fs::File::create(user.file()).unwrap().write_all(b"{\"version\": \"1\", \"docu").unwrap();
    for verb in VERBS {
        let said = user.berth(verb);
        assert_eq!((said.stdout.as_str(), said.code), ("", 4), "{}", said.seen());
    }
    insta::assert_snapshot!(user.berth(ALLOCATE).seen(), @r"
    $ berth pool allocate pr-shop-42
    | error: could not read ~/.local/state/berth/ip-allocations.json
    |   because: EOF while parsing a string at line 1 column 22
    | hint: look at the file and at its owner and mode; the same command finds out what is there
    exit 4
    ");
}
