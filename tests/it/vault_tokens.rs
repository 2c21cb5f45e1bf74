//! Facts of a Vault server about tokens that are made for others: by a role, and known by their accessor.

use super::{
    Answer, Client, Gives, TokenRole, UnderTest, denied, fields, is_envelope, is_invalid, lasts, nothing,
    refused, shipped, unknown_token,
};
use crate::bed::ROOT;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Of the tokens that are made here; each may read one folder.
fn readable(under_test: &dyn UnderTest) -> String {
    format!("path \"{}/data/theirs/*\" {{ capabilities = [\"read\"] }}", under_test.mount())
}

/// Of who makes them.
const MAKER: &str = r#"
    path "auth/token/create/*" { capabilities = ["update"] }
    path "auth/token/renew-accessor" { capabilities = ["update"] }
    path "auth/token/revoke-accessor" { capabilities = ["update"] }
"#;

async fn maker(under_test: &dyn UnderTest) -> Client {
    Client::by(under_test, &under_test.token(MAKER).await)
}

async fn create(client: &Client, role: &str, body: Value) -> Answer {
    client.ask("POST", &format!("auth/token/create/{role}"), body).await
}

/// As berth does.
fn asked(role: &TokenRole) -> Value {
    json!({
        "policies": [role.policy], "no_default_policy": true, "ttl": "300s", "explicit_max_ttl": "86400s",
        "meta": {"berth": "pr-1"},
    })
}

fn with(mut body: Value, key: &str, value: Value) -> Value {
    body[key] = value;
    body
}

/// A token that is made, and its accessor.
#[track_caller]
fn made((status, body): &Answer) -> (String, String) {
    assert_eq!(*status, 200, "{body}");
    let text = |key: &str| body["auth"][key].as_str().unwrap().to_owned();
    (text("client_token"), text("accessor"))
}

fn of(accessor: &str) -> Value {
    json!({ "accessor": accessor })
}

pub(crate) async fn a_role_gives_a_token_with_the_policies_that_were_asked_for_and_no_more(
    under_test: &dyn UnderTest,
) {
    let role = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let maker = maker(under_test).await;
    let answer = create(&maker, &role.name, asked(&role)).await;
    let (token, accessor) = made(&answer);
    is_envelope(&answer.1);
    assert_eq!((&answer.1["data"], &answer.1["warnings"]), (&Value::Null, &Value::Null));
    let auth = &answer.1["auth"];
    let expected = [
        ("accessor", "text"),
        ("client_token", "text"),
        ("entity_id", "text"),
        ("lease_duration", "number"),
        ("metadata", "object"),
        ("mfa_requirement", "null"),
        ("num_uses", "number"),
        ("orphan", "flag"),
        ("policies", "list"),
        ("renewable", "flag"),
        ("token_policies", "list"),
        ("token_type", "text"),
    ];
    assert_eq!(fields(auth), BTreeMap::from(expected));
    assert_eq!((&auth["orphan"], &auth["renewable"], lasts(&answer)), (&json!(true), &json!(true), 300));
    assert_eq!((&auth["policies"], &auth["metadata"]), (&json!([role.policy]), &json!({"berth": "pr-1"})));
    assert_ne!(token, accessor);
    let theirs = Client::by(under_test, &token);
    assert_eq!(theirs.read("theirs/a").await, nothing());
    assert_eq!(theirs.read("other").await, denied());
    // Without the default policy it cannot even do with itself what others can.
    assert_eq!(theirs.ask("POST", "auth/token/renew-self", json!({})).await, denied());
    assert_eq!(theirs.ask("GET", "auth/token/lookup-self", Value::Null).await, denied());
    assert_eq!(create(&theirs, &role.name, asked(&role)).await, denied());
    // Who asks for none gets all that the role allows, and who does not forbid it the default one.
    let open = create(&maker, &role.name, json!({})).await.1;
    let mut all = vec!["default".to_owned(), role.policy.clone()];
    all.sort();
    assert_eq!(
        (&open["auth"]["policies"], &open["auth"]["lease_duration"]),
        (&json!(all), &json!(768 * 3600))
    );
    let second = create(&maker, &role.name, asked(&role)).await;
    assert_ne!(made(&second), (token, accessor));
}

pub(crate) async fn what_a_role_does_not_allow_is_refused(under_test: &dyn UnderTest) {
    let role = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let maker = maker(under_test).await;
    for policies in [json!(["zzz"]), json!(["root"]), json!([role.policy, "zzz"])] {
        let names: Vec<String> =
            policies.as_array().unwrap().iter().map(|name| format!("{:?}", name.as_str().unwrap())).collect();
        let told = format!(
            "token policies ([{}]) must be subset of the role's allowed policies ([{:?}]) or glob policies ([])",
            names.join(" "),
            role.policy
        );
        let answer = create(&maker, &role.name, with(asked(&role), "policies", policies)).await;
        assert_eq!(answer, refused(400, &[&told]));
    }
    for key in ["ttl", "explicit_max_ttl"] {
        let answer = create(&maker, &role.name, with(asked(&role), key, json!("soon"))).await;
        assert_eq!(answer, refused(400, &["time: invalid duration \"soon\""]));
    }
    let chosen = create(&maker, &role.name, with(asked(&role), "id", json!("chosen"))).await;
    assert_eq!(chosen, refused(400, &["root or sudo privileges required to specify token id"]));
    let nested = create(&maker, &role.name, with(asked(&role), "meta", json!({"a": ["b"]}))).await;
    is_invalid(nested, "Field validation failed: error converting input for field \"meta\": ");
    assert_eq!(create(&maker, "nowhere", asked(&role)).await, refused(400, &["unknown role nowhere"]));
    let unsupported = refused(405, &["1 error occurred:\n\t* unsupported operation\n\n"]);
    let path = format!("auth/token/create/{}", role.name);
    assert_eq!(Client::root(under_test).ask("GET", &path, Value::Null).await, unsupported);
    let nobody = Client::by(under_test, &under_test.token("").await);
    assert_eq!(create(&nobody, &role.name, asked(&role)).await, denied());
    assert_eq!(create(&nobody, "nowhere", asked(&role)).await, denied());
    assert_eq!(create(&Client::anonymous(under_test), &role.name, asked(&role)).await, unknown_token());
}

pub(crate) async fn an_orphan_outlives_who_made_it_and_a_child_does_not(under_test: &dyn UnderTest) {
    let policy = readable(under_test);
    let makers = under_test.token_role(MAKER, Gives::Orphans).await;
    let (orphans, children) = (
        under_test.token_role(&policy, Gives::Orphans).await,
        under_test.token_role(&policy, Gives::Children).await,
    );
    let root = Client::root(under_test);
    let (maker, accessor) = made(&create(&root, &makers.name, asked(&makers)).await);
    let maker = Client::by(under_test, &maker);
    let mut theirs = Vec::new();
    for (role, orphan) in [(&orphans, true), (&children, false)] {
        let answer = create(&maker, &role.name, asked(role)).await;
        assert_eq!(answer.1["auth"]["orphan"], orphan);
        let client = Client::by(under_test, &made(&answer).0);
        assert_eq!(client.read("theirs/a").await, nothing());
        theirs.push(client);
    }
    assert_eq!(root.ask("POST", "auth/token/revoke-accessor", of(&accessor)).await, (204, Value::Null));
    assert_eq!(maker.read("theirs/a").await, unknown_token());
    assert_eq!(theirs[0].read("theirs/a").await, nothing());
    assert_eq!(theirs[1].read("theirs/a").await, unknown_token());
}

pub(crate) async fn a_token_is_renewed_by_its_accessor_which_does_not_show_it(under_test: &dyn UnderTest) {
    let role = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let maker = maker(under_test).await;
    let (token, accessor) = made(&create(&maker, &role.name, asked(&role)).await);
    let renew = async |increment: Value| {
        maker.ask("POST", "auth/token/renew-accessor", with(of(&accessor), "increment", increment)).await
    };
    for (increment, seconds) in [(json!("600s"), 600), (json!(900), 900), (json!("5m"), 300)] {
        let renewed = renew(increment).await;
        assert_eq!((made(&renewed), lasts(&renewed)), ((String::new(), accessor.clone()), seconds));
        assert_eq!((&renewed.1["auth"]["orphan"], &renewed.1["warnings"]), (&json!(true), &Value::Null));
    }
    is_invalid(
        renew(json!("soon")).await,
        "Field validation failed: error converting input for field \"increment\": ",
    );
    assert_eq!(Client::by(under_test, &token).read("theirs/a").await, nothing());
    let fixed = create(&maker, &role.name, with(asked(&role), "renewable", json!(false))).await;
    assert_eq!(fixed.1["auth"]["renewable"], false);
    let answer = maker.ask("POST", "auth/token/renew-accessor", of(&made(&fixed).1)).await;
    assert_eq!(answer, refused(400, &["1 error occurred:\n\t* invalid request\n\n"]));
}

/// What a request says of the longest life holds for the first time to live only: berth itself must not renew beyond it.
pub(crate) async fn of_a_roles_tokens_only_the_roles_longest_life_bounds_renewals(
    under_test: &dyn UnderTest,
) {
    let maker = maker(under_test).await;
    for (gives, lasting) in [(Gives::Orphans, 7200), (Gives::OrphansFor(3600), 3600)] {
        let role = under_test.token_role(&readable(under_test), gives).await;
        let short = with(asked(&role), "explicit_max_ttl", json!("600s"));
        let capped = create(&maker, &role.name, with(short.clone(), "ttl", json!("1h"))).await;
        assert_eq!(lasts(&capped), 600, "{}", capped.1);
        let (_, accessor) = made(&create(&maker, &role.name, short).await);
        let body = with(of(&accessor), "increment", json!("2h"));
        let renewed = maker.ask("POST", "auth/token/renew-accessor", body).await;
        assert!((lasting - 60..=lasting).contains(&lasts(&renewed)), "{}", renewed.1);
        assert_eq!(renewed.1["warnings"].is_null(), gives == Gives::Orphans);
    }
}

pub(crate) async fn a_token_is_revoked_by_its_accessor_and_a_second_time_is_a_warning(
    under_test: &dyn UnderTest,
) {
    let role = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let maker = maker(under_test).await;
    let (token, accessor) = made(&create(&maker, &role.name, asked(&role)).await);
    let revoke = async |body: Value| maker.ask("POST", "auth/token/revoke-accessor", body).await;
    assert_eq!(revoke(of(&accessor)).await, (204, Value::Null));
    assert_eq!(Client::by(under_test, &token).read("theirs/a").await, unknown_token());
    for gone in [accessor.as_str(), "nonsense"] {
        let (status, body) = revoke(of(gone)).await;
        assert_eq!(
            (status, &body["warnings"]),
            (200, &json!(["No token found with this accessor"])),
            "{body}"
        );
        is_envelope(&body);
        assert_eq!((&body["data"], &body["auth"]), (&Value::Null, &Value::Null));
    }
    for none in [json!({}), of("")] {
        assert_eq!(revoke(none).await, refused(400, &["1 error occurred:\n\t* missing accessor\n\n"]));
    }
}

pub(crate) async fn an_accessor_that_nobody_has_cannot_be_renewed(under_test: &dyn UnderTest) {
    let role = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let maker = maker(under_test).await;
    let (_, accessor) = made(&create(&maker, &role.name, asked(&role)).await);
    maker.ask("POST", "auth/token/revoke-accessor", of(&accessor)).await;
    let renew =
        async |client: &Client, body: Value| client.ask("POST", "auth/token/renew-accessor", body).await;
    for gone in [accessor.as_str(), "nonsense"] {
        let answer = renew(&maker, with(of(gone), "increment", json!("60s"))).await;
        assert_eq!(answer, refused(400, &["1 error occurred:\n\t* invalid accessor\n\n"]));
    }
    let missing = refused(400, &["1 error occurred:\n\t* missing accessor\n\n"]);
    assert_eq!(renew(&maker, json!({})).await, missing);
    let nobody = Client::by(under_test, &under_test.token("").await);
    assert_eq!(renew(&nobody, of(&accessor)).await, denied());
    assert_eq!(nobody.ask("POST", "auth/token/revoke-accessor", of(&accessor)).await, denied());
    assert_eq!(renew(&Client::anonymous(under_test), of(&accessor)).await, unknown_token());
}

/// The policy that we ship, for this mount and this role.
fn shipped_for(under_test: &dyn UnderTest, role: &str) -> String {
    let (policy, named) = (shipped(under_test), "auth/token/create/berth-environment\"");
    assert!(policy.contains(named));
    policy.replace(named, &format!("auth/token/create/{role}\""))
}

pub(crate) async fn the_shipped_policy_makes_tokens_by_one_role_only(under_test: &dyn UnderTest) {
    let role = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let other = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let ours = Client::by(under_test, &under_test.token(&shipped_for(under_test, &role.name)).await);
    let (token, accessor) = made(&create(&ours, &role.name, asked(&role)).await);
    for (method, path, body) in [
        ("POST", format!("auth/token/create/{}", other.name), asked(&other)),
        ("POST", "auth/token/create".to_owned(), json!({})),
        ("POST", "auth/token/create-orphan".to_owned(), json!({})),
        ("POST", "auth/token/lookup".to_owned(), json!({"token": token})),
        ("POST", "auth/token/lookup-accessor".to_owned(), of(&accessor)),
        ("POST", "auth/token/renew".to_owned(), json!({"token": token})),
        ("POST", "auth/token/revoke".to_owned(), json!({"token": token})),
        ("POST", "auth/token/revoke-orphan".to_owned(), json!({"token": token})),
        ("LIST", "auth/token/accessors".to_owned(), Value::Null),
        ("GET", format!("auth/token/roles/{}", role.name), Value::Null),
        ("POST", format!("auth/token/roles/{}", role.name), json!({"orphan": true})),
        ("POST", "sys/policies/acl/any".to_owned(), json!({"policy": ""})),
    ] {
        assert_eq!(ours.ask(method, &path, body).await, denied(), "{method} {path}");
    }
    assert_eq!(ours.ask("POST", "auth/token/revoke-accessor", of(&accessor)).await.0, 204);
}

/// Taken away one by one: each time something that berth sends is refused. So none is too much.
pub(crate) async fn every_capability_of_the_shipped_policy_is_needed(under_test: &dyn UnderTest) {
    let role = under_test.token_role(&readable(under_test), Gives::Orphans).await;
    let policy = shipped_for(under_test, &role.name);
    let root = Client::root(under_test);
    root.put(&format!("{ROOT}/old/claim"), json!({})).await;
    let whole = refusals(under_test, &role, &policy, 0).await;
    assert_eq!(whole, [""; 0]);
    let mut taken = 0;
    for (at, line) in policy.lines().enumerate().filter(|(_, line)| line.starts_with("path ")) {
        let (path, capabilities) = line.split_once("[").unwrap();
        let capabilities: Vec<&str> = capabilities.split('"').skip(1).step_by(2).collect();
        for less in &capabilities {
            let left: Vec<&&str> = capabilities.iter().filter(|capability| *capability != less).collect();
            let lines = policy.lines().enumerate();
            let narrowed =
                lines.map(|(n, line)| if n == at { format!("{path}{left:?} }}") } else { line.to_owned() });
            let narrowed = narrowed.collect::<Vec<_>>().join("\n");
            taken += 1;
            let refused = refusals(under_test, &role, &narrowed, taken).await;
            assert!(!refused.is_empty(), "without {less} nothing is missing: {line}");
        }
    }
    assert!(taken > 8, "{taken}");
}

/// What of berth's requests this policy refuses.
async fn refusals(under_test: &dyn UnderTest, role: &TokenRole, policy: &str, round: usize) -> Vec<String> {
    let ours = Client::by(under_test, &under_test.token(policy).await);
    let (_, accessor) = made(&create(&Client::root(under_test), &role.name, asked(role)).await);
    let mount = under_test.mount();
    let (data, versions) = (json!({"data": {}}), json!({"versions": [1]}));
    let mut refused = Vec::new();
    // Made anew in each round: by the first of the two that write it.
    let merged = format!("{mount}/data/cluster-secret-store/secrets");
    let whole = merged.replace("/data/", "/metadata/");
    Client::root(under_test).ask("DELETE", &whole, Value::Null).await;
    for (method, path, body) in [
        ("POST", merged.clone(), data.clone()),
        ("GET", merged.clone(), Value::Null),
        ("POST", merged, data.clone()),
        ("GET", format!("{mount}/data/{ROOT}/old/claim"), Value::Null),
        ("POST", format!("{mount}/data/{ROOT}/new-{round}/claim"), data.clone()),
        ("POST", format!("{mount}/data/{ROOT}/old/claim"), data),
        ("POST", format!("{mount}/delete/{ROOT}/new-{round}/claim"), versions),
        ("LIST", format!("{mount}/metadata/{ROOT}"), Value::Null),
        ("GET", format!("{mount}/data/berth/any"), Value::Null),
        ("POST", "auth/token/renew-self".to_owned(), json!({})),
        ("POST", format!("auth/token/create/{}", role.name), asked(role)),
        ("POST", "auth/token/renew-accessor".to_owned(), of(&accessor)),
        ("POST", "auth/token/revoke-accessor".to_owned(), of(&accessor)),
    ] {
        match ours.ask(method, &path, body).await {
            answer if answer == denied() => refused.push(format!("{method} {path}")),
            (200 | 204 | 404, _) => {}
            answer => panic!("{method} {path}: {answer:?}"),
        }
    }
    refused
}
