//! What a commit no longer has is gone when that commit is at work.

use super::{
    bed::Bed,
    files::{APP, MANIFESTS, MORE},
};
use serde_json::{Value, json};

/// Two commits, the second of which has less than the first; the first one stands.
fn lessened() -> Bed {
    let bed = Bed::of(APP, &format!("{MANIFESTS}{MORE}"));
    bed.up("first");
    bed.writes("app.yaml", MANIFESTS);
    bed.push('b');
    bed
}

fn names(bed: &Bed, resource: &str) -> Vec<String> {
    bed.world().environment.all(resource).map(|(_, name, _)| name.to_owned()).collect()
}

#[test]
fn what_a_commit_no_longer_has_is_gone_when_it_is_at_work_and_what_others_made_stays() {
    let bed = lessened();
    let marked = |more: Value| {
        let mut metadata = json!({"labels": {
            "berth.dev/environment": "pr-shop-42", "berth.dev/step": "deploy", "berth.dev/generation": "1",
        }});
        metadata.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"metadata": metadata})
    };
    // A copy of its labels is not what was deployed; nor is what another step made, or somebody.
    let owner =
        bed.world().environment.get("configmaps", "default", "shop").unwrap()["metadata"]["uid"].clone();
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "shop", "uid": owner});
    let copied = json!({"ownerReferences": [owner]});
    let others = [
        ("copied", marked(copied)),
        (
            "of-another-step",
            marked(json!({"labels": {"berth.dev/environment": "pr-shop-42", "berth.dev/generation": "1"}})),
        ),
        ("somebodys", json!({})),
    ];
    for (name, object) in others {
        bed.world().environment.put("configmaps", "default", name, object);
    }
    bed.up("second");
    assert_eq!(names(&bed, "configmaps"), ["copied", "of-another-step", "shop", "somebodys"]);
    assert_eq!(names(&bed, "ingresses.networking.k8s.io"), Vec::<String>::new());
    assert!(
        names(&bed, "namespaces").contains(&"elsewhere".to_owned()),
        "others may have put something there"
    );
    let log = bed.served.gate.log();
    let deleted = log.iter().position(|line| line.starts_with("second DELETE")).unwrap();
    let asked = log[..deleted].iter().rposition(|line| line.ends_with("pr-shop-42/claim")).unwrap();
    let seen = log[..deleted].iter().rposition(|line| line.contains(" GET environment ")).unwrap();
    assert!(seen < asked, "the claim is read between the look and the deletion: {}", bed.log());
    bed.up("third");
    let deletes = bed.served.gate.log().iter().filter(|line| line.starts_with("third DELETE")).count();
    assert_eq!(deletes, 0, "{}", bed.log());
    bed.unbroken();
}
