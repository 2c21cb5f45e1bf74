//! The claim: which transition each state allows, and what the document looks like to whoever reads it at night.

use berth::domain::{
    claim::{
        Claim, Ending, Gone, Illegal, Job, ObjectName, ProviderKind, Removal, Reported, State, Told, Wish,
    },
    holder::{Holder, PullRequest},
    names::{ClaimUid, Generation, RunId},
    pool::Block,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt::Write};

/// All here happens around noon.
pub(crate) fn at(hours: i64) -> Timestamp {
    let noon: Timestamp = "2026-01-05T12:00:00Z".parse().expect("a time");
    noon + SignedDuration::from_hours(hours)
}

pub(crate) const LIFE: SignedDuration = SignedDuration::from_hours(72);

pub(crate) fn pull(text: &str) -> Holder {
    Holder::PullRequest(text.parse::<PullRequest>().expect("owner/repo#number"))
}

pub(crate) fn run(id: &str) -> RunId {
    id.parse().expect("a run id")
}

pub(crate) fn uid(id: &str) -> ClaimUid {
    id.parse().expect("a uid")
}

pub(crate) fn pair() -> Block {
    let addresses: Vec<_> =
        ["192.168.1.140", "192.168.1.141"].iter().map(|a| a.parse().expect("an address")).collect();
    addresses.try_into().expect("a block")
}

pub(crate) fn removal() -> Removal {
    let object = |api_version: &str, kind: &str, namespace: Option<&str>| ObjectName {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: "pr-shop-42".to_owned(),
    };
    Removal {
        provider: ProviderKind::CapiK3s,
        context: Some("clustermgmt".parse().expect("a context")),
        objects: vec![
            object("v1", "Namespace", None),
            object("cluster.x-k8s.io/v1beta2", "Cluster", Some("pr-shop-42")),
        ],
        elsewhere: vec![],
        hosts: vec!["pr-42-shop.preview.example.org".parse().expect("a host")],
    }
}

/// A claim that waits, in its first generation.
pub(crate) fn first(holder: &str) -> Claim {
    let head = "0123456789abcdef0123456789abcdef01234567".parse().expect("a SHA");
    Claim::first(pull(holder), (uid("uid-1"), run("run-1")), Some(head), removal(), at(0), LIFE)
}

/// A claim in each state, as transitions make it. Those that cool do so until `at(5)`.
pub(crate) fn in_each_state(holder: &str) -> [Claim; 5] {
    let waiting = first(holder);
    let held = waiting.clone().held(Some(pair())).expect("legal");
    let draining = held.clone().draining(at(2)).expect("legal");
    let cooling = draining.clone().cooling(at(5)).expect("legal");
    let freeing = cooling.clone().freeing(at(5)).expect("legal");
    [waiting, held, draining, cooling, freeing]
}

/// A new state fails to compile here: give it a place in `in_each_state`, and a column in every table.
fn place(state: &State) -> usize {
    match state {
        State::Waiting { .. } => 0,
        State::Held { .. } => 1,
        State::Draining { .. } => 2,
        State::Cooling { .. } => 3,
        State::Freeing { .. } => 4,
    }
}

fn json_of(claim: &Claim) -> Value {
    serde_json::to_value(claim).expect("plain data")
}

fn field(claim: &Claim, name: &str) -> Value {
    json_of(claim)[name].clone()
}

fn anew(claim: Claim) -> Claim {
    let life = SignedDuration::from_hours(24);
    match claim.ended(uid("uid-2"), at(9), life).expect("legal") {
        Ending::Anew(claim) => claim,
        Ending::Gone => panic!("a wish was carried"),
    }
}

#[test]
fn no_state_is_forgotten_here() {
    for (i, claim) in in_each_state("acme/shop#42").iter().enumerate() {
        assert_eq!(place(claim.state()), i);
    }
}

#[test]
fn every_transition_is_legal_from_the_states_of_this_table_and_from_no_other() {
    type Transition = fn(Claim) -> Result<Option<Claim>, Illegal>;
    fn ending(ended: Result<Ending, Illegal>) -> Result<Option<Claim>, Illegal> {
        ended.map(|ending| match ending {
            Ending::Gone => None,
            Ending::Anew(claim) => Some(claim),
        })
    }
    let transitions: [(&str, Transition); 11] = [
        ("held with addresses", |c| c.held(Some(pair())).map(Some)),
        ("held without", |c| c.held(None).map(Some)),
        ("closed", |c| c.closed(at(1)).map(Some)),
        ("reopened", |c| c.reopened().map(Some)),
        ("draining", |c| c.draining(at(2)).map(Some)),
        ("cooling", |c| c.cooling(at(7)).map(Some)),
        ("revived", |c| c.revived(at(2)).map(Some)),
        ("freeing too early", |c| c.freeing(at(4)).map(Some)),
        ("freeing in time", |c| c.freeing(at(5)).map(Some)),
        ("ended, wish down", |c| ending(c.wishing(Wish::Down).ended(uid("uid-2"), at(9), LIFE))),
        ("ended, wish up", |c| ending(c.wishing(Wish::Up).ended(uid("uid-2"), at(9), LIFE))),
    ];
    let mut table = String::new();
    for (word, transition) in transitions {
        writeln!(table, "{word}").unwrap();
        for claim in in_each_state("acme/shop#42") {
            let from = claim.state().word();
            let what = match transition(claim) {
                Ok(None) => "gone".to_owned(),
                Ok(Some(claim)) => {
                    let state = field(&claim, "state");
                    let data = state.as_object().unwrap().iter().filter(|(key, _)| *key != "is");
                    data.fold(claim.state().word().to_owned(), |text, (key, value)| {
                        format!("{text} {key}={value}")
                    })
                }
                Err(illegal) => {
                    let said = illegal.to_string();
                    let known = format!("the claim of pr-shop-42 cannot go from {from} to ");
                    format!("NOT {}", said.strip_prefix(&known).unwrap())
                }
            };
            writeln!(table, "  {from:<8} -> {what}").unwrap();
        }
    }
    insta::assert_snapshot!(table, @r#"
    held with addresses
      waiting  -> held addresses=["192.168.1.140","192.168.1.141"]
      held     -> NOT held: only what waits is given addresses
      draining -> NOT held: only what waits is given addresses
      cooling  -> NOT held: only what waits is given addresses
      freeing  -> NOT held: only what waits is given addresses
    held without
      waiting  -> held
      held     -> NOT held: only what waits is given addresses
      draining -> NOT held: only what waits is given addresses
      cooling  -> NOT held: only what waits is given addresses
      freeing  -> NOT held: only what waits is given addresses
    closed
      waiting  -> NOT closed: only what is held has a grace
      held     -> held addresses=["192.168.1.140","192.168.1.141"] closed-at="2026-01-05T13:00:00Z"
      draining -> NOT closed: only what is held has a grace
      cooling  -> NOT closed: only what is held has a grace
      freeing  -> NOT closed: only what is held has a grace
    reopened
      waiting  -> NOT open: only what is held has a grace
      held     -> held addresses=["192.168.1.140","192.168.1.141"]
      draining -> NOT open: only what is held has a grace
      cooling  -> NOT open: only what is held has a grace
      freeing  -> NOT open: only what is held has a grace
    draining
      waiting  -> draining since="2026-01-05T14:00:00Z"
      held     -> draining addresses=["192.168.1.140","192.168.1.141"] since="2026-01-05T14:00:00Z"
      draining -> NOT draining: it is being removed already
      cooling  -> draining addresses=["192.168.1.140","192.168.1.141"] since="2026-01-05T14:00:00Z"
      freeing  -> NOT draining: it is being removed already
    cooling
      waiting  -> NOT cooling: only what was drained cools
      held     -> NOT cooling: only what was drained cools
      draining -> cooling addresses=["192.168.1.140","192.168.1.141"] until="2026-01-05T19:00:00Z"
      cooling  -> NOT cooling: only what was drained cools
      freeing  -> NOT cooling: only what was drained cools
    revived
      waiting  -> NOT held: only what drains or cools is taken back
      held     -> NOT held: only what drains or cools is taken back
      draining -> held addresses=["192.168.1.140","192.168.1.141"]
      cooling  -> held addresses=["192.168.1.140","192.168.1.141"]
      freeing  -> NOT held: only what drains or cools is taken back
    freeing too early
      waiting  -> NOT freeing: only what has cooled is freed
      held     -> NOT freeing: only what has cooled is freed
      draining -> NOT freeing: only what has cooled is freed
      cooling  -> NOT freeing: it cools until 2026-01-05T17:00:00Z
      freeing  -> NOT freeing: only what has cooled is freed
    freeing in time
      waiting  -> NOT freeing: only what has cooled is freed
      held     -> NOT freeing: only what has cooled is freed
      draining -> NOT freeing: only what has cooled is freed
      cooling  -> freeing addresses=["192.168.1.140","192.168.1.141"]
      freeing  -> NOT freeing: only what has cooled is freed
    ended, wish down
      waiting  -> NOT gone: only what has been freed ends
      held     -> NOT gone: only what has been freed ends
      draining -> NOT gone: only what has been freed ends
      cooling  -> NOT gone: only what has been freed ends
      freeing  -> gone
    ended, wish up
      waiting  -> NOT gone: only what has been freed ends
      held     -> NOT gone: only what has been freed ends
      draining -> NOT gone: only what has been freed ends
      cooling  -> NOT gone: only what has been freed ends
      freeing  -> waiting since="2026-01-05T21:00:00Z"
    "#);
}

#[test]
fn the_first_claim_waits_in_the_first_generation_and_ends_when_its_life_is_over() {
    let claim = first("acme/shop#42");
    assert_eq!(claim.state(), &State::waiting(at(0)));
    assert_eq!((claim.wish(), claim.generation()), (Wish::Up, Generation::FIRST));
    assert_eq!((claim.expires(), claim.addresses()), (at(72), None));
    assert_eq!(claim.name().to_string(), "pr-shop-42");
}

#[test]
fn a_life_without_end_is_no_panic() {
    for life in [SignedDuration::MAX, SignedDuration::from_hours(i64::MAX / 3600)] {
        let claim = Claim::first(pull("acme/shop#42"), (uid("u"), run("r")), None, removal(), at(0), life);
        assert_eq!(claim.expires(), Timestamp::MAX);
    }
}

#[test]
fn taking_changes_the_hands_and_nothing_else() {
    for claim in in_each_state("acme/shop#42") {
        let taken = claim.taken(run("run-2"), at(3));
        assert_eq!((taken.generation(), taken.run()), (claim.generation().next(), &run("run-2")));
        let (mut before, mut after) = (json_of(&claim), json_of(&taken));
        for hands in ["generation", "run", "taken"] {
            assert_ne!(before[hands], after[hands]);
            (before[hands], after[hands]) = (Value::Null, Value::Null);
        }
        assert_eq!(before, after);
    }
}

#[test]
fn a_transition_keeps_the_hands_the_life_and_what_removal_needs() {
    let [waiting, held, draining, cooling, freeing] = in_each_state("acme/shop#42");
    let revived = cooling.clone().revived(at(2)).unwrap();
    let closed = held.clone().closed(at(1)).unwrap();
    for claim in [held, closed, draining, cooling, freeing, revived] {
        let (mut before, mut after) = (json_of(&waiting), json_of(&claim));
        for own in ["state", "leaving", "brought-by"] {
            (before[own], after[own]) = (Value::Null, Value::Null);
        }
        assert_eq!(before, after);
    }
}

#[test]
fn the_grace_runs_from_the_first_sighting_of_the_close() {
    let [_, held, ..] = in_each_state("acme/shop#42");
    let closed = held.clone().closed(at(1)).unwrap().closed(at(3)).unwrap();
    assert_eq!(closed.state(), &State::Held { addresses: Some(pair()), closed_at: Some(at(1)) });
    let again = closed.reopened().unwrap();
    assert_eq!(again, held);
    let anew = again.closed(at(4)).unwrap();
    assert_eq!(anew.state(), &State::Held { addresses: Some(pair()), closed_at: Some(at(4)) });
}

#[test]
fn nothing_is_freed_before_its_time() {
    let [.., cooling, _] = in_each_state("acme/shop#42");
    let second = SignedDuration::from_secs(1);
    assert!(cooling.clone().freeing(at(5) - second).is_err());
    assert!(cooling.clone().freeing(at(5)).is_ok());
    assert!(cooling.freeing(at(5) + second).is_ok());
}

#[test]
fn the_addresses_stay_on_the_claim_until_it_is_gone() {
    for claim in in_each_state("acme/shop#42").into_iter().skip(1) {
        assert_eq!(claim.addresses(), Some(pair()), "{}", claim.state().word());
    }
}

#[test]
fn what_was_drained_without_addresses_waits_for_some_when_it_is_taken_back() {
    let drained = first("acme/shop#42").draining(at(2)).unwrap();
    let cooled = drained.clone().cooling(at(3)).unwrap();
    for claim in [drained, cooled] {
        assert_eq!(claim.revived(at(2)).unwrap().state(), &State::waiting(at(2)));
    }
}

fn told(outcome: &str, claim: &Claim) -> Reported {
    Reported {
        outcome: outcome.to_owned(),
        by: claim.generation(),
        head: claim.head().cloned(),
        at: at(4),
        tests: None,
        counted: None,
        took: 192,
        phases: vec![Told { step: "cluster".to_owned(), millis: 124_000, detail: "k3s".to_owned() }],
    }
}

#[test]
fn what_was_told_of_it_before_it_was_removed_is_not_told_of_what_is_taken_back() {
    for outcome in ["ready", "tests-failed", "failed"] {
        let [_, held, ..] = in_each_state("acme/shop#42");
        let held = held.brought_up();
        let stands = held.clone().reporting(told(outcome, &held));
        assert!(stands.outcome().is_some());
        // Taken by a run that has it go, and its addresses with it.
        let drained = stands.taken(run("run-2"), at(5)).draining(at(5)).unwrap();
        for gone in [drained.clone(), drained.cooling(at(6)).unwrap()] {
            let back = gone.revived(at(6)).unwrap();
            assert_eq!((back.outcome(), back.addresses()), (None, Some(pair())), "{outcome}");
        }
    }
}

#[test]
fn that_it_waited_is_not_how_its_coming_up_went() {
    let claim = first("acme/shop#42").brought_up();
    let waits = claim.clone().reporting(told("queued", &claim));
    assert!(waits.has_ended());
    let held = waits.clone().held(Some(pair())).unwrap();
    assert_eq!((held.has_ended(), held.outcome()), (false, None), "that same run goes on");
    let next = waits.taken(run("run-2"), at(5)).held(Some(pair())).unwrap();
    assert_eq!(next.reported().map(|told| told.outcome.as_str()), Some("queued"), "that run is over");
}

#[test]
fn how_often_it_was_begun_anew_is_counted_until_somebody_tells_how_it_went_or_it_is_asked_for() {
    let [_, held, ..] = in_each_state("acme/shop#42");
    let nudged = held.nudging().taken(run("run-2"), at(5)).nudging().taken(run("run-3"), at(6));
    assert_eq!(nudged.nudged(), 2, "a job that begins and dies has told nothing");
    let head = nudged.head().cloned();
    assert_eq!(nudged.clone().wanting(head).nudged(), 2);
    let other = "b".repeat(40).parse().unwrap();
    assert_eq!(nudged.clone().wanting(Some(other)).nudged(), 0);
    assert_eq!(nudged.clone().asked_for().nudged(), 0);
    assert_eq!(nudged.clone().reporting(told("failed", &nudged)).nudged(), 0);
}

#[test]
fn a_carried_wish_makes_a_new_life_of_the_same_taking() {
    let told = Reported { head: None, ..told("removed", &first("acme/shop#42")) };
    let [.., freeing] = in_each_state("acme/shop#42");
    let freed =
        freeing.taken(run("run-2"), at(6)).taken(run("run-3"), at(7)).reporting(told).wishing(Wish::Up);
    let claim = anew(freed.clone());
    assert_eq!(claim.state(), &State::waiting(at(9)));
    assert_eq!((claim.wish(), claim.expires()), (Wish::Up, at(9 + 24)));
    assert_eq!((claim.generation(), claim.run()), (freed.generation(), freed.run()), "the fence goes on");
    assert_eq!([field(&claim, "uid"), field(&claim, "created")], [json!("uid-2"), json!(at(9))]);
    for kept in ["schema", "holder", "head", "removal", "reported"] {
        assert_eq!(field(&claim, kept), field(&freed, kept), "{kept}");
    }
}

#[test]
fn a_person_can_read_a_claim_at_night() {
    let reported = Reported {
        by: Generation::FIRST,
        outcome: "ready".to_owned(),
        head: first("acme/shop#42").head().cloned(),
        at: "2026-01-05T12:07:31Z".parse().unwrap(),
        tests: None,
        counted: None,
        took: 192,
        phases: vec![Told { step: "cluster".to_owned(), millis: 124_000, detail: "k3s".to_owned() }],
    };
    let claim = first("acme/shop#42").held(Some(pair())).unwrap().closed(at(1)).unwrap();
    let claim = claim.taken(run("6f1c-2"), at(2)).wishing(Wish::Down).reporting(reported);
    insta::assert_snapshot!(serde_json::to_string_pretty(&json_of(&claim)).unwrap(), @r#"
    {
      "created": "2026-01-05T12:00:00Z",
      "expires": "2026-01-08T12:00:00Z",
      "generation": 2,
      "head": "0123456789abcdef0123456789abcdef01234567",
      "holder": {
        "pull-request": {
          "number": 42,
          "repo": "acme/shop"
        }
      },
      "leaving": {
        "passed": [
          {
            "at": "2026-01-05T13:00:00Z",
            "to": "closed"
          }
        ]
      },
      "removal": {
        "context": "clustermgmt",
        "hosts": [
          "pr-42-shop.preview.example.org"
        ],
        "objects": [
          {
            "apiVersion": "v1",
            "kind": "Namespace",
            "name": "pr-shop-42"
          },
          {
            "apiVersion": "cluster.x-k8s.io/v1beta2",
            "kind": "Cluster",
            "name": "pr-shop-42",
            "namespace": "pr-shop-42"
          }
        ],
        "provider": "capi-k3s"
      },
      "reported": {
        "at": "2026-01-05T12:07:31Z",
        "by": 1,
        "head": "0123456789abcdef0123456789abcdef01234567",
        "outcome": "ready",
        "phases": [
          {
            "detail": "k3s",
            "millis": 124000,
            "step": "cluster"
          }
        ],
        "took": 192
      },
      "run": "6f1c-2",
      "schema": 1,
      "state": {
        "addresses": [
          "192.168.1.140",
          "192.168.1.141"
        ],
        "closed-at": "2026-01-05T13:00:00Z",
        "is": "held"
      },
      "taken": "2026-01-05T14:00:00Z",
      "uid": "uid-1",
      "wish": "down"
    }
    "#);
}

#[test]
fn a_claim_that_knows_little_says_little() {
    let removal = Removal {
        provider: ProviderKind::Namespace,
        context: None,
        objects: vec![],
        elsewhere: vec![],
        hosts: vec![],
    };
    let claim = Claim::first(pull("acme/shop#42"), (uid("u"), run("r")), None, removal, at(0), LIFE);
    insta::assert_snapshot!(json_of(&claim).to_string(), @r#"{"created":"2026-01-05T12:00:00Z","expires":"2026-01-08T12:00:00Z","generation":1,"holder":{"pull-request":{"number":42,"repo":"acme/shop"}},"removal":{"hosts":[],"objects":[],"provider":"namespace"},"run":"r","schema":1,"state":{"is":"waiting","since":"2026-01-05T12:00:00Z"},"taken":"2026-01-05T12:00:00Z","uid":"u","wish":"up"}"#);
}

/// Claims that between them have every state, every holder, every provider, and each optional thing there and not there.
fn all_sorts() -> Vec<Claim> {
    let waiting_for_a_job = || {
        let job = |id| Job { repo: "acme/shop".parse().expect("a repository"), run: 17_000_000_000, id };
        let place = "pool lab".parse().ok();
        [job(None), job(Some(51_725_241_954))]
            .map(|job| first("acme/shop#42").by(Some(job)).at(place.clone()).called(at(1)).warned())
    };
    let gone = || Gone { what: "kubeconfig".to_owned(), at: at(2), proof: "404".to_owned() };
    let without = first("acme/shop#42").held(None).expect("legal");
    let drained = without.clone().draining(at(2)).expect("legal");
    let cooled = drained.clone().cooling(at(1)).expect("legal");
    let freed = cooled.clone().freeing(at(1)).expect("legal");
    let closed = without.clone().closed(at(1)).expect("legal");
    let mut claims = vec![without, drained, cooled.clone().without([gone(), gone()]), cooled, freed, closed];
    claims.extend(waiting_for_a_job());
    claims.extend(in_each_state("acme/shop#42"));
    let repo = "acme/my.shop".parse().expect("a repository");
    let host = "bm-7".parse().expect("a name");
    let holders = [
        Holder::MergeGroup { repo, head: "0123456789abcdef0123456789abcdef01234567".parse().expect("a SHA") },
        Holder::Reservation { host, id: "R_1.a".parse().expect("an id") },
        Holder::Named("by-hand".parse().expect("a name")),
    ];
    let providers = [ProviderKind::Namespace, ProviderKind::FluxRelease, ProviderKind::Metal3Host];
    for (holder, provider) in holders.into_iter().zip(providers) {
        let removal = Removal { provider, context: None, ..removal() };
        let claim = Claim::first(holder, (uid("u"), run("r")), None, removal, at(0), LIFE);
        claims.push(claim.reporting(Reported {
            outcome: "failed".to_owned(),
            by: Generation::FIRST,
            head: None,
            at: at(1),
            tests: Some("cypress".to_owned()),
            counted: None,
            took: 192,
            phases: vec![Told { step: "cluster".to_owned(), millis: 124_000, detail: "k3s".to_owned() }],
        }));
    }
    claims
}

#[test]
fn every_claim_is_read_back_as_it_was_written() {
    let mut states = BTreeSet::new();
    for claim in all_sorts() {
        let document = json_of(&claim);
        let text = document.to_string();
        assert_eq!(serde_json::from_value::<Claim>(document).unwrap(), claim);
        assert_eq!(serde_json::from_str::<Claim>(&text).unwrap(), claim);
        states.insert(claim.state().word());
    }
    assert_eq!(states.len(), 5);
}

#[test]
fn every_holder_and_provider_is_written_in_one_known_form() {
    let claims = all_sorts();
    let mut forms = BTreeSet::new();
    for claim in &claims {
        forms.insert(field(claim, "holder").to_string());
        forms.insert(field(claim, "removal")["provider"].to_string());
    }
    insta::assert_snapshot!(forms.into_iter().collect::<Vec<_>>().join("\n"), @r#"
    "capi-k3s"
    "flux-release"
    "metal3-host"
    "namespace"
    {"merge-group":{"head":"0123456789abcdef0123456789abcdef01234567","repo":"acme/my.shop"}}
    {"named":"by-hand"}
    {"pull-request":{"number":42,"repo":"acme/shop"}}
    {"reservation":{"host":"bm-7","id":"R_1.a"}}
    "#);
}

#[test]
fn a_claim_of_a_later_berth_of_the_same_schema_is_read() {
    for claim in all_sorts() {
        let mut document = json_of(&claim);
        document["colour"] = json!("blue");
        document["state"]["mood"] = json!({"is": "held"});
        document["removal"]["order"] = json!([1, 2]);
        assert_eq!(serde_json::from_value::<Claim>(document).unwrap(), claim);
    }
}

#[test]
fn a_claim_of_which_one_thing_is_missing_or_wrong_is_not_guessed_at() {
    let [_, held, ..] = in_each_state("acme/shop#42");
    let document = json_of(&held);
    let optional = ["head", "reported"];
    for key in document.as_object().unwrap().keys().filter(|key| !optional.contains(&key.as_str())) {
        let mut without = document.clone();
        without.as_object_mut().unwrap().remove(key);
        assert!(serde_json::from_value::<Claim>(without).is_err(), "without {key}");
    }
    for (pointer, wrong) in [
        ("/state/is", json!("resting")),
        ("/state/is", json!("Held")),
        ("/state/addresses", json!(["192.168.1.140", "192.168.1.150"])),
        ("/state/addresses", json!([])),
        ("/wish", json!("sideways")),
        ("/generation", json!(-1)),
        ("/generation", json!("1")),
        ("/run", json!("../x")),
        ("/holder", json!("acme/shop#42")),
        ("/holder/pull-request/number", json!(0)),
        ("/holder/pull-request/repo", json!("acme/..")),
        ("/expires", json!("soon")),
        ("/expires", json!(1767614400)),
        ("/removal/provider", json!("vmware")),
        ("/removal/hosts", json!(["a b"])),
    ] {
        let mut damaged = document.clone();
        *damaged.pointer_mut(pointer).unwrap() = wrong.clone();
        assert!(serde_json::from_value::<Claim>(damaged).is_err(), "{pointer} = {wrong}");
    }
}
