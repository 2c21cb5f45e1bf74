//! The pool: which blocks there are, who gets one, and that a document which another tool writes too loses nothing.

use berth::domain::{
    names::EnvironmentName,
    pool::{Allocation, Block, Layout, Pool, Range, Standing},
};
use proptest::{prelude::*, sample::select};
use serde_json::{Map, Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    net::Ipv4Addr,
};

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 168, 1, last)
}

fn env(name: &str) -> EnvironmentName {
    name.parse().expect("a name")
}

fn block(first: Ipv4Addr, size: u8) -> Block {
    Block::new(first, size.try_into().expect("not 0")).expect("a block")
}

fn layout(range: &str, size: u8, align: u8, exclude: &[Ipv4Addr]) -> Layout {
    Layout {
        range: range.parse().expect("a range"),
        exclude: exclude.iter().copied().collect(),
        size: size.try_into().expect("not 0"),
        align: align.try_into().expect("not 0"),
    }
}

/// What is there today: five pairs, the VIP even.
fn pairs() -> Layout {
    layout("192.168.1.140-192.168.1.149", 2, 2, &[])
}

fn pool(document: Value) -> Pool {
    let Value::Object(document) = document else { panic!("a document is an object") };
    Pool::parse(&document)
}

fn document(pool: &Pool) -> Value {
    Value::Object(pool.document())
}

fn none() -> BTreeSet<Ipv4Addr> {
    BTreeSet::new()
}

/// How many blocks are free, as `check-capacity` counts them.
fn capacity(pool: &Pool, layout: &Layout) -> usize {
    layout.blocks().filter(|block| block.addresses().all(|a| pool.holder(a).is_none())).count()
}

fn blocks(layout: &Layout) -> String {
    let shown: Vec<_> = layout.blocks().map(|block| block.to_string()).collect();
    if shown.is_empty() { "none".to_owned() } else { shown.join(" ") }
}

#[test]
fn a_range_is_read_in_four_spellings_and_no_other() {
    let texts = [
        "192.168.1.140-192.168.1.149",
        "192.168.1.140-149",
        " 192.168.1.140 - 149 ",
        "192.168.1.140-140",
        "192.168.1.140",
        "10.0.0.0-10.0.255.255",
        "10.0.0.0-10.1.0.0",
        "0.0.0.0-255.255.255.255",
        "255.255.255.255",
        "192.168.1.0/28",
        "192.168.1.9/28",
        "192.168.1.0/30",
        "192.168.1.0/31",
        "192.168.1.7/32",
        "10.0.0.0/16",
        "10.0.0.0/15",
        "10.0.0.0/8",
        "10.0.0.0/0",
        "10.0.0.0/33",
        "10.0.0.0/+28",
        "10.0.0.0/028",
        "10.0.0.0/-1",
        "10.0.0.0/",
        "192.168.1.149-192.168.1.140",
        "192.168.1.149-140",
        "192.168.1.140-256",
        "192.168.1.140-+149",
        "192.168.1.140-0149",
        "192.168.1.140-1.149",
        "192.168.1.140--149",
        "192.168.1.140-",
        "-192.168.1.140",
        "192.168.1.140-141-142",
        "192.168.01.140",
        "192.168.1",
        "3232235916",
        "0xc0a8018c",
        "fd00::1-fd00::9",
        "::ffff:192.168.1.1",
        "192.168.1.١٤٠",
        "192.168.1.140-１４９",
        "192.168.1.140–149",
        "192.168.1.140\n",
        "example.org",
        "",
    ];
    let mut table = String::new();
    for text in texts {
        let read = text.parse::<Range>().map_or_else(|_| "refused".to_owned(), |range| range.to_string());
        writeln!(table, "{:<32} {read}", format!("{text:?}")).unwrap();
    }
    insta::assert_snapshot!(table, @r#"
    "192.168.1.140-192.168.1.149"    192.168.1.140-192.168.1.149
    "192.168.1.140-149"              192.168.1.140-192.168.1.149
    " 192.168.1.140 - 149 "          192.168.1.140-192.168.1.149
    "192.168.1.140-140"              192.168.1.140-192.168.1.140
    "192.168.1.140"                  192.168.1.140-192.168.1.140
    "10.0.0.0-10.0.255.255"          10.0.0.0-10.0.255.255
    "10.0.0.0-10.1.0.0"              refused
    "0.0.0.0-255.255.255.255"        refused
    "255.255.255.255"                255.255.255.255-255.255.255.255
    "192.168.1.0/28"                 192.168.1.1-192.168.1.14
    "192.168.1.9/28"                 192.168.1.1-192.168.1.14
    "192.168.1.0/30"                 192.168.1.1-192.168.1.2
    "192.168.1.0/31"                 192.168.1.0-192.168.1.1
    "192.168.1.7/32"                 192.168.1.7-192.168.1.7
    "10.0.0.0/16"                    10.0.0.1-10.0.255.254
    "10.0.0.0/15"                    refused
    "10.0.0.0/8"                     refused
    "10.0.0.0/0"                     refused
    "10.0.0.0/33"                    refused
    "10.0.0.0/+28"                   refused
    "10.0.0.0/028"                   refused
    "10.0.0.0/-1"                    refused
    "10.0.0.0/"                      refused
    "192.168.1.149-192.168.1.140"    refused
    "192.168.1.149-140"              refused
    "192.168.1.140-256"              refused
    "192.168.1.140-+149"             refused
    "192.168.1.140-0149"             refused
    "192.168.1.140-1.149"            refused
    "192.168.1.140--149"             refused
    "192.168.1.140-"                 refused
    "-192.168.1.140"                 refused
    "192.168.1.140-141-142"          refused
    "192.168.01.140"                 refused
    "192.168.1"                      refused
    "3232235916"                     refused
    "0xc0a8018c"                     refused
    "fd00::1-fd00::9"                refused
    "::ffff:192.168.1.1"             refused
    "192.168.1.١٤٠"                  refused
    "192.168.1.140-１４９"              refused
    "192.168.1.140–149"              refused
    "192.168.1.140\n"                192.168.1.140-192.168.1.140
    "example.org"                    refused
    ""                               refused
    "#);
}

#[test]
fn a_refused_range_is_told_how_to_be_written() {
    let error = "192.168.1.149-140".parse::<Range>().unwrap_err();
    insta::assert_snapshot!(error, @r#""192.168.1.149-140" is no IPv4 range: 192.168.1.140-192.168.1.149, 192.168.1.140-149, 192.168.1.0/28 or one address, of at most 65536"#);
}

#[test]
fn the_default_pool_is_the_five_pairs_that_the_shell_tool_gives() {
    let vips: Vec<_> = pairs().blocks().map(Block::vip).collect();
    assert_eq!(vips, [ip(140), ip(142), ip(144), ip(146), ip(148)]);
    assert_eq!(block(ip(140), 2).addresses().collect::<Vec<_>>(), [ip(140), ip(141)]);
}

#[test]
fn a_layout_gives_every_whole_aligned_block_that_is_not_excluded() {
    let rows = [
        ("192.168.1.140-149", 1, 1, &[][..]),
        ("192.168.1.140-149", 2, 1, &[]),
        ("192.168.1.140-149", 2, 2, &[]),
        ("192.168.1.140-149", 3, 1, &[]),
        ("192.168.1.140-149", 3, 2, &[]),
        ("192.168.1.140-149", 4, 2, &[]),
        ("192.168.1.140-149", 4, 4, &[]),
        ("192.168.1.140-149", 2, 2, &[140]),
        ("192.168.1.140-149", 2, 2, &[143, 148, 200]),
        ("192.168.1.140-149", 2, 2, &[140, 142, 144, 146, 148]),
        ("192.168.1.141-149", 2, 2, &[]),
        ("192.168.1.141-149", 2, 1, &[]),
        ("192.168.1.141-141", 2, 2, &[]),
        ("192.168.1.141-142", 2, 2, &[]),
        ("192.168.1.140", 1, 1, &[]),
        ("192.168.1.140", 2, 1, &[]),
        ("192.168.1.140-149", 11, 1, &[]),
        ("192.168.1.0/28", 2, 2, &[]),
        ("192.168.1.252-192.168.2.5", 4, 2, &[]),
        ("192.168.1.254-192.168.2.5", 4, 2, &[]),
        ("255.255.255.250-255", 2, 2, &[]),
        ("255.255.255.254-255", 2, 2, &[]),
        ("255.255.255.254-255", 3, 1, &[]),
        ("255.255.255.255", 1, 1, &[]),
        ("255.255.255.255", 2, 2, &[]),
        ("255.255.255.255", 255, 255, &[]),
        ("0.0.0.0-3", 2, 2, &[]),
    ];
    let mut table = String::new();
    for (range, size, align, exclude) in rows {
        let excluded: Vec<_> = exclude.iter().copied().map(ip).collect();
        let shown = blocks(&layout(range, size, align, &excluded));
        writeln!(table, "{range}, {size} at multiples of {align}, without {exclude:?}\n  {shown}").unwrap();
    }
    insta::assert_snapshot!(table, @r"
    192.168.1.140-149, 1 at multiples of 1, without []
      192.168.1.140 192.168.1.141 192.168.1.142 192.168.1.143 192.168.1.144 192.168.1.145 192.168.1.146 192.168.1.147 192.168.1.148 192.168.1.149
    192.168.1.140-149, 2 at multiples of 1, without []
      192.168.1.140-141 192.168.1.142-143 192.168.1.144-145 192.168.1.146-147 192.168.1.148-149
    192.168.1.140-149, 2 at multiples of 2, without []
      192.168.1.140-141 192.168.1.142-143 192.168.1.144-145 192.168.1.146-147 192.168.1.148-149
    192.168.1.140-149, 3 at multiples of 1, without []
      192.168.1.140-142 192.168.1.143-145 192.168.1.146-148
    192.168.1.140-149, 3 at multiples of 2, without []
      192.168.1.140-142 192.168.1.144-146
    192.168.1.140-149, 4 at multiples of 2, without []
      192.168.1.140-143 192.168.1.144-147
    192.168.1.140-149, 4 at multiples of 4, without []
      192.168.1.140-143 192.168.1.144-147
    192.168.1.140-149, 2 at multiples of 2, without [140]
      192.168.1.142-143 192.168.1.144-145 192.168.1.146-147 192.168.1.148-149
    192.168.1.140-149, 2 at multiples of 2, without [143, 148, 200]
      192.168.1.140-141 192.168.1.144-145 192.168.1.146-147
    192.168.1.140-149, 2 at multiples of 2, without [140, 142, 144, 146, 148]
      none
    192.168.1.141-149, 2 at multiples of 2, without []
      192.168.1.142-143 192.168.1.144-145 192.168.1.146-147 192.168.1.148-149
    192.168.1.141-149, 2 at multiples of 1, without []
      192.168.1.141-142 192.168.1.143-144 192.168.1.145-146 192.168.1.147-148
    192.168.1.141-141, 2 at multiples of 2, without []
      none
    192.168.1.141-142, 2 at multiples of 2, without []
      none
    192.168.1.140, 1 at multiples of 1, without []
      192.168.1.140
    192.168.1.140, 2 at multiples of 1, without []
      none
    192.168.1.140-149, 11 at multiples of 1, without []
      none
    192.168.1.0/28, 2 at multiples of 2, without []
      192.168.1.2-3 192.168.1.4-5 192.168.1.6-7 192.168.1.8-9 192.168.1.10-11 192.168.1.12-13
    192.168.1.252-192.168.2.5, 4 at multiples of 2, without []
      192.168.1.252-255 192.168.2.0-3
    192.168.1.254-192.168.2.5, 4 at multiples of 2, without []
      192.168.1.254-192.168.2.1 192.168.2.2-5
    255.255.255.250-255, 2 at multiples of 2, without []
      255.255.255.250-251 255.255.255.252-253 255.255.255.254-255
    255.255.255.254-255, 2 at multiples of 2, without []
      255.255.255.254-255
    255.255.255.254-255, 3 at multiples of 1, without []
      none
    255.255.255.255, 1 at multiples of 1, without []
      255.255.255.255
    255.255.255.255, 2 at multiples of 2, without []
      none
    255.255.255.255, 255 at multiples of 255, without []
      none
    0.0.0.0-3, 2 at multiples of 2, without []
      0.0.0.0-1 0.0.0.2-3
    ");
}

#[test]
fn a_pool_of_65536_addresses_is_laid_out_whole() {
    assert_eq!(layout("10.0.0.0-10.0.255.255", 2, 2, &[]).blocks().count(), 32768);
    assert_eq!(
        layout("10.0.0.0-10.0.255.255", 255, 255, &[]).blocks().last().unwrap().vip(),
        Ipv4Addr::new(10, 0, 254, 246)
    );
}

#[test]
fn a_block_shows_where_it_ends_even_behind_the_last_dot() {
    assert_eq!(block(ip(140), 1).to_string(), "192.168.1.140");
    assert_eq!(block(ip(140), 2).to_string(), "192.168.1.140-141");
    assert_eq!(block(ip(254), 4).to_string(), "192.168.1.254-192.168.2.1");
}

#[test]
fn a_block_never_runs_past_the_last_address() {
    let last = Ipv4Addr::new(255, 255, 255, 255);
    assert_eq!(block(last, 1).addresses().collect::<Vec<_>>(), [last]);
    assert_eq!(Block::new(last, 2.try_into().unwrap()), None);
    assert_eq!(
        Block::new(Ipv4Addr::new(255, 255, 255, 1), 255.try_into().unwrap()).unwrap().addresses().last(),
        Some(last)
    );
}

#[test]
fn a_block_is_written_as_its_addresses_and_read_only_if_they_follow_one_another() {
    let pair = block(ip(140), 2);
    assert_eq!(serde_json::to_value(pair).unwrap(), json!(["192.168.1.140", "192.168.1.141"]));
    for size in [1, 2, 3, 255] {
        let block = block(ip(140), size);
        let written = serde_json::to_value(block).unwrap();
        assert_eq!(serde_json::from_value::<Block>(written).unwrap(), block);
    }
    let many: Vec<_> = (0..=255).map(|i| ip(i).to_string()).collect();
    for wrong in [
        json!([]),
        json!(["192.168.1.141", "192.168.1.140"]),
        json!(["192.168.1.140", "192.168.1.142"]),
        json!(["192.168.1.140", "192.168.1.140"]),
        json!(["255.255.255.255", "0.0.0.0"]),
        json!(["192.168.1.140", "x"]),
        json!("192.168.1.140"),
        json!(many),
    ] {
        let error = serde_json::from_value::<Block>(wrong.clone()).unwrap_err().to_string();
        assert!(error.len() < 250, "{error}");
    }
}

#[test]
fn an_empty_pool_is_an_empty_document() {
    for empty in
        [json!({}), json!({"_empty": "true"}), json!({"data": {}}), json!({"data": "x", "_empty": true})]
    {
        assert_eq!(pool(empty.clone()), Pool::default());
        assert_eq!(document(&pool(empty)), json!({}));
    }
    let mut pool = pool(json!({"192.168.1.140": "pr-x-1", "192.168.1.141": "pr-x-1"}));
    pool.free(&env("pr-x-1"));
    assert_eq!(document(&pool), json!({}));
}

#[test]
fn only_the_junk_of_early_versions_is_dropped_and_whatever_else_is_found_stays() {
    let before = json!({
        "_empty": "true",
        "data": {"192.168.1.142": "pr-old-1"},
        "note": "do not touch .150",
        "_EMPTY": "x",
        "datas": "y",
        "192.168.01.140": "pr-odd-1",
        "fd00::1": "pr-six-1",
        "192.168.1.142": {"cluster": "pr-x-1"},
        "192.168.1.144": null,
        "192.168.1.146": 7,
        "192.168.1.200": "router",
        "10.0.0.1": "Not A Name",
    });
    let mut pool = pool(before);
    let given = pool.allocate(&env("pr-x-1"), &pairs(), &none());
    assert_eq!(given, Allocation::New(block(ip(140), 2)));
    pool.free(&env("router"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&document(&pool)).unwrap(), @r#"
    {
      "10.0.0.1": "Not A Name",
      "192.168.01.140": "pr-odd-1",
      "192.168.1.140": "pr-x-1",
      "192.168.1.141": "pr-x-1",
      "192.168.1.142": {
        "cluster": "pr-x-1"
      },
      "192.168.1.144": null,
      "192.168.1.146": 7,
      "_EMPTY": "x",
      "datas": "y",
      "fd00::1": "pr-six-1",
      "note": "do not touch .150"
    }
    "#);
}

#[test]
fn an_address_is_taken_whatever_its_value_is() {
    let mut pool = pool(json!({
        "192.168.1.140": null, "192.168.1.142": "", "192.168.1.144": {}, "192.168.1.147": false, "192.168.1.149": ["pr-x-1"],
    }));
    assert_eq!(capacity(&pool, &pairs()), 0);
    assert_eq!(pool.allocate(&env("pr-x-1"), &pairs(), &none()), Allocation::Full);
    let shown: Vec<_> = pool.entries().map(|(address, holder)| format!("{address} {holder}")).collect();
    assert_eq!(
        shown,
        [
            "192.168.1.140 null",
            "192.168.1.142 ",
            "192.168.1.144 {}",
            "192.168.1.147 false",
            "192.168.1.149 [\"pr-x-1\"]"
        ]
    );
}

#[test]
fn a_marker_is_not_an_allocation() {
    let five = capacity(&pool(json!({"_empty": "true"})), &pairs());
    assert_eq!(five, 5, "the shell tool says 4");
    let mut four = Map::new();
    for last in 140..148 {
        four.insert(ip(last).to_string(), json!(format!("pr-x-{}", last / 2)));
    }
    four.insert("_empty".to_owned(), json!("true"));
    let mut pool = Pool::parse(&four);
    assert_eq!(capacity(&pool, &pairs()), 1, "the shell tool says 0");
    assert_eq!(pool.entries().count(), 8);
    assert_eq!(pool.allocate(&env("pr-y-1"), &pairs(), &none()), Allocation::New(block(ip(148), 2)));
}

#[test]
fn entries_outside_of_the_range_take_no_place_in_it() {
    let pool =
        pool(json!({"192.168.1.138": "a", "192.168.1.139": "a", "192.168.1.150": "b", "10.0.0.140": "c"}));
    assert_eq!(capacity(&pool, &pairs()), 5);
    assert_eq!(pool.document().len(), 4);
}

#[test]
fn an_odd_half_of_anothers_makes_its_whole_block_theirs() {
    let mut pool = pool(json!({"192.168.1.141": "pr-other-1"}));
    assert_eq!(capacity(&pool, &pairs()), 4);
    assert_eq!(pool.allocate(&env("pr-x-1"), &pairs(), &none()), Allocation::New(block(ip(142), 2)));
}

#[test]
fn asking_again_gives_the_same_block_and_changes_nothing() {
    let mut pool = Pool::default();
    let name = env("pr-x-1");
    assert_eq!(pool.allocate(&name, &pairs(), &none()), Allocation::New(block(ip(140), 2)));
    let once = pool.clone();
    assert_eq!(pool.allocate(&name, &pairs(), &none()), Allocation::Already(block(ip(140), 2)));
    assert_eq!(pool, once);
}

#[test]
fn what_claims_and_live_clusters_have_is_not_given_although_the_document_lost_it() {
    let taken = BTreeSet::from([ip(140), ip(143), ip(200)]);
    let mut pool = Pool::default();
    assert_eq!(pool.allocate(&env("pr-x-1"), &pairs(), &taken), Allocation::New(block(ip(144), 2)));
    let all = (140..150).map(ip).collect();
    assert_eq!(pool.allocate(&env("pr-y-1"), &pairs(), &all), Allocation::Full);
    assert!(pool.held_by(&env("pr-y-1")).is_empty());
}

#[test]
fn a_block_that_is_had_in_part_is_completed_while_its_rest_is_nobodys() {
    let (name, half) = (env("pr-x-1"), json!({"192.168.1.145": "pr-x-1"}));
    let mut completed = pool(half.clone());
    assert_eq!(completed.allocate(&name, &pairs(), &none()), Allocation::Completed(block(ip(144), 2)));
    assert_eq!(completed.held_by(&name), [ip(144), ip(145)]);

    let mut anothers = pool(json!({"192.168.1.145": "pr-x-1", "192.168.1.144": "pr-y-1"}));
    assert_eq!(anothers.allocate(&name, &pairs(), &none()), Allocation::New(block(ip(140), 2)));
    assert_eq!(anothers.held_by(&env("pr-y-1")), [ip(144)]);
    anothers.free(&name);
    assert_eq!(document(&anothers), json!({"192.168.1.144": "pr-y-1"}), "the old half goes with the name");

    let mut taken = pool(half);
    assert_eq!(
        taken.allocate(&name, &pairs(), &BTreeSet::from([ip(144)])),
        Allocation::New(block(ip(140), 2))
    );
}

#[test]
fn a_whole_block_goes_before_one_that_is_had_in_part() {
    let name = env("pr-x-1");
    let mut pool =
        pool(json!({"192.168.1.140": "pr-x-1", "192.168.1.144": "pr-x-1", "192.168.1.145": "pr-x-1"}));
    assert_eq!(pool.allocate(&name, &pairs(), &none()), Allocation::Already(block(ip(144), 2)));
}

#[test]
fn restoring_puts_back_what_nobody_else_has_and_says_who_else_has_it() {
    let (name, pair) = (env("pr-x-1"), block(ip(144), 2));
    let rows = [
        (json!({"192.168.1.144": "pr-x-1", "192.168.1.145": "pr-x-1"}), none()),
        (json!({"192.168.1.144": "pr-x-1", "192.168.1.145": "pr-x-1"}), BTreeSet::from([ip(144)])),
        (json!({"192.168.1.144": "pr-x-1"}), none()),
        (json!({"192.168.1.145": "pr-x-1"}), none()),
        (json!({}), none()),
        (json!({}), BTreeSet::from([ip(143), ip(146)])),
        (json!({}), BTreeSet::from([ip(145)])),
        (json!({"192.168.1.144": "pr-x-1"}), BTreeSet::from([ip(145)])),
        (json!({"192.168.1.145": "pr-x-12"}), none()),
        (json!({"192.168.1.144": "pr-x-1", "192.168.1.145": "pr-y-1"}), none()),
        (json!({"192.168.1.144": "pr-y-1", "192.168.1.145": "pr-z-1"}), none()),
        (json!({"192.168.1.144": null}), none()),
    ];
    let mut table = String::new();
    for (before, taken) in rows {
        let mut pool = pool(before.clone());
        let standing = pool.restore(&name, pair, &taken);
        let after = document(&pool);
        let change = if after == before { "unchanged".to_owned() } else { after.to_string() };
        let said = match standing {
            Standing::Whole => "whole".to_owned(),
            Standing::PutBack => "put back".to_owned(),
            Standing::Lost { address, to } => format!("lost {address} to {to}"),
        };
        writeln!(table, "{before}, taken {taken:?}\n  {said}: {change}").unwrap();
    }
    insta::assert_snapshot!(table, @r#"
    {"192.168.1.144":"pr-x-1","192.168.1.145":"pr-x-1"}, taken {}
      whole: unchanged
    {"192.168.1.144":"pr-x-1","192.168.1.145":"pr-x-1"}, taken {192.168.1.144}
      whole: unchanged
    {"192.168.1.144":"pr-x-1"}, taken {}
      put back: {"192.168.1.144":"pr-x-1","192.168.1.145":"pr-x-1"}
    {"192.168.1.145":"pr-x-1"}, taken {}
      put back: {"192.168.1.144":"pr-x-1","192.168.1.145":"pr-x-1"}
    {}, taken {}
      put back: {"192.168.1.144":"pr-x-1","192.168.1.145":"pr-x-1"}
    {}, taken {192.168.1.143, 192.168.1.146}
      put back: {"192.168.1.144":"pr-x-1","192.168.1.145":"pr-x-1"}
    {}, taken {192.168.1.145}
      lost 192.168.1.145 to another claim or cluster: unchanged
    {"192.168.1.144":"pr-x-1"}, taken {192.168.1.145}
      lost 192.168.1.145 to another claim or cluster: unchanged
    {"192.168.1.145":"pr-x-12"}, taken {}
      lost 192.168.1.145 to pr-x-12: unchanged
    {"192.168.1.144":"pr-x-1","192.168.1.145":"pr-y-1"}, taken {}
      lost 192.168.1.145 to pr-y-1: unchanged
    {"192.168.1.144":"pr-y-1","192.168.1.145":"pr-z-1"}, taken {}
      lost 192.168.1.144 to pr-y-1: unchanged
    {"192.168.1.144":null}, taken {}
      lost 192.168.1.144 to null: unchanged
    "#);
}

#[test]
fn a_name_that_is_a_prefix_of_another_is_not_freed_with_it() {
    let names = ["pr-x-4", "pr-x-42", "pr-x-4-2", "x-4", "PR-X-4", " pr-x-4", "pr-x-4 ", "pr-x-04"];
    let before: Map<_, _> =
        names.iter().zip(140..).map(|(name, last)| (ip(last).to_string(), json!(name))).collect();
    let mut pool = Pool::parse(&before);
    assert_eq!(pool.held_by(&env("pr-x-4")), [ip(140)]);
    pool.free(&env("pr-x-4"));
    let mut after = before;
    after.remove("192.168.1.140");
    assert_eq!(pool.document(), after);
}

#[test]
fn a_name_is_freed_wherever_it_stands_and_a_second_time_is_nothing() {
    let mut pool = pool(
        json!({"10.9.9.9": "pr-x-1", "192.168.1.140": "pr-x-1", "192.168.1.149": "pr-x-1", "note": "pr-x-1"}),
    );
    pool.free(&env("pr-x-1"));
    assert_eq!(document(&pool), json!({"note": "pr-x-1"}));
    let once = pool.clone();
    pool.free(&env("pr-x-1"));
    assert_eq!(pool, once);
}

/// What happens to a pool: we, and whoever else writes the document.
#[derive(Debug, Clone)]
enum Event {
    Allocate(usize),
    Free(usize),
    /// Written by others beside us, as by the shell tool: where nobody has anything.
    Foreign(String, Value),
}

const OURS: [&str; 6] = ["pr-x-4", "pr-x-42", "pr-x-4-2", "pr-shop-1", "x", "mg-shop-0123"];

fn events() -> impl Strategy<Value = Vec<Event>> {
    let key = prop_oneof![
        4 => (136u8..156).prop_map(|last| ip(last).to_string()),
        1 => select(vec!["_empty", "data", "note", "192.168.001.140", "::1"]).prop_map(str::to_owned),
    ];
    let value =
        select(vec![json!("pr-old-1"), json!("Not A Name"), json!(7), json!(null), json!({"a": "pr-x-4"})]);
    let event = prop_oneof![
        5 => (0..OURS.len()).prop_map(Event::Allocate),
        3 => (0..OURS.len()).prop_map(Event::Free),
        2 => (key, value).prop_map(|(key, value)| Event::Foreign(key, value)),
    ];
    prop::collection::vec(event, 0..40)
}

fn layouts() -> impl Strategy<Value = Layout> {
    (1u8..=4, 1u8..=4, prop::collection::btree_set(138u8..152, 0..3)).prop_map(|(size, align, exclude)| {
        layout("192.168.1.138-151", size, align, &exclude.into_iter().map(ip).collect::<Vec<_>>())
    })
}

proptest! {
    #[test]
    fn no_address_is_given_twice_and_nothing_of_others_is_lost(
        events in events(),
        layout in layouts(),
        taken in prop::collection::btree_set((138u8..152).prop_map(ip), 0..3),
    ) {
        let mut document = Map::new();
        let (mut held, mut foreign) = (BTreeMap::<usize, Block>::new(), Map::new());
        for event in events {
            let mut pool = Pool::parse(&document);
            match event {
                Event::Allocate(i) => {
                    let free = layout.blocks().any(|b| {
                        b.addresses().all(|a| {
                            let others = held.values().any(|h| h.addresses().any(|x| x == a));
                            !others && !taken.contains(&a) && !foreign.contains_key(&a.to_string())
                        })
                    });
                    match pool.allocate(&env(OURS[i]), &layout, &taken) {
                        Allocation::Already(block) => prop_assert_eq!(held.get(&i), Some(&block)),
                        Allocation::New(block) => {
                            prop_assert!(free && layout.blocks().any(|b| b == block));
                            prop_assert_eq!(held.insert(i, block), None);
                        }
                        Allocation::Full => prop_assert!(!free && !held.contains_key(&i)),
                        Allocation::Completed(block) => prop_assert!(false, "nothing was half: {block}"),
                    }
                }
                Event::Free(i) => {
                    pool.free(&env(OURS[i]));
                    held.remove(&i);
                }
                Event::Foreign(key, value) => {
                    if !pool.document().contains_key(&key) {
                        document.insert(key.clone(), value.clone());
                        if !matches!(key.as_str(), "_empty" | "data") {
                            foreign.insert(key, value);
                        }
                        pool = Pool::parse(&document);
                    }
                }
            }
            document = pool.document();
            prop_assert_eq!(&Pool::parse(&document), &pool);
            prop_assert_eq!(Pool::parse(&document).document(), document.clone());

            // All that the document says is what we gave and what others wrote: so free and held are disjoint.
            let ours: Vec<_> = held.iter().flat_map(|(i, block)| block.addresses().map(|a| (a, OURS[*i]))).collect();
            let distinct: BTreeSet<_> = ours.iter().map(|(a, _)| *a).collect();
            prop_assert_eq!(distinct.len(), ours.len());
            prop_assert_eq!(ours.len(), held.len() * usize::from(layout.size.get()));
            prop_assert!(distinct.is_disjoint(&taken) && distinct.is_disjoint(&layout.exclude));
            let mut expected = foreign.clone();
            expected.extend(ours.into_iter().map(|(address, name)| (address.to_string(), json!(name))));
            prop_assert_eq!(&document, &expected);
        }
    }

    #[test]
    fn whatever_the_document_says_nobody_loses_an_entry_by_our_taking_and_freeing(
        before in prop::collection::btree_map(
            prop_oneof![(138u8..152).prop_map(|last| ip(last).to_string()), "[ -~]{0,20}"],
            select(vec![json!("pr-x-4"), json!("pr-x-42"), json!("other"), json!(1)]),
            0..16,
        ),
        layout in layouts(),
        taken in prop::collection::btree_set((138u8..152).prop_map(ip), 0..3),
    ) {
        let before: Map<_, _> = before.into_iter().filter(|(key, _)| key != "_empty" && key != "data").collect();
        let (name, mut pool) = (env("pr-x-4"), Pool::parse(&before));
        let had = pool.held_by(&name);
        match pool.allocate(&name, &layout, &taken) {
            Allocation::Already(_) | Allocation::Full => prop_assert_eq!(&pool.document(), &before),
            Allocation::Completed(block) | Allocation::New(block) => {
                for address in block.addresses() {
                    let was = before.get(&address.to_string());
                    prop_assert!(had.contains(&address) || (was.is_none() && !taken.contains(&address)));
                    prop_assert_eq!(pool.holder(address), Some(&json!("pr-x-4")));
                }
                prop_assert!(before.iter().all(|(key, value)| pool.document().get(key) == Some(value)));
            }
        }
        pool.free(&name);
        let names_no_address = |key: &str| key.parse::<Ipv4Addr>().is_err();
        let others: Map<_, _> =
            before.into_iter().filter(|(key, value)| names_no_address(key) || *value != json!("pr-x-4")).collect();
        prop_assert_eq!(pool.document(), others);
    }

    #[test]
    fn any_text_is_a_range_that_is_read_again_as_it_is_shown_or_none(text in any::<String>(), near in "[0-9./ -]{7,33}") {
        for text in [text, near] {
            if let Ok(range) = text.parse::<Range>() {
                prop_assert_eq!(range.to_string().parse::<Range>().ok(), Some(range));
                prop_assert_eq!(serde_json::from_value::<Range>(json!(range)).ok(), Some(range));
            }
        }
    }
}
