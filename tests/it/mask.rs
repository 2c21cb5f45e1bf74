//! What must never be shown, in whatever form it comes.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use berth::mask::Mask;

#[test]
fn a_secret_is_hidden_whole_by_its_lines_and_as_base64() {
    let mask = Mask::default();
    let key = "-----BEGIN KEY-----\nMIIEvQIBADAN\n  c2hvcnQ=x\n-----END KEY-----\n";
    mask.hide(key);
    mask.hide("postgres-password");
    mask.hide("postgres-password-of-shop");
    for (text, expected) in [
        ("nothing of it", "nothing of it"),
        ("is postgres-password.", "is ***."),
        ("is postgres-password-of-shop.", "is ***."),
        ("one line: MIIEvQIBADAN, another: c2hvcnQ=x", "one line: ***, another: ***"),
    ] {
        assert_eq!(mask.redact(text), expected);
    }
    for text in [key, key.trim(), "postgres-password"] {
        let shown = mask.redact(&format!("data: {}", BASE64_STANDARD.encode(text)));
        assert_eq!(shown.trim_end_matches('='), "data: ***");
    }
    assert!(!format!("{mask:?}").contains("postgres"));
}

#[test]
fn what_is_short_is_left_and_told_to_the_runner_all_the_same() {
    use std::sync::Mutex;
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mask = Mask::telling(|text| TOLD.lock().unwrap().push(text.to_owned()));
    for secret in ["", "abc", "shop1", "shop42"] {
        mask.hide(secret);
    }
    assert_eq!(mask.redact("abc shop1 shop42"), "abc shop1 ***");
    let told = TOLD.lock().unwrap();
    assert!(told.contains(&"shop1".to_owned()) && !told.contains(&"abc".to_owned()), "{told:?}");
}

#[test]
fn clones_hide_the_same() {
    let mask = Mask::default();
    mask.clone().hide("a secret");
    assert_eq!(mask.redact("this is a secret"), "this is ***");
}
