//! What a server says of versions that it has forgotten.

use super::{Place, UnderTest, version};
use serde_json::{Value, json};

/// A server that can be made to forget, as time makes every server.
pub(crate) trait Forgets: UnderTest {
    /// Forgets every version before the present one.
    async fn forget(&self);
}

fn names(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

pub(crate) async fn a_watch_from_a_forgotten_version_is_told_so_and_ends(under_test: &impl Forgets) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    let from = version(&place.config_map("a", json!({})).await);
    place.config_map("b", json!({})).await;
    under_test.forget().await;
    let mut watching = place.watch(&maps, &format!("resourceVersion={from}")).await;
    let (kind, mut status) = watching.event().await;
    assert_eq!(kind, "ERROR");
    let message = status["message"].take();
    let message = message.as_str().unwrap();
    assert!(message.starts_with(&format!("too old resource version: {from} (")), "{message}");
    let expected = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Expired", "code": 410,
        "message": null,
    });
    assert_eq!(status, expected);
    assert_eq!(watching.next().await, None);
    place.config_map("c", json!({})).await;
    let now = place.list_version(&maps).await;
    let mut watching = place.watch(&maps, &format!("resourceVersion={now}")).await;
    place.config_map("d", json!({})).await;
    assert_eq!(watching.brief().await, super::brief("ADDED", "d"));
}

pub(crate) async fn a_forgotten_list_can_be_continued_but_not_as_it_was(under_test: &impl Forgets) {
    let place = Place::of(under_test).await;
    let maps = place.core("configmaps");
    for name in ["a", "c", "e"] {
        place.config_map(name, json!({})).await;
    }
    let first = place.get(&format!("{maps}?limit=1")).await.is(200);
    assert_eq!((names(&first), &first["metadata"]["remainingItemCount"]), (vec!["a"], &json!(2)));
    let token = first["metadata"]["continue"].as_str().unwrap().to_owned();
    place.config_map("b", json!({})).await;
    let second = place.get(&format!("{maps}?limit=1&continue={token}")).await.is(200);
    assert_eq!((names(&second), version(&second)), (vec!["c"], version(&first)), "the world as it was");
    for _ in 0..5 {
        place.merge(&format!("{maps}/e"), &json!({"data": {"k": "v"}})).await.is(200);
        place.merge(&format!("{maps}/e"), &json!({"data": null})).await.is(200);
    }
    under_test.forget().await;
    let mut refusal = place.get(&format!("{maps}?limit=1&continue={token}")).await.is(410);
    assert_eq!(refusal["reason"], "Expired");
    let message = refusal["message"].as_str().unwrap();
    assert!(
        message
            .starts_with("The provided continue parameter is too old to display a consistent list result.")
    );
    let anew = refusal["metadata"]["continue"].take();
    let rest = place.get(&format!("{maps}?limit=2&continue={}", anew.as_str().unwrap())).await.is(200);
    assert_eq!(names(&rest), ["b", "c"], "the world as it is, from where the list stood");
    let garbled = place.get(&format!("{maps}?limit=1&continue=foo")).await.refusal(400);
    assert_eq!(garbled["reason"], "BadRequest");
}
