//! `${NAME}` in parsed values.

use berth::domain::template::{Variables, Why};
use proptest::prelude::*;
use serde_json::{Value, json};

fn variables() -> Variables {
    let mut variables = Variables::default();
    variables.set("NAME", "pr-shop-42");
    variables.set("PORT", 8443);
    variables.set("DEBUG", true);
    variables.set("LIST", json!(["a", "b"]));
    variables
}

fn fill(value: &Value) -> Value {
    variables().fill(value).unwrap()
}

fn mistakes(value: &Value) -> Vec<String> {
    variables().fill(value).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn placeholders_in_texts_are_substituted_wherever_they_stand() {
    let given = json!({"a": ["x ${NAME} y", {"b": "${NAME}${NAME}", "c": 7, "d": null}], "e": "http://${NAME}:${PORT}/"});
    let filled = json!({
        "a": ["x pr-shop-42 y", {"b": "pr-shop-42pr-shop-42", "c": 7, "d": null}], "e": "http://pr-shop-42:8443/",
    });
    assert_eq!(fill(&given), filled);
}

#[test]
fn a_value_that_is_nothing_but_a_placeholder_has_the_type_of_what_was_given() {
    let given = json!({"port": "${PORT}", "debug": "${DEBUG}", "list": "${LIST}", "text": "${NAME}", "label": "p${PORT}"});
    let filled =
        json!({"port": 8443, "debug": true, "list": ["a", "b"], "text": "pr-shop-42", "label": "p8443"});
    assert_eq!(fill(&given), filled);
}

#[test]
fn what_is_escaped_or_is_no_placeholder_stays() {
    for (given, filled) in [
        ("$${NAME}", "${NAME}"),
        ("a $${x:-y} b", "a ${x:-y} b"),
        ("$NAME $ $$ }{", "$NAME $ $$ }{"),
        ("{{ ds.meta_data.instance_id }}", "{{ ds.meta_data.instance_id }}"),
        ("$${NAME}${NAME}", "${NAME}pr-shop-42"),
        ("", ""),
    ] {
        assert_eq!(fill(&json!(given)), json!(filled), "{given}");
    }
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let given = json!({"spec": {"a": "${NAMES}", "b": ["ok", "${name} and ${", "x${LIST}"]}, "${NAME}": "k"});
    assert_eq!(
        mistakes(&given),
        [
            ".: ${NAME} stands in a key, and keys are not substituted",
            ".spec.a: ${NAMES} is unknown",
            ".spec.b[1]: ${name} names no variable; `$${` stands for the text itself",
            ".spec.b[1]: ${ has no closing brace; `$${` stands for the text itself",
            ".spec.b[2]: ${LIST} is a list or a map, so it must be the whole value",
        ]
    );
    assert_eq!(variables().fill(&json!("${}")).unwrap_err()[0].why, Why::NoName);
}

#[test]
fn an_empty_set_of_variables_leaves_nothing_empty() {
    // What envsubst makes of it: an address that ends in a dot, and a cluster without a name.
    let none = Variables::default();
    assert!(none.fill(&json!("192.168.1.${NODE}")).is_err());
}

proptest! {
    #[test]
    fn no_value_can_add_a_key_or_an_item(value in any::<String>(), around in "[a-z ]{0,5}") {
        let mut variables = Variables::default();
        variables.set("X", value.clone());
        let filled = variables.fill(&json!({"k": format!("{around}${{X}}"), "l": ["${X}"]})).unwrap();
        prop_assert_eq!(filled, json!({"k": format!("{around}{value}"), "l": [value]}));
    }

    #[test]
    fn what_is_escaped_comes_out_as_it_was(text in "[a-zA-Z${} ]{0,20}") {
        let escaped = text.replace("${", "$${");
        prop_assert_eq!(Variables::default().fill(&json!(escaped)).unwrap(), json!(text));
    }
}
