//! Kubeconfigs as texts: one environment's, by its own name, and the one document that holds all. Pure.
//!
//! Must never: lose an entry that is not this environment's; quote what it could not read, for it holds credentials.

use super::{names::EnvironmentName, yaml};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

/// It cannot be read as a kubeconfig.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoKubeconfig;

impl std::fmt::Display for NoKubeconfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is no kubeconfig")
    }
}

impl std::error::Error for NoKubeconfig {}

/// Of a user, what nobody else may know.
const CREDENTIALS: [&str; 4] = ["client-key-data", "client-certificate-data", "token", "password"];
const LISTS: [&str; 3] = ["clusters", "users", "contexts"];

/// What must never be shown of it: each credential as it stands there, and a private key also as the PEM that it is of.
pub fn credentials(text: &str) -> Result<Vec<String>, NoKubeconfig> {
    let all = parse(text)?;
    let users = all["users"].as_array().into_iter().flatten();
    let values = users.flat_map(|one| CREDENTIALS.iter().filter_map(|key| one["user"][*key].as_str()));
    let both = values.flat_map(|value| {
        let decoded = BASE64_STANDARD.decode(value).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        [Some(value.to_owned()), decoded.filter(|text| text.contains("PRIVATE KEY"))]
    });
    Ok(both.flatten().collect())
}

/// The same with its current context, and what that names, called after the environment.
pub fn named(text: &str, name: &EnvironmentName) -> Result<String, NoKubeconfig> {
    let all = parse(text)?;
    let name = name.as_ref();
    let context = entry(&all, "contexts", all["current-context"].as_str().ok_or(NoKubeconfig)?)?;
    let of = |list: &str, key: &str| {
        entry(&all, list, context["context"][key].as_str().ok_or(NoKubeconfig)?).cloned()
    };
    let (mut cluster, mut user, mut context) =
        (of("clusters", "cluster")?, of("users", "user")?, context.clone());
    for one in [&mut cluster, &mut user, &mut context] {
        one["name"] = json!(name);
    }
    (context["context"]["cluster"], context["context"]["user"]) = (json!(name), json!(name));
    Ok(yaml::text(&[json!({
        "apiVersion": "v1", "kind": "Config", "current-context": name,
        "clusters": [cluster], "users": [user], "contexts": [context],
    })]))
}

/// The document of all with this environment's entries in it, or, without a text, out of it. `None`: it is so already.
pub fn merged(
    all: Option<&str>,
    name: &EnvironmentName,
    own: Option<&str>,
) -> Result<Option<String>, NoKubeconfig> {
    let before = match all.map(str::trim) {
        // No document is one without entries; one that cannot be read is none of our business to replace.
        None | Some("") => json!({"apiVersion": "v1", "kind": "Config"}),
        Some(text) => parse(text)?,
    };
    let own = own.map(|own| named(own, name).and_then(|own| parse(&own))).transpose()?;
    let mut after = before.clone();
    for list in LISTS {
        let mut entries = before[list].as_array().cloned().unwrap_or_default();
        entries.retain(|one| one["name"] != name.as_ref());
        entries.extend(own.iter().flat_map(|own| own[list].as_array().cloned().unwrap_or_default()));
        after[list] = entries.into();
    }
    match &own {
        Some(_) => after["current-context"] = json!(name),
        None if before["current-context"] == name.as_ref() => {
            after["current-context"] = after["contexts"]
                .as_array()
                .and_then(|all| all.last())
                .map_or_else(|| json!(""), |last| last["name"].clone());
        }
        None => {}
    }
    let same = |list: &&str| before[*list].as_array().map_or(0, Vec::len) == 0 && after[*list] == json!([]);
    if own.is_none() && LISTS.iter().all(|list| before[*list] == after[*list] || same(list)) {
        return Ok(None);
    }
    Ok((before != after).then(|| yaml::text(&[after])))
}

/// Under which names the document of all has clusters, and at which addresses; `None`: under a host name, or nowhere.
pub fn addresses(all: &str) -> Result<Vec<(String, Option<Ipv4Addr>)>, NoKubeconfig> {
    let all = if all.trim().is_empty() { json!({}) } else { parse(all)? };
    let address = |one: &Value| {
        let server = one["cluster"]["server"].as_str()?.strip_prefix("https://")?;
        server.split([':', '/']).next()?.parse().ok()
    };
    let of = |one: &Value| Some((one["name"].as_str()?.to_owned(), address(one)));
    Ok(all["clusters"].as_array().into_iter().flatten().filter_map(of).collect())
}

/// As Argo CD wants to be told of a cluster: where its server is, and how to log in.
pub fn for_argo_cd(text: &str) -> Result<(String, Value), NoKubeconfig> {
    let all = parse(text)?;
    let context = entry(&all, "contexts", all["current-context"].as_str().ok_or(NoKubeconfig)?)?;
    let of = |list: &str, key: &str| {
        let found = entry(&all, list, context["context"][key].as_str().ok_or(NoKubeconfig)?)?;
        Ok::<_, NoKubeconfig>(found[key].clone())
    };
    let (cluster, user) = (of("clusters", "cluster")?, of("users", "user")?);
    let mut tls = json!({"insecure": false});
    let data = [
        ("caData", &cluster["certificate-authority-data"]),
        ("certData", &user["client-certificate-data"]),
        ("keyData", &user["client-key-data"]),
    ];
    data.into_iter().filter(|(_, value)| value.is_string()).for_each(|(key, value)| tls[key] = value.clone());
    let mut config = json!({"tlsClientConfig": tls});
    if user["token"].is_string() {
        config["bearerToken"] = user["token"].clone();
    }
    Ok((cluster["server"].as_str().ok_or(NoKubeconfig)?.to_owned(), config))
}

fn parse(text: &str) -> Result<Value, NoKubeconfig> {
    let documents = yaml::documents("kubeconfig", text).map_err(|_| NoKubeconfig)?;
    match <[Value; 1]>::try_from(documents) {
        Ok([one])
            if one.is_object() && LISTS.iter().all(|list| one[*list].is_null() || one[*list].is_array()) =>
        {
            Ok(one)
        }
        _ => Err(NoKubeconfig),
    }
}

fn entry<'a>(all: &'a Value, list: &str, name: &str) -> Result<&'a Value, NoKubeconfig> {
    let mut entries = all[list].as_array().into_iter().flatten();
    entries.find(|one| one["name"] == name).ok_or(NoKubeconfig)
}
