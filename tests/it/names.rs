//! Names: whatever a payload, a flag or a document holds, it is refused, or every name made of it is one that DNS and
//! Kubernetes take; and two environments of one owner never share one.

use berth::domain::{
    holder::{Holder, PullRequest},
    names::{
        ClaimUid, ContextName, DnsName, EnvironmentName, Generation, HeadSha, Malformed, PrNumber, RepoName,
        ReservationId, RunId,
    },
};
use proptest::{prelude::*, sample::select};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{Debug, Display, Write},
    str::FromStr,
};

/// The greatest number that any JSON reader can hold.
const LAST_NUMBER: u64 = (1 << 53) - 1;

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

/// What people, bots and attackers call things.
fn hostile() -> Vec<String> {
    let fixed = [
        "",
        " ",
        ".",
        "..",
        "...",
        "/",
        "//",
        "a/b",
        "../..",
        "-",
        "--",
        "-a",
        "a-",
        "-a-",
        "---a",
        "_",
        "_a_",
        "a_b",
        ".github",
        ".git",
        "a.b",
        "a..b",
        "my.app",
        "my-app",
        "my_app",
        "My-App",
        "SHOP",
        "xn--",
        "xn--80ak6aa92e",
        SHA,
        "deadbeef",
        "0",
        "007",
        "1e9",
        "null",
        "true",
        "~",
        "@",
        "-rf",
        "--help",
        "$(id)",
        "`id`",
        "a;id",
        "a|b",
        "a&b",
        "a b",
        "a\tb",
        "a\nb",
        "a\r\nb",
        "a\0b",
        "\u{1b}[31m",
        "\u{7f}",
        "\u{85}",
        "\u{202e}gpj",
        "\u{feff}a",
        "a\u{ad}b",
        "'",
        "\"",
        "\\",
        "%2e%2e",
        "a%00",
        "{{ a }}",
        "${{ a }}",
        "::error::a",
        "\n::error::a",
        "ünïcode",
        "ｓｈｏｐ",
        "ѕhop",
        "日本",
        "🦀",
        "é",
        "e\u{301}",
        "٤٢",
        "ß",
        "ſ",
        "\u{212a}",
        "main",
        "refs/heads/main",
        "HEAD",
        "*",
        "?",
    ];
    let long = ["a", "-", ".", "_", "A", "é", "a.", "-a"].map(|part| part.repeat(255 / part.len()));
    let edge =
        [39, 40, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 100, 101, 253, 254].map(|n| "a".repeat(n));
    let dashed = [50, 51, 52, 53, 54, 55].map(|n| format!("{}-.{}", "a".repeat(n), "b".repeat(20)));
    fixed.iter().map(|s| (*s).to_owned()).chain(long).chain(edge).chain(dashed).collect()
}

/// RFC 1123, said once more and in another way than the code under test says it.
fn is_rfc_1123_label(text: &str) -> bool {
    let allowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
    (1..=63).contains(&text.len())
        && text.chars().all(|c| allowed.contains(c))
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn pull(repo: &str, number: u64) -> Holder {
    let number = number.try_into().expect("a number");
    Holder::PullRequest(PullRequest { repo: repo.parse().expect("a repository"), number })
}

fn name(holder: &Holder) -> String {
    holder.name().to_string()
}

fn host(holder: &Holder) -> String {
    holder.host(&"preview.example.org".parse().expect("a domain")).expect("a host").to_string()
}

fn assert_names_are_valid(holder: &Holder) {
    let name = name(holder);
    assert!(is_rfc_1123_label(&name), "{holder}: {name}");
    let host = host(holder);
    let label = host.strip_suffix(".preview.example.org").expect("a host lies under the domain");
    assert!(is_rfc_1123_label(label), "{holder}: {host}");
}

/// Every holder that the text can be a part of.
fn holders_of(text: &str) -> Vec<Holder> {
    let mut holders = Vec::new();
    if let Ok(repo) = format!("acme/{text}").parse::<RepoName>() {
        for number in [1, 42, LAST_NUMBER] {
            let number = PrNumber::try_from(number).expect("a number");
            holders.push(Holder::PullRequest(PullRequest { repo: repo.clone(), number }));
        }
        holders.push(Holder::MergeGroup { repo, head: SHA.parse().expect("a SHA") });
    }
    if let Ok(repo) = format!("{text}/shop").parse() {
        holders.push(Holder::MergeGroup { repo, head: SHA.repeat(2)[..64].parse().expect("a long SHA") });
    }
    if let Ok(name) = text.parse::<EnvironmentName>() {
        holders.push(Holder::Named(name.clone()));
        holders.push(Holder::Reservation { host: name, id: "r_1.A".parse().expect("an id") });
    }
    holders
}

#[test]
fn a_hostile_text_is_refused_or_makes_names_that_dns_and_kubernetes_take() {
    let mut taken = 0;
    for text in hostile() {
        let holders = holders_of(&text);
        holders.iter().for_each(assert_names_are_valid);
        taken += usize::from(!holders.is_empty());
    }
    assert!((40..80).contains(&taken), "neither all is refused nor all is taken: {taken}");
}

proptest! {
    #[test]
    fn any_text_is_refused_or_makes_names_that_dns_and_kubernetes_take(text in any::<String>()) {
        holders_of(&text).iter().for_each(assert_names_are_valid);
    }

    #[test]
    fn every_repository_that_github_allows_makes_names_that_dns_and_kubernetes_take(
        repo in "[A-Za-z0-9._-]{1,100}",
        number in 1..=LAST_NUMBER,
    ) {
        prop_assume!(repo != "." && repo != "..");
        let holder = pull(&format!("acme/{repo}"), number);
        assert_names_are_valid(&holder);
        let (front, back) = (format!("pr-{number}-"), format!("-{number}"));
        prop_assert!(name(&holder).starts_with("pr-") && name(&holder).ends_with(&back));
        prop_assert!(host(&holder).starts_with(&front));
    }
}

#[test]
fn a_name_is_verbatim_where_it_can_be_and_cut_and_hashed_where_it_cannot() {
    let repos = [
        ("acme/shop", 42),
        ("acme/shop", LAST_NUMBER),
        ("acme/My-Shop", 7),
        ("acme/xn--80ak6aa92e", 7),
        ("acme/-shop", 7),
        ("acme/shop-", 7),
        ("acme/my.app", 7),
        ("acme/my_app", 7),
        ("acme/.github", 7),
        ("acme/...", 7),
        ("acme/-", 7),
        (&format!("acme/{}", "a".repeat(58)), 7),
        (&format!("acme/{}", "a".repeat(59)), 7),
        (&format!("acme/{}b", "a".repeat(59)), 7),
        (&format!("acme/{}", "a".repeat(100)), LAST_NUMBER),
    ];
    let mut table = String::new();
    for (repo, number) in repos {
        let holder = pull(repo, number);
        writeln!(table, "{holder}\n  {}\n  {}", name(&holder), host(&holder)).expect("a String takes all");
    }
    insta::assert_snapshot!(table, @r"
    acme/shop#42
      pr-shop-42
      pr-42-shop.preview.example.org
    acme/shop#9007199254740991
      pr-shop-9007199254740991
      pr-9007199254740991-shop.preview.example.org
    acme/my-shop#7
      pr-my-shop-7
      pr-7-my-shop.preview.example.org
    acme/xn--80ak6aa92e#7
      pr-xn--80ak6aa92e-7
      pr-7-xn--80ak6aa92e.preview.example.org
    acme/-shop#7
      pr--shop-7
      pr-7--shop.preview.example.org
    acme/shop-#7
      pr-shop-8f3b1864cb-7
      pr-7-shop-8f3b1864cb.preview.example.org
    acme/my.app#7
      pr-my-app-3e608e168b-7
      pr-7-my-app-3e608e168b.preview.example.org
    acme/my_app#7
      pr-my-app-5d10b3fcb1-7
      pr-7-my-app-5d10b3fcb1.preview.example.org
    acme/.github#7
      pr-github-0785d4d7e9-7
      pr-7-github-0785d4d7e9.preview.example.org
    acme/...#7
      pr-36fc256e31-7
      pr-7-36fc256e31.preview.example.org
    acme/-#7
      pr-0dd8cd8e53-7
      pr-7-0dd8cd8e53.preview.example.org
    acme/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#7
      pr-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-7
      pr-7-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.preview.example.org
    acme/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#7
      pr-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-19f3ca3367-7
      pr-7-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-19f3ca3367.preview.example.org
    acme/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab#7
      pr-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-395be8577c-7
      pr-7-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-395be8577c.preview.example.org
    acme/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa#9007199254740991
      pr-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a52112a805-9007199254740991
      pr-9007199254740991-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-a52112a805.preview.example.org
    ");
}

#[test]
fn each_kind_of_holder_has_names_of_its_own() {
    let head: HeadSha = SHA.parse().unwrap();
    let machine: EnvironmentName = "bm-7".parse().unwrap();
    let long: EnvironmentName = "m".repeat(63).parse().unwrap();
    let holders = [
        pull("acme/shop", 42),
        Holder::MergeGroup { repo: "acme/shop".parse().unwrap(), head: head.clone() },
        Holder::MergeGroup { repo: "acme/my.app".parse().unwrap(), head },
        Holder::Reservation { host: machine, id: "R_1.a".parse().unwrap() },
        Holder::Reservation { host: long, id: "R_1.a".parse().unwrap() },
        Holder::Named("pr-shop-42".parse().unwrap()),
    ];
    let table: String = holders.iter().map(|h| format!("{h}\n  {}\n  {}\n", name(h), host(h))).collect();
    insta::assert_snapshot!(table, @r"
    acme/shop#42
      pr-shop-42
      pr-42-shop.preview.example.org
    merge group 0123456789ab of acme/shop
      mg-shop-0123456789ab
      mg-shop-0123456789ab.preview.example.org
    merge group 0123456789ab of acme/my.app
      mg-my-app-3e608e168b-0123456789ab
      mg-my-app-3e608e168b-0123456789ab.preview.example.org
    reservation R_1.a of bm-7
      host-bm-7
      host-bm-7.preview.example.org
    reservation R_1.a of mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm
      host-mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm-6e80a1cca9
      host-mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm-6e80a1cca9.preview.example.org
    pr-shop-42
      pr-shop-42
      pr-shop-42.preview.example.org
    ");
}

#[test]
fn the_name_has_the_repository_first_and_the_host_has_the_number_first() {
    let holder = pull("acme/shop", 42);
    assert_eq!(name(&holder), "pr-shop-42");
    assert_eq!(host(&holder), "pr-42-shop.preview.example.org");
}

#[test]
fn a_host_that_would_be_too_long_for_dns_is_an_error_and_no_panic() {
    let label = "d".repeat(63);
    let domain: DnsName = format!("{label}.{label}.{label}.{}", "d".repeat(61)).parse().unwrap();
    assert_eq!(domain.to_string().len(), 253);
    let error = pull("acme/shop", 42).host(&domain).unwrap_err().to_string();
    assert!(error.contains("is no DNS name"), "{error}");
}

/// No two of them may share a name, and no two may share a host.
fn assert_all_apart(pulls: impl IntoIterator<Item = (String, u64)>) {
    let (mut names, mut hosts) = (BTreeMap::new(), BTreeMap::new());
    for (repo, number) in pulls {
        let holder = pull(&format!("acme/{repo}"), number);
        for (seen, it) in [(&mut names, name(&holder)), (&mut hosts, host(&holder))] {
            if let Some(other) = seen.insert(it.clone(), holder.clone()).filter(|other| *other != holder) {
                panic!("{other} and {holder} are both {it}");
            }
        }
    }
}

#[test]
fn no_two_pull_requests_of_one_owner_share_a_name_or_a_host() {
    let letters = ["", "a", "b", "1", "2", "-", "_", "."];
    let mut repos = BTreeSet::new();
    for a in letters {
        for b in letters {
            for c in letters {
                for d in letters {
                    repos.insert(format!("{a}{b}{c}{d}"));
                }
            }
        }
    }
    let repos = repos.into_iter().filter(|repo| !matches!(repo.as_str(), "" | "." | ".."));
    assert_all_apart(repos.flat_map(|repo| [1, 2, 11, 12].map(|number| (repo.clone(), number))));
}

/// Repositories that look alike: the same words with other marks between them, or the same up to far behind the cut.
fn alike() -> impl Strategy<Value = Vec<(String, u64)>> {
    let mark = || select(vec!["-", "_", ".", "--", "-.", ""]);
    let marked = ("[a-z0-9]{1,8}", "[a-z0-9]{1,8}", prop::collection::vec((mark(), mark(), mark()), 2..6))
        .prop_map(|(a, b, marks)| {
            marks.iter().map(|(x, y, z)| format!("{x}{a}{y}{b}{z}")).collect::<Vec<_>>()
        });
    let cut = ("[a-z0-9._-]{30,90}", prop::collection::vec("[a-z0-9._-]{1,10}", 2..6))
        .prop_map(|(start, ends)| ends.iter().map(|end| format!("{start}{end}")).collect());
    let number = select(vec![1, 2, 11, 42, 421, LAST_NUMBER]);
    (prop_oneof![marked, cut], prop::collection::vec(number, 2)).prop_map(|(repos, numbers)| {
        repos.iter().flat_map(|r| numbers.iter().map(|n| (r.clone(), *n))).collect()
    })
}

proptest! {
    #[test]
    fn repositories_that_are_sanitised_or_cut_alike_stay_apart(pulls in alike()) {
        assert_all_apart(pulls);
    }

    #[test]
    fn case_does_not_make_another_environment(owner in "[A-Za-z0-9-]{1,39}", repo in "[A-Za-z0-9_-]{1,100}") {
        let spelled = pull(&format!("{owner}/{repo}"), 7);
        for other in [format!("{owner}/{repo}").to_uppercase(), format!("{owner}/{repo}").to_lowercase()] {
            let other = pull(&other, 7);
            prop_assert_eq!(&spelled, &other);
            prop_assert_eq!((name(&spelled), host(&spelled)), (name(&other), host(&other)));
        }
    }

    #[test]
    fn two_owners_of_a_repository_of_the_same_name_meet_on_a_name_that_is_verbatim(number in 1..=LAST_NUMBER) {
        let (ours, theirs) = (pull("acme/shop", number), pull("other/shop", number));
        prop_assert_eq!((name(&ours), host(&ours)), (name(&theirs), host(&theirs)));
        prop_assert_ne!(ours, theirs);
    }
}

#[test]
fn two_owners_do_not_meet_on_a_name_that_is_hashed() {
    let (ours, theirs) = (pull("acme/my.app", 7), pull("other/my.app", 7));
    assert_ne!(name(&ours), name(&theirs));
    assert_ne!(host(&ours), host(&theirs));
}

#[test]
fn a_repository_that_spells_out_the_hash_of_another_meets_it_on_the_name_so_that_the_claim_can_refuse_it() {
    for repo in ["my.app", "shop-", "-shop.", "a".repeat(80).as_str()] {
        let hashed = pull(&format!("acme/{repo}"), 7);
        let host_label = host(&hashed).replace(".preview.example.org", "");
        let spelled = pull(&format!("acme/{}", host_label.strip_prefix("pr-7-").unwrap()), 7);
        assert_ne!(hashed, spelled);
        assert_eq!(host(&hashed), host(&spelled));
        assert_eq!(name(&hashed), name(&spelled), "one host under two names would be nobody's to refuse");
    }
}

#[test]
fn a_number_is_a_whole_number_from_1_in_its_one_spelling() {
    let texts = [
        "1",
        "42",
        "9007199254740991",
        "9007199254740992",
        "18446744073709551616",
        "",
        "0",
        "00",
        "007",
        "+7",
        "-1",
        " 7",
        "7 ",
        "7\n",
        "1_000",
        "1.0",
        "1e3",
        "0x2a",
        "٤٢",
        "７",
        "1; id",
        "$(id)",
        "#7",
        "null",
    ];
    let mut table = String::new();
    for text in texts {
        let outcome = text.parse::<PrNumber>().map_or_else(|e| e.to_string(), |n| format!("-> {n}"));
        writeln!(table, "{outcome}").unwrap();
    }
    insta::assert_snapshot!(table, @r##"
    -> 1
    -> 42
    -> 9007199254740991
    "9007199254740992" is no pull request number: a whole number from 1
    "18446744073709551616" is no pull request number: a whole number from 1
    "" is no pull request number: a whole number from 1
    "0" is no pull request number: a whole number from 1
    "00" is no pull request number: a whole number from 1
    "007" is no pull request number: a whole number from 1
    "+7" is no pull request number: a whole number from 1
    "-1" is no pull request number: a whole number from 1
    " 7" is no pull request number: a whole number from 1
    "7 " is no pull request number: a whole number from 1
    "7\n" is no pull request number: a whole number from 1
    "1_000" is no pull request number: a whole number from 1
    "1.0" is no pull request number: a whole number from 1
    "1e3" is no pull request number: a whole number from 1
    "0x2a" is no pull request number: a whole number from 1
    "٤٢" is no pull request number: a whole number from 1
    "７" is no pull request number: a whole number from 1
    "1; id" is no pull request number: a whole number from 1
    "$(id)" is no pull request number: a whole number from 1
    "#7" is no pull request number: a whole number from 1
    "null" is no pull request number: a whole number from 1
    "##);
}

#[test]
fn a_number_in_a_payload_or_a_document_keeps_the_same_rule() {
    for wrong in [
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1u64 << 53),
        json!("42"),
        json!(null),
        json!([1]),
        json!(true),
    ] {
        assert!(serde_json::from_value::<PrNumber>(wrong.clone()).is_err(), "{wrong}");
    }
    let last: PrNumber = serde_json::from_value(json!(LAST_NUMBER)).unwrap();
    assert_eq!(u64::from(last), LAST_NUMBER);
}

#[test]
fn a_repository_is_an_owner_and_one_name_and_never_a_path() {
    for wrong in [
        "",
        "/",
        "acme",
        "acme/",
        "/shop",
        "acme/shop/",
        "acme//shop",
        "acme/shop/x",
        "acme/.",
        "acme/..",
        "./shop",
        "../shop",
        "a.b/shop",
        "acme /shop",
        "acme/sh op",
        "acme/shop\n",
        "acme/shop?x",
        "acme/shop#1",
        "acme/%2e%2e",
        "acme/ѕhop",
        "acme\\shop",
        "acme/ｓｈｏｐ",
    ] {
        assert!(wrong.parse::<RepoName>().is_err(), "{wrong:?}");
    }
    for (owner, name) in [(39, 100), (40, 100), (39, 101)] {
        let text = format!("{}/{}", "a".repeat(owner), "b".repeat(name));
        assert_eq!(text.parse::<RepoName>().is_ok(), (owner, name) == (39, 100), "{owner}, {name}");
    }
    let repo: RepoName = "Acme_Corp/.GitHub".parse().unwrap();
    assert_eq!((repo.owner(), repo.repo()), ("acme_corp", ".github"));
}

#[test]
fn a_pull_request_is_read_as_people_write_it() {
    let pull: PullRequest = "Acme/My.Shop#42".parse().unwrap();
    assert_eq!(pull.to_string(), "acme/my.shop#42");
    assert_eq!(pull.to_string().parse(), Ok(pull));
    for wrong in [
        "",
        "#",
        "acme/shop",
        "acme/shop#",
        "acme/shop#0",
        "acme/shop#42#7",
        "acme/shop #42",
        "#42",
        "acme#42",
    ] {
        assert!(wrong.parse::<PullRequest>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_commit_is_40_or_64_lower_case_hex_digits_and_nothing_that_looks_like_it() {
    assert!(SHA.parse::<HeadSha>().is_ok());
    assert!("0".repeat(64).parse::<HeadSha>().is_ok());
    let upper = SHA.to_uppercase();
    let (short, long) = (&SHA[1..], format!("{SHA}0"));
    // 40 and 64 bytes of two-byte characters; hex digits of another script.
    let (wide, wider, foreign) = ("é".repeat(20), "é".repeat(32), "𝟘".repeat(10));
    for wrong in [
        &upper,
        short,
        &long,
        &wide,
        &wider,
        &foreign,
        &format!("{short}g"),
        &format!("{short}\n"),
        "",
        "HEAD",
    ] {
        assert!(wrong.parse::<HeadSha>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_dns_name_is_labels_and_nothing_else() {
    for right in ["a", "a.b", "preview.example.org", "1.2", "xn--80ak6aa92e.com", &"a".repeat(63)] {
        assert!(right.parse::<DnsName>().is_ok(), "{right:?}");
    }
    let long = ["a".repeat(63), "a".repeat(63), "a".repeat(63), "a".repeat(62)].join(".");
    for wrong in [
        "",
        ".",
        "a.",
        ".a",
        "a..b",
        "A.b",
        "*.a",
        "a_b.c",
        "-a.b",
        "a-.b",
        "a.b\n",
        "a b",
        "é.fr",
        &"a".repeat(64),
        &long,
    ] {
        assert!(wrong.parse::<DnsName>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_kubeconfig_context_is_any_printable_text_and_never_empty() {
    for right in
        ["clustermgmt", "kubernetes-admin@k8s", "arn:aws:eks:eu-west-1:1:cluster/x", "a b", &"a".repeat(253)]
    {
        assert!(right.parse::<ContextName>().is_ok(), "{right:?}");
    }
    for wrong in ["", "a\nb", "\u{1b}[31m", "a\0", "\u{85}", &"a".repeat(254)] {
        assert!(wrong.parse::<ContextName>().is_err(), "{wrong:?}");
    }
}

#[test]
fn a_reservation_is_known_by_an_id_that_fits_a_label_value() {
    for right in ["1", "R_1.a", "-", &"a".repeat(63)] {
        assert!(right.parse::<ReservationId>().is_ok(), "{right:?}");
    }
    for wrong in ["", "a/b", "a b", "a:b", "a\n", "é", &"a".repeat(64)] {
        assert!(wrong.parse::<ReservationId>().is_err(), "{wrong:?}");
    }
}

#[test]
fn every_taking_is_the_next_one() {
    let first = Generation::FIRST;
    assert!(first < first.next() && first.next() < first.next().next());
    assert_eq!([first, first.next()].map(|g| g.to_string()), ["1", "2"]);
    assert_eq!(serde_json::to_value(first.next()).unwrap(), json!(2));
    assert_eq!(serde_json::from_value::<Generation>(json!(2)).unwrap(), first.next());
    // A document may say anything; the last generation does not become the first.
    let last: Generation = serde_json::from_value(json!(u64::MAX)).unwrap();
    assert_eq!(last.next(), last);
}

/// Both ways in agree, and what came in comes out again: nothing is repaired on the way.
fn assert_round_trips<T>(text: &str, expected: &str)
where
    T: FromStr<Err = Malformed> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let (parsed, read) = (text.parse::<T>(), serde_json::from_value::<T>(json!(text)));
    match parsed {
        Err(_) => assert!(read.is_err(), "{text:?}: documents are laxer than people"),
        Ok(value) => {
            assert_eq!(value.to_string(), expected);
            assert_eq!(read.expect("what FromStr takes, serde takes"), value);
            assert_eq!(serde_json::to_value(&value).expect("a text"), json!(expected));
            assert_eq!(expected.parse::<T>().expect("what was shown is read again"), value);
        }
    }
}

fn assert_all_round_trip(text: &str) {
    assert_round_trips::<EnvironmentName>(text, text);
    assert_round_trips::<DnsName>(text, text);
    assert_round_trips::<HeadSha>(text, text);
    assert_round_trips::<RunId>(text, text);
    assert_round_trips::<ClaimUid>(text, text);
    assert_round_trips::<ReservationId>(text, text);
    assert_round_trips::<ContextName>(text, text);
    assert_round_trips::<RepoName>(text, &text.to_ascii_lowercase());
    if let Ok(number) = text.parse::<PrNumber>() {
        assert_eq!(number.to_string(), text);
        assert_eq!(
            serde_json::from_value::<PrNumber>(serde_json::to_value(number).expect("JSON")).expect("same"),
            number
        );
    }
    for holder in holders_of(text) {
        let document = serde_json::to_value(&holder).expect("JSON");
        assert_eq!(serde_json::from_value::<Holder>(document).expect("the same"), holder);
    }
}

#[test]
fn every_name_comes_out_as_it_went_in() {
    for text in hostile() {
        assert_all_round_trip(&text);
        assert_all_round_trip(&format!("acme/{text}"));
    }
}

/// What a person would see of it, whatever it was taken for.
fn complaints(text: &str) -> Vec<String> {
    fn of<T: FromStr<Err = Malformed>>(text: &str) -> Option<String> {
        text.parse::<T>().err().map(|error| error.to_string())
    }
    let all = [
        of::<EnvironmentName>(text),
        of::<DnsName>(text),
        of::<HeadSha>(text),
        of::<RunId>(text),
        of::<ClaimUid>(text),
        of::<ReservationId>(text),
        of::<ContextName>(text),
        of::<RepoName>(text),
        of::<PullRequest>(text),
        of::<PrNumber>(text),
        of::<berth::domain::pool::Range>(text),
    ];
    all.into_iter().flatten().collect()
}

fn assert_complaints_are_fit_to_print(text: &str) {
    for complaint in complaints(text) {
        // What steers a terminal, starts a workflow command on a line of its own, or turns the writing direction.
        let raw = |c: char| {
            c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        assert!(!complaint.contains(raw), "{complaint:?}");
        assert!(complaint.starts_with('"'), "{complaint}");
        let most = if text.chars().all(|c| (' '..='~').contains(&c)) { 400 } else { 1100 };
        assert!(complaint.len() <= most, "{} bytes: {complaint}", complaint.len());
    }
}

#[test]
fn a_complaint_is_short_and_quotes_what_it_complains_of() {
    for text in hostile() {
        assert_complaints_are_fit_to_print(&text);
        assert_complaints_are_fit_to_print(&text.repeat(1000));
    }
    let error = "a\n::error::\u{1b}[31m\u{202e}b".parse::<EnvironmentName>().unwrap_err();
    insta::assert_snapshot!(error, @r#""a\n::error::\u{1b}[31m\u{202e}b" is no environment name: 1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit"#);
}

proptest! {
    #[test]
    fn any_text_comes_out_as_it_went_in_or_is_complained_of_in_print(text in any::<String>(), word in "[ -~]{0,300}") {
        for text in [text, word] {
            assert_all_round_trip(&text);
            assert_complaints_are_fit_to_print(&text);
        }
    }

    #[test]
    fn what_a_grammar_allows_comes_out_as_it_went_in(text in "[A-Za-z0-9._-]{1,64}(/[A-Za-z0-9._-]{1,101})?") {
        assert_all_round_trip(&text);
    }
}
