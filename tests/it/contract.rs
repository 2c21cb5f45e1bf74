//! The contract of `berth::documents`, fact by fact, on every store that there is.
//!
//! A fact is a function over what is [`UnderTest`]; the table at the end makes a test of each fact for each kind of place. Every
//! fact begins in an empty place, and knows nothing of the medium.

#![allow(clippy::unwrap_used, reason = "a test ends there, and the line is told")]

use crate::bed::{document, name};
use anyhow::{Result, anyhow};
use async_trait::async_trait;
use berth::{
    documents::{
        Document, Entry, Key, NotWritten, Read, Store, Version, claims::Claims, remove_surely, write_surely,
    },
    domain::names::EnvironmentName,
};
use futures::{StreamExt, future::join_all, stream};
use serde_json::json;
use std::{
    collections::{BTreeSet, HashSet},
    sync::Arc,
};

/// More than two pages of a Kubernetes listing, and more than Vault is asked for side by side.
const MANY: usize = 1_101;

/// What became of a change whose answer was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    Landed,
    NotLanded,
}

/// An empty place for documents, of some kind.
#[async_trait]
pub(crate) trait UnderTest: Send + Sync {
    /// The store as this run's process has it. All runs see the same documents.
    fn store(&self, run: &str) -> Arc<dyn Store>;
    /// A store over the medium's own way to lose every change's answer, if it has one.
    fn cut(&self, lost: Lost) -> Option<Arc<dyn Store>>;
    /// Makes what stands under a claim's name unreadable.
    async fn damage(&self, name: &EnvironmentName);
}

/// Every way to lose an answer that this store can meet.
fn losing(under_test: &dyn UnderTest, lost: Lost) -> Vec<Arc<dyn Store>> {
    let behind: Arc<dyn Store> = Arc::new(Losing { inner: under_test.store("losing"), lost, rival: None });
    [Some(behind), under_test.cut(lost)].into_iter().flatten().collect()
}

/// Loses the answer to every change; then a rival may be quicker than the reading back.
struct Losing {
    inner: Arc<dyn Store>,
    lost: Lost,
    rival: Option<(Arc<dyn Store>, Document)>,
}

impl Losing {
    async fn lose(&self, key: &Key) -> NotWritten {
        if let Some((rival, document)) = &self.rival {
            let before = rival.read(key).await.unwrap();
            rival.write(key, document, before.version()).await.unwrap();
        }
        NotWritten::Unknown(anyhow!("the answer was lost"))
    }
}

#[async_trait]
impl Store for Losing {
    async fn read(&self, key: &Key) -> Result<Read> {
        self.inner.read(key).await
    }
    async fn write(&self, key: &Key, document: &Document, expected: &Version) -> Result<Version, NotWritten> {
        if self.lost == Lost::Landed {
            self.inner.write(key, document, expected).await.unwrap();
        }
        Err(self.lose(key).await)
    }
    async fn remove(&self, key: &Key, expected: &Version) -> Result<(), NotWritten> {
        if self.lost == Lost::Landed {
            self.inner.remove(key, expected).await.unwrap();
        }
        Err(self.lose(key).await)
    }
    async fn claims(&self) -> Result<Vec<Entry>> {
        self.inner.claims().await
    }
    async fn names(&self) -> Result<BTreeSet<EnvironmentName>> {
        self.inner.names().await
    }
    fn place(&self, key: &Key) -> String {
        self.inner.place(key)
    }
}

pub(crate) fn claim(text: &str) -> Key {
    Key::Claim(name(text))
}

/// A document that is told from others by its text.
pub(crate) fn says(text: &str) -> Document {
    document(json!({"says": text}))
}

pub(crate) async fn create(store: &dyn Store, key: &Key, document: &Document) -> Version {
    let absent = store.read(key).await.unwrap();
    assert!(matches!(absent, Read::Absent { .. }), "{key:?} is there already: {absent:?}");
    store.write(key, document, absent.version()).await.unwrap()
}

#[track_caller]
pub(crate) fn is_conflict<T: std::fmt::Debug>(result: Result<T, NotWritten>) {
    assert!(matches!(result, Err(NotWritten::Conflict)), "no conflict, but {result:?}");
}

#[track_caller]
fn is_unknown<T: std::fmt::Debug>(result: Result<T, NotWritten>) {
    assert!(matches!(result, Err(NotWritten::Unknown(_))), "not unknown, but {result:?}");
}

async fn stands(store: &dyn Store, key: &Key, document: &Document, version: &Version) {
    let expected = Read::Present { document: document.clone(), version: version.clone() };
    assert_eq!(store.read(key).await.unwrap(), expected, "{}", store.place(key));
}

async fn is_absent(store: &dyn Store, key: &Key) {
    let read = store.read(key).await.unwrap();
    assert!(matches!(read, Read::Absent { .. }), "{} is there: {read:?}", store.place(key));
}

async fn listed(store: &dyn Store) -> BTreeSet<String> {
    let entries = store.claims().await.unwrap();
    let names: BTreeSet<String> = entries.iter().map(|entry| entry.name.to_string()).collect();
    assert_eq!(names.len(), entries.len(), "a claim is listed twice");
    names
}

pub(crate) async fn present_absent_and_unknown_are_told_apart(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    let version = create(&*store, &claim("present"), &says("here")).await;
    under_test.damage(&name("damaged")).await;
    stands(&*store, &claim("present"), &says("here"), &version).await;
    is_absent(&*store, &claim("absent")).await;
    let unknown = store.read(&claim("damaged")).await.unwrap_err();
    assert_eq!(berth::errors::exit(&unknown), berth::errors::Exit::Unknown, "{unknown:?}");
}

pub(crate) async fn what_cannot_be_read_is_not_written_over(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    let absent = store.read(&claim("damaged")).await.unwrap();
    under_test.damage(&name("damaged")).await;
    let over = write_surely(&*store, &claim("damaged"), &says("mine"), absent.version()).await;
    over.expect_err("a document that nobody can read was overwritten as if it were absent");
    store.read(&claim("damaged")).await.expect_err("it can be read all at once");
}

pub(crate) async fn of_two_creators_exactly_one_wins(under_test: &impl UnderTest) {
    let (a, b) = (under_test.store("a"), under_test.store("b"));
    for round in 0..10 {
        let key = claim(&format!("env-{round}"));
        let (from_a, from_b) = (a.read(&key).await.unwrap(), b.read(&key).await.unwrap());
        let (by_a, by_b) = (says("a"), says("b"));
        let (of_a, of_b) =
            tokio::join!(a.write(&key, &by_a, from_a.version()), b.write(&key, &by_b, from_b.version()));
        match (of_a, of_b) {
            (Ok(version), Err(NotWritten::Conflict)) => stands(&*b, &key, &by_a, &version).await,
            (Err(NotWritten::Conflict), Ok(version)) => stands(&*a, &key, &by_b, &version).await,
            both => panic!("one of them must win: {both:?}"),
        }
    }
}

pub(crate) async fn a_stale_version_is_a_conflict_and_changes_nothing(under_test: &impl UnderTest) {
    let (a, b) = (under_test.store("a"), under_test.store("b"));
    let key = claim("env");
    let absent = a.read(&key).await.unwrap();
    let first = a.write(&key, &says("first"), absent.version()).await.unwrap();
    let second = b.write(&key, &says("second"), &first).await.unwrap();
    is_conflict(a.write(&key, &says("stale"), &first).await);
    is_conflict(a.write(&key, &says("stale"), absent.version()).await);
    stands(&*a, &key, &says("second"), &second).await;
}

pub(crate) async fn a_write_that_changes_nothing_makes_a_new_version(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    for key in [claim("env"), Key::Kubeconfig(name("env"))] {
        let first = create(&*store, &key, &says("same")).await;
        let second = store.write(&key, &says("same"), &first).await.unwrap();
        assert_ne!(first, second);
        is_conflict(store.write(&key, &says("same"), &first).await);
        is_conflict(store.remove(&key, &first).await);
        stands(&*store, &key, &says("same"), &second).await;
    }
}

pub(crate) async fn the_expected_version_is_removed(under_test: &impl UnderTest) {
    let (a, b) = (under_test.store("a"), under_test.store("b"));
    for key in [claim("env"), Key::Kubeconfig(name("env")), Key::Pool] {
        let version = create(&*a, &key, &says("here")).await;
        b.remove(&key, &version).await.unwrap();
        is_absent(&*a, &key).await;
        is_absent(&*b, &key).await;
    }
}

pub(crate) async fn a_stale_version_is_not_removed(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    let key = claim("env");
    let absent = store.read(&key).await.unwrap();
    let first = store.write(&key, &says("first"), absent.version()).await.unwrap();
    let second = store.write(&key, &says("second"), &first).await.unwrap();
    is_conflict(store.remove(&key, &first).await);
    is_conflict(store.remove(&key, absent.version()).await);
    is_conflict(remove_surely(&*store, &key, &first).await);
    stands(&*store, &key, &says("second"), &second).await;
}

pub(crate) async fn a_document_that_was_made_anew_survives_the_removal_of_the_earlier(
    under_test: &impl UnderTest,
) {
    let (slow, quick) = (under_test.store("slow"), under_test.store("quick"));
    let key = claim("env");
    let old = create(&*slow, &key, &says("old")).await;
    quick.remove(&key, &old).await.unwrap();
    let new = create(&*quick, &key, &says("new")).await;
    is_conflict(slow.remove(&key, &old).await);
    is_conflict(remove_surely(&*slow, &key, &old).await);
    stands(&*quick, &key, &says("new"), &new).await;
}

pub(crate) async fn what_was_removed_can_be_made_again_over_the_version_that_the_read_gave(
    under_test: &impl UnderTest,
) {
    let store = under_test.store("a");
    let key = claim("env");
    let first = create(&*store, &key, &says("first")).await;
    store.remove(&key, &first).await.unwrap();
    let gone = store.read(&key).await.unwrap();
    let again = store.write(&key, &says("again"), gone.version()).await.unwrap();
    stands(&*store, &key, &says("again"), &again).await;
    is_conflict(store.write(&key, &says("twice"), gone.version()).await);
}

pub(crate) async fn no_version_comes_back_in_a_later_life(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    let key = claim("env");
    let mut seen = HashSet::new();
    for _ in 0..4 {
        let first = create(&*store, &key, &says("same")).await;
        let second = store.write(&key, &says("same"), &first).await.unwrap();
        for earlier in &seen {
            is_conflict(store.write(&key, &says("from an earlier life"), earlier).await);
            is_conflict(store.remove(&key, earlier).await);
        }
        stands(&*store, &key, &says("same"), &second).await;
        store.remove(&key, &second).await.unwrap();
        assert!(seen.insert(first) && seen.insert(second), "a version came twice");
    }
}

pub(crate) async fn a_lost_answer_to_a_write_that_landed_is_a_success(under_test: &impl UnderTest) {
    let honest = under_test.store("honest");
    for (way, store) in losing(under_test, Lost::Landed).into_iter().enumerate() {
        let key = claim(&format!("env-{way}"));
        let absent = honest.read(&key).await.unwrap();
        let created = write_surely(&*store, &key, &says("created"), absent.version()).await.unwrap();
        stands(&*honest, &key, &says("created"), &created).await;
        let changed = write_surely(&*store, &key, &says("changed"), &created).await.unwrap();
        stands(&*honest, &key, &says("changed"), &changed).await;
        let again = write_surely(&*store, &key, &says("changed"), &changed).await.unwrap();
        assert_ne!(changed, again);
        stands(&*honest, &key, &says("changed"), &again).await;
    }
}

pub(crate) async fn a_lost_answer_to_a_write_that_did_not_land_is_unknown(under_test: &impl UnderTest) {
    let honest = under_test.store("honest");
    for (way, store) in losing(under_test, Lost::NotLanded).into_iter().enumerate() {
        let key = claim(&format!("env-{way}"));
        let absent = honest.read(&key).await.unwrap();
        is_unknown(write_surely(&*store, &key, &says("created"), absent.version()).await);
        is_absent(&*honest, &key).await;
        let version = create(&*honest, &key, &says("created")).await;
        is_unknown(write_surely(&*store, &key, &says("changed"), &version).await);
        stands(&*honest, &key, &says("created"), &version).await;
        write_surely(&*honest, &key, &says("changed"), &version).await.expect("it can be tried again");
    }
}

pub(crate) async fn a_lost_write_that_would_change_nothing_is_not_taken_for_landed(
    under_test: &impl UnderTest,
) {
    let honest = under_test.store("honest");
    for (way, store) in losing(under_test, Lost::NotLanded).into_iter().enumerate() {
        let key = claim(&format!("env-{way}"));
        let version = create(&*honest, &key, &says("same")).await;
        is_unknown(write_surely(&*store, &key, &says("same"), &version).await);
        stands(&*honest, &key, &says("same"), &version).await;
    }
}

pub(crate) async fn a_lost_answer_to_a_removal_that_landed_is_a_success(under_test: &impl UnderTest) {
    let honest = under_test.store("honest");
    for (way, store) in losing(under_test, Lost::Landed).into_iter().enumerate() {
        let key = claim(&format!("env-{way}"));
        let version = create(&*honest, &key, &says("here")).await;
        remove_surely(&*store, &key, &version).await.unwrap();
        is_absent(&*honest, &key).await;
        assert_eq!(listed(&*honest).await, BTreeSet::new());
    }
}

pub(crate) async fn a_lost_answer_to_a_removal_that_did_not_land_is_unknown(under_test: &impl UnderTest) {
    let honest = under_test.store("honest");
    for (way, store) in losing(under_test, Lost::NotLanded).into_iter().enumerate() {
        let key = claim(&format!("env-{way}"));
        let version = create(&*honest, &key, &says("here")).await;
        is_unknown(remove_surely(&*store, &key, &version).await);
        stands(&*honest, &key, &says("here"), &version).await;
        remove_surely(&*honest, &key, &version).await.expect("it can be tried again");
    }
}

pub(crate) async fn a_write_of_somebody_else_after_our_lost_one_is_a_conflict(under_test: &impl UnderTest) {
    let honest = under_test.store("honest");
    for (lost, key) in [(Lost::Landed, claim("landed")), (Lost::NotLanded, claim("not-landed"))] {
        let version = create(&*honest, &key, &says("before")).await;
        let rival = Some((under_test.store("rival"), says("theirs")));
        let store = Losing { inner: under_test.store("ours"), lost, rival };
        is_conflict(write_surely(&store, &key, &says("ours"), &version).await);
        assert_eq!(honest.read(&key).await.unwrap().document(), Some(&says("theirs")), "{lost:?}");
    }
}

pub(crate) async fn a_write_of_somebody_else_after_our_lost_removal_survives_it(under_test: &impl UnderTest) {
    let honest = under_test.store("honest");
    for (lost, key) in [(Lost::Landed, claim("landed")), (Lost::NotLanded, claim("not-landed"))] {
        let version = create(&*honest, &key, &says("before")).await;
        let rival = Some((under_test.store("rival"), says("theirs")));
        let store = Losing { inner: under_test.store("ours"), lost, rival };
        is_conflict(remove_surely(&store, &key, &version).await);
        assert_eq!(honest.read(&key).await.unwrap().document(), Some(&says("theirs")), "{lost:?}");
    }
}

pub(crate) async fn a_listing_is_complete(under_test: &impl UnderTest) {
    let store = &*under_test.store("a");
    let names: BTreeSet<String> = (0..MANY).map(|number| format!("env-{number}")).collect();
    stream::iter(&names)
        .map(async |name| create(store, &claim(name), &says(name)).await)
        .buffer_unordered(32)
        .for_each(async |_| ())
        .await;
    assert_eq!(listed(store).await, names);
    assert_eq!(store.names().await.unwrap(), names.iter().map(|text| name(text)).collect());
    for Entry { name, read } in store.claims().await.unwrap() {
        assert_eq!(read.unwrap().document(), Some(&says(name.as_ref())));
    }
}

pub(crate) async fn a_listing_gives_the_versions_to_write_over(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    create(&*store, &claim("env"), &says("first")).await;
    let entry = store.claims().await.unwrap().remove(0);
    let version = store.write(&claim("env"), &says("second"), entry.read.unwrap().version()).await.unwrap();
    stands(&*store, &claim("env"), &says("second"), &version).await;
}

pub(crate) async fn a_listing_has_no_other_documents_and_no_removed_ones(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    let others = [
        Key::Pool,
        Key::Sweep,
        Key::Measured,
        Key::Installation,
        Key::History(name("past")),
        Key::Kubeconfig(name("past")),
        Key::History(name("live")),
    ];
    for key in others {
        create(&*store, &key, &says("other")).await;
    }
    create(&*store, &claim("live"), &says("live")).await;
    let version = create(&*store, &claim("past"), &says("past")).await;
    store.remove(&claim("past"), &version).await.unwrap();
    assert_eq!(listed(&*store).await, BTreeSet::from(["live".to_owned()]));
    // But whoever has any document is named, claimed or not.
    let named = store.names().await.unwrap();
    assert!(named.is_superset(&BTreeSet::from([name("past"), name("live")])), "{named:?}");
}

pub(crate) async fn a_listing_of_an_empty_place_is_empty(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    assert_eq!(listed(&*store).await, BTreeSet::new(), "before the first write");
    let version = create(&*store, &claim("env"), &says("here")).await;
    store.remove(&claim("env"), &version).await.unwrap();
    assert_eq!(listed(&*store).await, BTreeSet::new(), "after the last removal");
}

pub(crate) async fn a_claim_that_cannot_be_read_is_listed_by_its_name(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    create(&*store, &claim("whole"), &says("whole")).await;
    under_test.damage(&name("damaged")).await;
    let mut entries = store.claims().await.unwrap();
    entries.sort_by_key(|entry| entry.name.clone());
    let told: Vec<_> = entries.iter().map(|entry| (entry.name.to_string(), entry.read.is_ok())).collect();
    assert_eq!(told, [("damaged".to_owned(), false), ("whole".to_owned(), true)]);
}

pub(crate) async fn a_document_that_is_no_claim_is_listed_by_its_name_with_an_error(
    under_test: &impl UnderTest,
) {
    let store = under_test.store("a");
    create(&*store, &claim("odd"), &says("I am no claim")).await;
    let claims = Claims::new(store);
    let listed = claims.list().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].name, name("odd"));
    let why = berth::errors::render(listed[0].claim.as_ref().unwrap_err());
    let place = claims.store().place(&claim("odd"));
    assert!(why.contains(&format!("{place} is no claim that berth can read")), "{why}");
    claims.readable().await.expect_err("what it does not explain may be anybody's");
}

pub(crate) async fn half_a_megabyte_comes_back_as_it_was(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    let large = document(json!({"value": "k\u{fc}be\n\"".repeat(62_500)}));
    assert!(serde_json::to_string(&large).unwrap().len() > 500_000);
    for key in [claim("env"), Key::Kubeconfig(name("env")), Key::Pool] {
        let version = create(&*store, &key, &large).await;
        stands(&*store, &key, &large, &version).await;
    }
}

pub(crate) async fn keys_do_not_meet(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    // The names that the other documents are called by are names that an environment can have, too.
    let names =
        ["env", "env-claim", "claim", "berth", "sweep", "measured", "ip-allocations", "history", "pool"];
    let kinds = [Key::Claim, Key::Kubeconfig, Key::History];
    let keys: Vec<Key> = names
        .iter()
        .flat_map(|text| kinds.map(|kind| kind(name(text))))
        .chain([Key::Pool, Key::Sweep, Key::Measured, Key::Installation])
        .collect();
    for (number, key) in keys.iter().enumerate() {
        create(&*store, key, &says(&number.to_string())).await;
    }
    for (number, key) in keys.iter().enumerate() {
        let read = store.read(key).await.unwrap();
        assert_eq!(read.document(), Some(&says(&number.to_string())), "{}", store.place(key));
        store.remove(key, read.version()).await.unwrap();
    }
    let places: HashSet<String> = keys.iter().map(|key| store.place(key)).collect();
    assert_eq!(places.len(), keys.len(), "two documents are said to lie at one place");
}

pub(crate) async fn what_is_written_comes_back_exactly(under_test: &impl UnderTest) {
    let store = under_test.store("a");
    let documents = [
        json!({}),
        json!({"": "", "_empty": "true", "data": {"data": null}, "metadata": {"version": 7}, "errors": []}),
        json!({"text": "z\u{fc}rich \u{1f6a2} \u{0} \" \\ \u{2028} \r\n\t", "\u{1f6a2}": ["", null, true, [], {}]}),
        // Beyond 53 bits Vault rounds, so no document may hold such a number.
        json!({"numbers": [0, -1, 9_007_199_254_740_991_u64, -9_007_199_254_740_991_i64, 0.1, -1.5e-7, 1e300]}),
        // Alike to a tombstone, and none.
        json!({"_gone": true, "192.168.1.140": "pr-shop-42"}),
        json!({"_gone": "true"}),
        json!({"a": {"b": {"c": {"d": [{"e": [[[]]]}]}}}, "192.168.1.140": "pr-shop-42"}),
    ];
    for key in [claim("env"), Key::Kubeconfig(name("env")), Key::Pool] {
        let mut version = store.read(&key).await.unwrap().version().clone();
        for document in documents.clone().map(document) {
            version = store.write(&key, &document, &version).await.unwrap();
            stands(&*store, &key, &document, &version).await;
        }
    }
}

/// Each run adds one, until it has: fifty of them at once.
async fn fifty_increments(under_test: &impl UnderTest, key: Key, surely: bool) {
    let runs = (0..50).map(|number| {
        let (run, key) = (format!("run-{number}"), key.clone());
        let store = under_test.store(&run);
        tokio::spawn(async move {
            loop {
                let read = store.read(&key).await.unwrap();
                let count = read.document().map_or(0, |document| document["count"].as_u64().unwrap());
                // Reading back tells ours from another's by what it says: it must say whose it is.
                let next = match surely {
                    true => document(json!({"count": count + 1, "by": run})),
                    false => document(json!({"count": count + 1})),
                };
                let written = match surely {
                    true => write_surely(&*store, &key, &next, read.version()).await,
                    false => store.write(&key, &next, read.version()).await,
                };
                match written {
                    Ok(_) => return,
                    Err(NotWritten::Conflict) => {}
                    Err(NotWritten::Unknown(error)) => panic!("{error:?}"),
                }
            }
        })
    });
    for run in join_all(runs).await {
        run.unwrap();
    }
    let read = under_test.store("after").read(&key).await.unwrap();
    assert_eq!(read.document().unwrap()["count"], json!(50));
}

pub(crate) async fn fifty_increments_at_once_lose_nothing(under_test: &impl UnderTest) {
    fifty_increments(under_test, Key::Pool, false).await;
    fifty_increments(under_test, claim("env"), true).await;
}

/// One test for each fact and each kind of place: `contract! { module Type … }`.
macro_rules! contract {
    (@ $($module:ident $store:ident { $($fact:ident)* })*) => {$(
        mod $module {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $fact() {
                    crate::contract::$fact(&super::$store::fresh().await).await;
                }
            )*
        }
    )*};
    (of $($module:ident $store:ident)*: $facts:tt) => {
        contract! { @ $($module $store $facts)* }
    };
    ($($module:ident $store:ident)*) => {
        contract! { of $($module $store)*: {
            present_absent_and_unknown_are_told_apart
            what_cannot_be_read_is_not_written_over
            of_two_creators_exactly_one_wins
            a_stale_version_is_a_conflict_and_changes_nothing
            a_write_that_changes_nothing_makes_a_new_version
            the_expected_version_is_removed
            a_stale_version_is_not_removed
            a_document_that_was_made_anew_survives_the_removal_of_the_earlier
            what_was_removed_can_be_made_again_over_the_version_that_the_read_gave
            no_version_comes_back_in_a_later_life
            a_lost_answer_to_a_write_that_landed_is_a_success
            a_lost_answer_to_a_write_that_did_not_land_is_unknown
            a_lost_write_that_would_change_nothing_is_not_taken_for_landed
            a_lost_answer_to_a_removal_that_landed_is_a_success
            a_lost_answer_to_a_removal_that_did_not_land_is_unknown
            a_write_of_somebody_else_after_our_lost_one_is_a_conflict
            a_write_of_somebody_else_after_our_lost_removal_survives_it
            a_listing_is_complete
            a_listing_gives_the_versions_to_write_over
            a_listing_has_no_other_documents_and_no_removed_ones
            a_listing_of_an_empty_place_is_empty
            a_claim_that_cannot_be_read_is_listed_by_its_name
            a_document_that_is_no_claim_is_listed_by_its_name_with_an_error
            half_a_megabyte_comes_back_as_it_was
            keys_do_not_meet
            what_is_written_comes_back_exactly
            fifty_increments_at_once_lose_nothing
        } }
    };
}
