//! The right to an environment's Secrets, which berth binds to itself in its namespace (`secrets-role`).

use super::{
    bed::Bed,
    canonical::same,
    files::{ROLE, ROLE_BINDINGS},
};
use berth::{
    domain::{intent::Occasion, report::Outcome},
    rehearsal::{Request, gate::Verdict},
};
use serde_json::{Value, json};

const NAME: &str = "pr-shop-42";

fn binding(bed: &Bed) -> Option<Value> {
    bed.world().kubernetes.get(ROLE_BINDINGS, NAME, "berth").cloned()
}

fn is_review(request: &Request) -> bool {
    request.path.last().is_some_and(|last| last == "selfsubjectreviews")
}

fn refused(message: &str) -> Verdict {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 403, "reason": "Forbidden",
        "message": message, "details": {},
    });
    Verdict::json(403, &status)
}

#[test]
fn its_role_is_bound_to_the_account_before_a_secret_is_read_or_copied_and_goes_with_the_namespace() {
    let bed = Bed::entitled();
    let before = bed.canonical();
    bed.up("one");
    let bound = binding(&bed).unwrap();
    assert_eq!(
        bound["roleRef"],
        json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": ROLE})
    );
    assert_eq!(bound["subjects"], json!([{"kind": "ServiceAccount", "namespace": "berth", "name": "berth"}]));
    assert_eq!(bound["metadata"]["labels"]["berth.dev/environment"], NAME);
    // What is asked before is refused: of that there is one request.
    let log = bed.log();
    let at = |what: &str| {
        let lines = log.lines().enumerate().filter(|(_, line)| line.contains(what));
        lines.map(|(at, _)| at).collect::<Vec<_>>()
    };
    let bound = at(&format!("namespaces/{NAME}/rolebindings/berth"))[0];
    let secrets = at(&format!("namespaces/{NAME}/secrets"));
    assert_eq!(secrets.iter().filter(|at| **at < bound).count(), 1, "{log}");
    assert!(secrets.len() > 2, "{log}");
    bed.end();
    assert_eq!(binding(&bed), None);
    same(&bed.canonical(), &before, "nothing is left");
    bed.unbroken();
}

#[test]
fn an_outage_of_the_review_is_no_account_called_nobody() {
    let outage = Verdict::json(503, &json!({"message": "down"}));
    let nobody = Verdict::json(201, &json!({"status": {"userInfo": {}}}));
    for answer in [outage, nobody, refused("no reviews here")] {
        let bed = Bed::entitled();
        let what = format!("{answer:?}");
        bed.served.gate.rule(move |request| match is_review(request) {
            true => answer.clone(),
            false => Verdict::Pass,
        });
        let report = bed.run_beside("one", Occasion::Event).unwrap();
        assert!(matches!(report.outcome, Some(Outcome::Unknown { .. })), "{what}: {report:#?}");
        assert_eq!(binding(&bed), None, "{what}");
        assert!(bed.world().kubernetes.get("secrets", NAME, "proxmox-credentials").is_none(), "{what}");
        bed.served.gate.open();
        assert_eq!(bed.run("two", Occasion::Event).unwrap().outcome, Some(Outcome::Ready), "{what}");
        bed.end();
        bed.unbroken();
    }
}

#[test]
fn a_server_that_learns_of_the_binding_later_is_asked_again() {
    let bed = Bed::entitled();
    let mut times = 0;
    bed.served.gate.rule(move |request| {
        let path = request.path.join("/");
        let is_look = request.method == "GET" && path.ends_with(&format!("{NAME}/secrets"));
        times += u32::from(is_look);
        if is_look && times <= 6 { refused("not yet") } else { Verdict::Pass }
    });
    let report = bed.run_beside("one", Occasion::Event).unwrap();
    assert_eq!(report.outcome, Some(Outcome::Ready), "{report:#?}\n{}", bed.log());
    // Of all that led there, the one question alone is asked again.
    assert_eq!(bed.log().matches("selfsubjectreviews").count(), 1, "{}", bed.log());
    bed.end();
    bed.unbroken();
}

#[test]
fn what_was_seen_before_the_binding_is_gone_by_no_more() {
    let bed = Bed::entitled();
    bed.up("one");
    let log = bed.served.gate.log();
    let bound = log.iter().position(|line| line.contains("PATCH") && line.contains("rolebindings/berth"));
    let after = &log[bound.unwrap() + 1..];
    let next = after.iter().position(|line| line.contains("PATCH")).unwrap();
    assert!(after[..next].iter().any(|line| line.contains("pr-shop-42/claim")), "{:#?}", &after[..=next]);
}

#[test]
fn nothing_is_bound_where_the_right_is_there_already() {
    let bed = Bed::entitled();
    bed.world().kubernetes.allow();
    bed.up("one");
    assert_eq!(binding(&bed), None);
    assert!(!bed.log().contains("selfsubjectreviews"), "{}", bed.log());
    bed.end();
    bed.unbroken();
}

#[test]
fn without_the_right_and_without_the_key_the_refusal_is_told() {
    let bed = Bed::new();
    bed.world().kubernetes.deny_unless_bound("secrets", ROLE);
    let report = bed.run("one", Occasion::Event).unwrap();
    let Some(Outcome::Unknown { why, .. } | Outcome::Failed { why, .. }) = &report.outcome else {
        panic!("{report:#?}")
    };
    assert!(["secret", "forbidden"].iter().all(|word| why.contains(word)), "{why}");
    assert_eq!(binding(&bed), None);
}
