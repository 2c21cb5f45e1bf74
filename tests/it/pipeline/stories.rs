//! What becomes of an environment from its opening to its end.

use super::{
    bed::{Bed, sha},
    canonical::same,
    files::{APPLICATION, HANDED_OVER, MANIFESTS},
};
use crate::bed::ROOT;
use berth::{
    domain::{intent::Occasion, report::Outcome},
    rehearsal::{Server, gate::Verdict},
};
use serde_json::json;

#[test]
fn opened_it_comes_up_and_closed_it_goes_without_a_trace() {
    let bed = Bed::new();
    let before = bed.canonical();
    bed.up("one");
    bed.close();
    let report = bed.run("two", Occasion::Event).unwrap();
    assert!(
        matches!(report.outcome, Some(Outcome::Removed { free_at: Some(_) })),
        "{report:#?}\n{}",
        bed.log()
    );
    bed.pass(601);
    let report = bed.run("three", Occasion::Sweep).unwrap();
    assert_eq!(report.outcome, Some(Outcome::Removed { free_at: None }), "{report:#?}\n{}", bed.log());
    same(&bed.canonical(), &before, "nothing is left");
    bed.unbroken();
}

/// As a command line without a token.
#[test]
fn who_can_call_nobody_says_who_is_next_and_leaves_the_call_to_others() {
    let bed = Bed::new();
    bed.up("one");
    bed.close();
    bed.run("two", Occasion::Event);
    bed.pass(601);
    let path = format!("{ROOT}/pr-shop-43/claim");
    let waiting = json!(crate::queue::waits("acme/shop#43", 0)).as_object().unwrap().clone();
    bed.world().vault.put(&path, waiting.clone());
    let report = bed.run("three", Occasion::Event).unwrap();
    assert_eq!(report.outcome, Some(Outcome::Removed { free_at: None }), "{report:#?}");
    let told = report.phases.iter().find(|phase| phase.step.as_str() == "claim").unwrap();
    assert_eq!(
        told.detail,
        "acme/shop#43 is next: at that repository's next event, for nobody could be called: there is no token for GitHub"
    );
    let now = bed.clock.now();
    let noted = bed.world().vault.document(&path).cloned().unwrap();
    let mut vain = waiting["state"].clone();
    (vain["called"], vain["in-vain"]) = (json!(now), json!(true));
    assert_eq!(
        noted["state"], vain,
        "whoever can may call it at once, and others wait for it for ten minutes"
    );
}

#[test]
fn a_push_keeps_addresses_and_machine_and_runs_the_newer_commit() {
    let bed = Bed::new();
    let first = bed.run("one", Occasion::Event).unwrap();
    let machines = bed.machines();
    bed.push('b');
    let second = bed.run("two", Occasion::Event).unwrap();
    assert_eq!(second.outcome, Some(Outcome::Ready), "{}", bed.log());
    assert_eq!(second.addresses, first.addresses);
    assert_eq!(bed.machines(), machines, "nothing was provisioned twice");
    assert_eq!(bed.deployed(), Some(sha('b')));
    bed.unbroken();
}

#[test]
fn a_second_run_of_the_same_commit_only_marks_what_stands() {
    let bed = Bed::new();
    bed.run("one", Occasion::Event).unwrap();
    let before = bed.served.gate.log().len();
    assert_eq!(bed.run("two", Occasion::Event).unwrap().outcome, Some(Outcome::Ready));
    let writes: Vec<String> = bed.served.gate.log().split_off(before);
    let writes: Vec<&String> = writes
        .iter()
        .filter(|line| ["PATCH", "POST", "DELETE"].iter().any(|verb| line.contains(verb)))
        .collect();
    // Six objects outside and three inside bear the mark of who wrote them last; the claim is taken, and told how it ended.
    assert_eq!(writes.len(), 12, "{writes:#?}");
    bed.unbroken();
}

#[test]
fn as_long_as_its_server_does_not_answer_the_management_cluster_is_left_in_peace() {
    let bed = Bed::new();
    let mut questions = 0;
    bed.served.gate.rule(move |request| match request.server {
        Server::Environment if questions < 10 => {
            questions += 1;
            Verdict::json(503, &json!({}))
        }
        _ => Verdict::Pass,
    });
    let report = bed.run_beside("one", Occasion::Event).unwrap();
    assert_eq!(report.outcome, Some(Outcome::Ready), "{}", bed.log());
    let log = bed.served.gate.log();
    let mut asked = log.iter().enumerate().filter(|(_, line)| line.contains(" environment "));
    // After the first try comes the watch for what is told; the tenth is the last in vain.
    let (first, last) = (asked.nth(2).unwrap().0, asked.nth(6).unwrap().0);
    let others: Vec<&String> =
        log[first..=last].iter().filter(|line| line.contains(" kubernetes ")).collect();
    assert_eq!(others, Vec::<&String>::new(), "{}", bed.log());
    bed.unbroken();
}

#[test]
fn as_long_as_an_image_is_not_there_the_clusters_are_left_in_peace() {
    let app = "version: 1\ndeploy: {manifests: app.yaml, images: {shop: \"harbor.example.com/shop:pr-42\"}, image-wait: 2m}\n";
    let bed = Bed::of(app, MANIFESTS);
    let report = bed.run_beside("one", Occasion::Event).unwrap();
    assert!(matches!(report.outcome, Some(Outcome::Failed { .. })), "{report:#?}");
    let log = bed.served.gate.log();
    let asks = |line: &String| line.contains(" registry ");
    let (first, last) = (log.iter().position(asks).unwrap(), log.iter().rposition(asks).unwrap());
    let between = &log[first..last];
    assert!(between.iter().filter(|line| asks(line)).count() > 4, "{}", bed.log());
    let disturbs = |line: &&String| line.contains(" kubernetes ") || line.contains(" environment ");
    assert_eq!(between.iter().filter(disturbs).collect::<Vec<_>>(), Vec::<&String>::new(), "{}", bed.log());
    bed.unbroken();
}

#[test]
fn reopened_while_its_addresses_cool_it_comes_back_with_the_same() {
    let bed = Bed::new();
    let first = bed.run("one", Occasion::Event).unwrap();
    bed.close();
    bed.run("two", Occasion::Event).unwrap();
    bed.reopen();
    let again = bed.run("three", Occasion::Event).unwrap();
    assert_eq!((again.outcome, &again.addresses), (Some(Outcome::Ready), &first.addresses), "{}", bed.log());
    bed.end();
    bed.unbroken();
}

#[test]
fn what_the_old_tool_gave_to_another_takes_the_environment_down_and_says_so() {
    let bed = Bed::new();
    bed.run("one", Occasion::Event).unwrap();
    let stolen = serde_json::json!({"192.168.1.140": "pr-legacy-7", "192.168.1.141": "pr-legacy-7"});
    bed.world().vault.put("ephemeral-clusters/ip-allocations", stolen.as_object().unwrap().clone());
    bed.push('b');
    let report = bed.run_beside("two", Occasion::Event).unwrap();
    let Some(Outcome::Failed { why, .. }) = &report.outcome else { panic!("{report:#?}") };
    assert!(why.contains("lost its address 192.168.1.140 to pr-legacy-7"), "{why}");
    assert_eq!(bed.machines(), Vec::<String>::new(), "two machines never share an address");
}

#[test]
fn an_outage_of_any_server_changes_nothing_and_is_unknown() {
    for server in [Server::Vault, Server::Kubernetes, Server::GitHub] {
        let bed = Bed::new();
        bed.run("one", Occasion::Event).unwrap();
        let before = bed.canonical();
        bed.served.gate.rule(move |request| match request.server == server {
            true => Verdict::json(503, &serde_json::json!({"message": "down"})),
            false => Verdict::Pass,
        });
        bed.push('b');
        let report = bed.run_beside("two", Occasion::Event).unwrap();
        assert!(matches!(report.outcome, Some(Outcome::Unknown { .. })), "{server}: {report:#?}");
        let after = bed.canonical();
        let deployed = |text: &str| {
            text.lines().filter(|line| line.contains("\"commit\"")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(deployed(&after), deployed(&before), "{server}");
        bed.served.gate.open();
        assert_eq!(bed.run("three", Occasion::Event).unwrap().outcome, Some(Outcome::Ready), "{server}");
        assert_eq!(bed.deployed(), Some(sha('b')), "{server}");
        bed.unbroken();
    }
}

#[test]
fn a_name_that_leads_to_another_environment_is_refused() {
    let bed = Bed::new();
    // As `hosts: [...]` of another repository may make it.
    bed.claimed_by("acme/other#42", "pr-42-shop.preview.example.com");
    let report = bed.run("one", Occasion::Event).unwrap();
    let Some(Outcome::Refused { why }) = &report.outcome else { panic!("{report:#?}") };
    assert!(
        why.starts_with("pr-42-shop.preview.example.com leads to the environment of acme/other#42"),
        "{why}"
    );
    assert_eq!(bed.machines(), Vec::<String>::new());
    let claim = format!("{ROOT}/pr-shop-42/claim");
    assert_eq!(bed.world().vault.document(&claim), None, "it keeps no place from anybody");
}

#[test]
fn an_app_is_handed_over_to_argo_cd_and_taken_back() {
    let bed = Bed::of(HANDED_OVER, APPLICATION);
    let there = |bed: &Bed| {
        let world = bed.world();
        let application = world.kubernetes.get("applications.argoproj.io", "argocd", "shop-42").cloned();
        (application, world.kubernetes.get("secrets", "argocd", "berth-pr-shop-42").is_some())
    };
    // Nobody publishes its name: that is an Ingress' business, which Argo CD would bring.
    bed.publish("pr-42-shop.preview.example.com", "192.168.1.140");
    bed.up("one");
    let (Some(application), true) = there(&bed) else { panic!("{}", bed.log()) };
    assert_eq!(
        application["spec"]["destination"],
        serde_json::json!({"name": "pr-shop-42", "namespace": "shop"})
    );
    assert_eq!(
        (&application["spec"]["project"], &application["spec"]["source"]["targetRevision"]),
        (&"default".into(), &sha('a').into())
    );
    bed.withdraw("pr-42-shop.preview.example.com");
    bed.end();
    assert_eq!(there(&bed), (None, false));
    // Beside it lie the ways into all that Argo CD knows.
    let read = bed.log().lines().any(|line| line.contains("GET") && line.contains("/argocd/secrets"));
    assert!(!read, "{}", bed.log());
    bed.unbroken();
}

#[test]
fn of_an_application_its_spec_alone_is_handed_over() {
    let told = "\
metadata:
  name: whatever
  labels: {argocd.argoproj.io/instance: theirs}
  annotations: {notifications.argoproj.io/subscribe.slack: everybody}
  finalizers: [resources-finalizer.argocd.argoproj.io]
  ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: theirs, uid: 1-2}]
operation: {sync: {manifests: ['{}']}}
";
    let bed = Bed::of(HANDED_OVER, &APPLICATION.replace("metadata: {name: whatever}\n", told));
    bed.publish("pr-42-shop.preview.example.com", "192.168.1.140");
    bed.up("one");
    let application =
        bed.world().kubernetes.get("applications.argoproj.io", "argocd", "shop-42").unwrap().clone();
    let metadata = &application["metadata"];
    for marks in ["labels", "annotations"] {
        let all = metadata[marks].as_object().unwrap();
        assert!(all.keys().all(|key| key.starts_with("berth.dev/")), "{application}");
    }
    for left in [&metadata["finalizers"], &metadata["ownerReferences"], &application["operation"]] {
        assert!(left.is_null(), "{application}");
    }
}

#[test]
fn an_application_whose_spec_is_none_is_told() {
    let bed = Bed::of(HANDED_OVER, "{apiVersion: argoproj.io/v1alpha1, kind: Application, spec: all}");
    let report = bed.run("one", Occasion::Event).unwrap();
    let Some(Outcome::Failed { why, .. }) = &report.outcome else { panic!("{report:#?}") };
    assert!(why.contains("an Application without a spec"), "{why}");
}

#[test]
fn an_application_that_writes_into_repositories_is_not_handed_over() {
    let hydrated = "spec:\n  sourceHydrator: {drySource: {repoURL: https://git.example.com/shop.git}}\n";
    let bed = Bed::of(HANDED_OVER, &APPLICATION.replace("spec:\n", hydrated));
    let report = bed.run("one", Occasion::Event).unwrap();
    let Some(Outcome::Failed { why, .. }) = &report.outcome else { panic!("{report:#?}") };
    assert!(why.contains("sourceHydrator"), "{why}");
    let applications = bed.world().kubernetes.all("applications.argoproj.io").count();
    assert_eq!(applications, 0);
}

#[test]
fn the_claim_is_read_between_the_look_at_an_application_and_its_write() {
    let bed = Bed::of(HANDED_OVER, APPLICATION);
    bed.publish("pr-42-shop.preview.example.com", "192.168.1.140");
    bed.up("one");
    let log = bed.served.gate.log();
    let of = |method: &str, what: &str, line: &str| line.contains(method) && line.contains(what);
    let written = log.iter().position(|line| of("PATCH", "/applications/shop-42", line)).unwrap();
    let looked = log[..written].iter().rposition(|line| of("GET", "argocd/applications", line)).unwrap();
    let is_read = log[looked..written].iter().any(|line| of("GET", "pr-shop-42/claim", line));
    assert!(is_read, "{:#?}", &log[looked..=written]);
}

#[test]
fn a_kubeconfig_that_is_rewritten_while_its_server_is_silent_is_gone_by() {
    let bed = Bed::new();
    let (served, mut is_old) = (bed.served.clone(), true);
    bed.served.gate.rule(move |request| {
        if request.server != Server::Environment || !std::mem::take(&mut is_old) {
            return Verdict::Pass;
        }
        let (mut world, name) = (served.lock(), "pr-shop-42-kubeconfig");
        let mut secret = world.kubernetes.get("secrets", "pr-shop-42", name).unwrap().clone();
        secret["metadata"]["labels"]["renewed"] = json!("yes");
        world.kubernetes.put("secrets", "pr-shop-42", name, secret);
        Verdict::json(503, &json!({"message": "nobody is here any more"}))
    });
    // Time stands still: nobody is asked again.
    bed.up("one");
}
