//! The shell tool of old, one test for each of its known defects, and the two side by side on one document.
//!
//! The old tool is played by writes without compare-and-set, in the moments in which it is known to make them. Each
//! test of a defect fails on what the old tool does.

use crate::executable::{
    CANARY, DOCUMENT, Said, User, Vault, block, cooling, document, name, pools, waiting, writes_pool,
};
use berth::{
    domain::pool::Allocation,
    engine::{Given, Released},
    rehearsal::{
        World,
        gate::Verdict,
        kv::{Capability, Grant, Rule},
        serve::Served,
    },
};
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};

const OTHER: &str = "pr-other-9";

/// `count` pairs from .140 on, each held by a name of its own.
fn pairs(count: u8) -> Map<String, Value> {
    (0..count * 2).map(|i| (format!("192.168.1.{}", 140 + i), json!(format!("pr-shop-{}", i / 2)))).collect()
}

/// The old tool allocates as it does: the first free pair, written over whatever is there.
fn old_tool_allocates(world: &mut World, name: &str) {
    let mut document = world.vault.document(DOCUMENT).cloned().unwrap_or_default();
    let key = |last: u8| format!("192.168.1.{last}");
    let vip = (140..150)
        .step_by(2)
        .find(|vip| !document.contains_key(&key(*vip)) && !document.contains_key(&key(vip + 1)));
    let vip = vip.expect("a free pair");
    document.extend([(key(vip), json!(name)), (key(vip + 1), json!(name))]);
    world.vault.put(DOCUMENT, document);
}

/// Right before our first write of the pool lands, the old tool allocates.
fn old_tool_steps_between(served: &Served) {
    let (world, mut done) = (served.world.clone(), false);
    served.gate.rule(move |request| {
        if writes_pool(request) && !done {
            done = true;
            old_tool_allocates(&mut world.lock().expect("no handler panicked"), OTHER);
        }
        Verdict::Pass
    });
}

fn one_vip(said: &Said, vip: &str) {
    assert_eq!((said.stdout.as_str(), said.code), (format!("{vip}\n").as_str(), 0), "{}", said.seen());
}

fn unknown(said: &Said) {
    assert_eq!((said.stdout.as_str(), said.code), ("", 4), "{}", said.seen());
}

/// The two reads of the old tool took data and version from different moments. Ours come from one answer.
#[test]
fn defect_1_a_write_between_our_read_and_our_write_is_not_lost() {
    let vault = Vault::with(json!(pairs(1)));
    old_tool_steps_between(&vault.served);
    one_vip(&User::of(&vault).berth(&["pool", "allocate", "pr-new-1"]), "192.168.1.144");
    let mut expected = pairs(1);
    expected.extend([142, 143].map(|last| (format!("192.168.1.{last}"), json!(OTHER))));
    expected.extend([144, 145].map(|last| (format!("192.168.1.{last}"), json!("pr-new-1"))));
    assert_eq!(vault.document(), json!(expected));
    let reads =
        vault.served.gate.log().iter().filter(|l| l.contains("GET") && l.ends_with("ip-allocations")).count();
    assert_eq!(reads, 3, "one read for each of two tries, and one that settles the conflict");
}

/// Version 0 was written without compare-and-set, so two first allocations both got .140.
#[test]
fn defect_2_two_first_allocations_get_two_blocks() {
    let vault = Vault::start();
    let sent = Arc::new(Mutex::new(Vec::new()));
    let (world, log) = (vault.served.world.clone(), sent.clone());
    vault.served.gate.rule(move |request| {
        if writes_pool(request) {
            let mut log = log.lock().unwrap();
            if log.is_empty() {
                old_tool_allocates(&mut world.lock().unwrap(), OTHER);
            }
            log.push(request.body["options"]["cas"].clone());
        }
        Verdict::Pass
    });
    one_vip(&User::of(&vault).berth(&["pool", "allocate", "pr-new-1"]), "192.168.1.142");
    assert_eq!(vault.document()["192.168.1.140"], OTHER);
    assert_eq!(*sent.lock().unwrap(), [json!(0), json!(1)], "every write says what it expects");
}

/// The last release wrote `_empty` without compare-and-set, over whatever had come meanwhile.
#[test]
fn defect_3_the_release_of_the_last_name_wipes_no_allocation() {
    let vault = Vault::with(json!(pairs(1)));
    old_tool_steps_between(&vault.served);
    let said = User::of(&vault).berth(&["pool", "release", "pr-shop-0"]);
    one_vip(&said, "192.168.1.140");
    assert_eq!(vault.document(), json!({"192.168.1.142": OTHER, "192.168.1.143": OTHER}));
}

/// A read that failed was taken for an empty pool, and the whole pool was written over.
#[test]
fn defect_4_an_outage_is_not_an_empty_pool() {
    for failures in [1, 2, usize::MAX] {
        for verb in [&["pool", "allocate", "pr-new-1"][..], &["pool", "check-capacity"], &["pool", "list"]] {
            let vault = Vault::with(json!(pairs(3)));
            let mut seen = 0;
            vault.served.gate.rule(move |_| {
                seen += 1;
                if seen <= failures { Verdict::json(503, &json!({"errors": []})) } else { Verdict::Pass }
            });
            unknown(&User::of(&vault).berth(verb));
            assert_eq!((vault.document(), vault.version()), (json!(pairs(3)), 1));
        }
    }
    // A 404 that is not Vault's own word says nothing about the pool either.
    let vault = Vault::with(json!(pairs(3)));
    vault.served.gate.rule(|_| Verdict::html(404, "<h1>not found</h1>"));
    unknown(&User::of(&vault).berth(&["pool", "allocate", "pr-new-1"]));
}

/// A release in an outage said that there was nothing to release, and one whose write failed said that it was done.
#[test]
fn defect_5_a_release_that_failed_says_so() {
    let vault = Vault::with(json!(pairs(1)));
    let user = User::of(&vault);
    let release = ["pool", "release", "pr-shop-0"];
    vault.served.gate.rule(|_| Verdict::json(503, &json!({"errors": []})));
    unknown(&user.berth(&release));
    vault.served.gate.rule(|request| match writes_pool(request) {
        true => Verdict::json(500, &json!({"errors": ["storage is full"]})),
        false => Verdict::Pass,
    });
    let said = user.berth(&release);
    unknown(&said);
    assert!(said.stderr.contains("storage is full"), "{}", said.seen());
    assert_eq!((vault.document(), vault.version()), (json!(pairs(1)), 1));
}

/// Asked again, it printed four lines, and the workflow that read them tore the live cluster down.
#[test]
fn defect_6_allocating_again_prints_exactly_one_address() {
    let vault = Vault::with(json!(pairs(2)));
    let user = User::of(&vault);
    for _ in 0..3 {
        one_vip(&user.berth(&["pool", "allocate", "pr-shop-1"]), "192.168.1.142");
    }
    assert_eq!(vault.version(), 1, "nothing was written for it");
    // Also where an entry of it had been lost.
    let mut half = pairs(2);
    half.remove("192.168.1.142");
    vault.put(json!(half));
    one_vip(&user.berth(&["pool", "allocate", "pr-shop-1"]), "192.168.1.142");
    assert_eq!(vault.document(), json!(pairs(2)));
}

/// `_empty` was counted as an allocation, and so was the junk of early versions.
#[test]
fn defect_7_the_placeholder_is_no_allocation() {
    let vault = Vault::with(json!({"_empty": "true", "data": {"192.168.1.148": "pr-ghost-1"}}));
    let user = User::of(&vault);
    let capacity = ["pool", "check-capacity"];
    assert_eq!(user.berth(&capacity).stdout, "Capacity available: 5 slots free\n");
    let listed = user.berth(&["pool", "list"]).stdout;
    assert!(listed.starts_with("Current IP Allocations (0/10 used):\nNo IPs"), "{listed}");
    assert!(!listed.contains("true") && !listed.contains("ghost"), "{listed}");
    let mut four = pairs(4);
    four.insert("_empty".to_owned(), json!("true"));
    vault.put(json!(four));
    assert_eq!(user.berth(&capacity).stdout, "Capacity available: 1 slots free\n");
    one_vip(&user.berth(&["pool", "allocate", "pr-shop-4"]), "192.168.1.148");
    assert_eq!(vault.document(), json!(pairs(5)), "the next write drops it");
    let said = user.berth(&capacity);
    assert_eq!((said.stdout.as_str(), said.code), ("At capacity: 0 of 5 slots free\n", 3));
    let said = user.berth(&["pool", "release", "true"]);
    assert_eq!((said.stdout.as_str(), said.code), ("", 0), "it is nobody's name");
}

/// A name with a space broke the command line of `vault`, and every failure was called a conflict and tried again.
#[test]
fn defect_8_a_name_with_a_space_is_a_usage_error_and_an_outage_is_no_conflict() {
    let vault = Vault::with(json!(pairs(1)));
    let user = User::of(&vault);
    for wrong in ["pr shop 1", "pr-shop-1\n", "a=b", "--", "$(id)", "pr-Shop-1"] {
        let said = user.berth(&["pool", "allocate", wrong]);
        assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{}", said.seen());
    }
    assert_eq!(vault.served.gate.log().len(), 0, "nothing was asked for it");
    let allocate = |verdict: Verdict| {
        let mut count = 0;
        vault.served.gate.rule(move |request| match writes_pool(request) {
            true => {
                count += 1;
                assert!(count < 3, "it is not tried again and again");
                verdict.clone()
            }
            false => Verdict::Pass,
        });
        let said = user.berth(&["pool", "allocate", "pr-new-1"]);
        unknown(&said);
        assert!(
            !said.stderr.contains("conflict") && !said.stderr.contains("somebody else"),
            "{}",
            said.seen()
        );
        said.stderr
    };
    let mut classes = String::new();
    for (status, error) in [
        (400, "check-and-set parameter required for this call"),
        (429, "request path \"kv\": rate limit quota exceeded"),
        (500, "storage is full"),
        (503, "Vault is sealed"),
    ] {
        classes += &allocate(Verdict::json(status, &json!({"errors": [error]})));
    }
    let read_only = [Rule::new("kv/*", &[Capability::Read, Capability::List])];
    vault.served.gate.open();
    vault
        .served
        .lock()
        .vault
        .add_token(CANARY, Grant { policy: Some(read_only.to_vec()), ..Grant::default() });
    let said = user.berth(&["pool", "allocate", "pr-new-1"]);
    unknown(&said);
    insta::assert_snapshot!(classes + &said.stderr, @r#"
    error: could not write kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 400: check-and-set parameter required for this call
    hint: is this the address of a Vault server, and its mount of type KV v2?
    error: could not write kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 429: request path "kv": rate limit quota exceeded
    hint: it may have landed all the same: the same command finds out; `vault status` tells more
    error: could not write kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 500: storage is full
    hint: it may have landed all the same: the same command finds out; `vault status` tells more
    error: could not write kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 503: Vault is sealed
    hint: it may have landed all the same: the same command finds out; `vault status` tells more
    error: could not write kv/ephemeral-clusters/ip-allocations on http://vault
      because: Vault answered 403: 1 error occurred: * permission denied
    hint: the token must not have expired, and its policy must allow `create, update` on `kv/data/ephemeral-clusters/ip-allocations`
    "#);
    assert_eq!((vault.document(), vault.version()), (json!(pairs(1)), 1));
}

/// A value was all that was known of a holder, so nobody could tell a dead one from one that was being set up.
#[test]
fn defect_9_a_claim_tells_who_holds_since_when_and_how_far_it_is() {
    let mut document = pairs(1);
    for (last, name) in [(142, "pr-web-7"), (143, "pr-web-7"), (144, "pr-docs-3"), (145, "pr-docs-3")] {
        document.insert(format!("192.168.1.{last}"), json!(name));
    }
    let vault = Vault::with(json!(document));
    vault.claim(&waiting("acme/web#7", 3).held(Some(block(142))).unwrap());
    vault.claim(&cooling("acme/docs#3", 1, 144, 4));
    let user = User::of(&vault);
    insta::assert_snapshot!(user.berth(&["pool", "list"]).stdout, @r"
    Current IP Allocations (6/10 used):
    192.168.1.140 -> pr-shop-0
    192.168.1.141 -> pr-shop-0
    192.168.1.142 -> pr-web-7 (acme/web#7, held, claimed 3 Jan 2020 12:00 UTC)
    192.168.1.143 -> pr-web-7 (acme/web#7, held, claimed 3 Jan 2020 12:00 UTC)
    192.168.1.144 -> pr-docs-3 (acme/docs#3, cooling until 4 Jan 2020 12:00 UTC)
    192.168.1.145 -> pr-docs-3 (acme/docs#3, cooling until 4 Jan 2020 12:00 UTC)

    Available IPs (2 of 5 blocks free):
    192.168.1.146-147
    192.168.1.148-149
    ");
    let listed = user.berth(&["pool", "list", "-o", "json"]).json();
    let claims: Vec<String> =
        listed["allocations"].as_array().unwrap().iter().step_by(2).map(|a| a["claim"].to_string()).collect();
    insta::assert_snapshot!(claims.join("\n"), @r#"
    null
    {"holder":"acme/web#7","name":"pr-web-7","since":"2020-01-03T12:00:00Z","state":"held"}
    {"holder":"acme/docs#3","name":"pr-docs-3","since":"2020-01-01T12:00:00Z","state":"cooling","until":"2020-01-04T12:00:00Z"}
    "#);
    assert_eq!(vault.document(), json!(document), "none of it is in the document that the old tool reads");
}

/// What the old tool sees of a document: `jq '.data.data // {}'`, every key an allocation.
fn old_view(document: &Value) -> usize {
    document.as_object().map_or(0, Map::len)
}

#[tokio::test]
async fn side_by_side_neither_loses_what_the_other_has() {
    let mut world = World::default();
    world.vault.add_token(CANARY, Grant::default());
    let served = Served::start(world).await.unwrap();
    let pools = pools(&served, "192.168.1.140-192.168.1.149");
    let vip = async |of: &str| match pools.allocate(&name(of)).await.unwrap() {
        Given::Pool(Allocation::New(block) | Allocation::Already(block)) => block.vip().octets()[3],
        other => panic!("{of}: {other:?}"),
    };
    let old = |of: &str| old_tool_allocates(&mut served.lock(), of);
    assert_eq!(vip("ours-1").await, 140);
    old("old-1");
    assert_eq!(vip("ours-2").await, 144);
    old("old-2");
    assert_eq!((vip("ours-1").await, vip("ours-2").await), (140, 144));
    // Both give something back, and both take again.
    assert!(
        matches!(pools.release(&name("old-1")).await.unwrap(), Released::Freed(freed) if freed.len() == 2)
    );
    old("old-3");
    assert_eq!(vip("ours-3").await, 148);
    assert_eq!(pools.allocate(&name("ours-4")).await.unwrap(), Given::Pool(Allocation::Full));
    let names = ["ours-1", "old-3", "ours-2", "old-2", "ours-3"];
    let expected: Map<String, Value> =
        (140..150).map(|last| (format!("192.168.1.{last}"), json!(names[(last - 140) / 2]))).collect();
    assert_eq!(document(&served), json!(expected));
}

#[tokio::test]
async fn the_old_tool_understands_what_we_leave_behind() {
    let mut world = World::default();
    world.vault.add_token(CANARY, Grant::default());
    // What early versions and other people left there, beside one allocation.
    let found = json!({
        "_empty": "true", "data": "junk", "note": "call Bob", "10.0.0.1": "printer",
        "192.168.1.140": "pr-shop-0", "192.168.1.141": "pr-shop-0",
    });
    world.vault.put(DOCUMENT, found.as_object().unwrap().clone());
    let served = Served::start(world).await.unwrap();
    let pools = pools(&served, "192.168.1.140-192.168.1.149");
    pools.release(&name("pr-shop-0")).await.unwrap();
    assert_eq!(
        document(&served),
        json!({"note": "call Bob", "10.0.0.1": "printer"}),
        "foreign entries are kept"
    );
    served.lock().vault.put(DOCUMENT, pairs(1));
    pools.release(&name("pr-shop-0")).await.unwrap();
    assert_eq!(document(&served), json!({}), "an empty pool is an empty object");
    assert_eq!(old_view(&document(&served)), 0);
    old_tool_allocates(&mut served.lock(), OTHER);
    assert_eq!(document(&served)["192.168.1.140"], OTHER);
    // Whatever else it reads or writes: an address and a name, both texts.
    pools.allocate(&name("pr-new-1")).await.unwrap();
    let all = document(&served);
    assert_eq!(old_view(&all), 4);
    assert!(all.as_object().unwrap().values().all(Value::is_string));
}
