//! Roles that make tokens for others.
//!
//! It must never give what the role does not allow, nor what its maker has.

use super::policy::Rule;
use super::tokens::{Birth, Grant, MAX_TTL, Tokens, duration};
use super::{Answer, Refusal, Success, Timestamp, refuse};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// A role of tokens: `auth/token/create/<role>`.
#[derive(Debug, Clone, Default)]
pub struct TokenRole {
    policies: BTreeMap<String, Vec<Rule>>,
    gives: Kin,
    max_ttl: Option<u64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Kin {
    #[default]
    Children,
    Orphans,
}

impl TokenRole {
    /// And its tokens may have this policy.
    #[must_use]
    pub fn allowing(mut self, policy: &str, rules: Vec<Rule>) -> Self {
        self.policies.insert(policy.to_owned(), rules);
        self
    }

    /// And its tokens do not end with the one that made them.
    #[must_use]
    pub fn orphans(mut self) -> Self {
        self.gives = Kin::Orphans;
        self
    }

    /// And no renewal of its tokens helps after so many seconds.
    #[must_use]
    pub fn max_ttl(mut self, seconds: u64) -> Self {
        self.max_ttl = Some(seconds);
        self
    }
}

impl Tokens {
    pub(super) fn create(&mut self, now: Timestamp, maker: &str, name: &str, body: &Value) -> Answer {
        let role = self.roles.get(name).ok_or_else(|| refuse(400, format!("unknown role {name}")))?;
        if !body["id"].is_null() {
            return Err(refuse(400, "root or sudo privileges required to specify token id"));
        }
        let mut warnings = Vec::new();
        let mut policies = named(&body["policies"], role)?;
        let rules =
            policies.iter().filter_map(|policy| role.policies.get(policy)).flatten().cloned().collect();
        if body["no_default_policy"] != true {
            policies.insert("default".to_owned());
        }
        let length = |key: &str| duration(&body[key]).map_err(|why| refuse(400, why));
        let explicit = match (length("explicit_max_ttl")?, role.max_ttl) {
            (Some(asked), Some(most)) => {
                let lesser = asked.min(most);
                warnings.push(format!(
                    "Explicit max TTL specified both during creation call and in role; using the lesser value of {lesser} seconds"
                ));
                Some(lesser)
            }
            (asked, most) => asked.or(most),
        };
        let most = explicit.unwrap_or(MAX_TTL);
        let ttl = length("ttl")?;
        if let Some(ttl) = ttl.filter(|ttl| *ttl > most) {
            warnings.push(format!(
                "TTL of \"{ttl}s\" exceeded the effective max_ttl of \"{most}s\"; TTL value is capped accordingly"
            ));
        }
        let short = |seconds: u64| u32::try_from(seconds).unwrap_or(u32::MAX);
        let grant = Grant {
            policy: Some(rules),
            ttl: Some(short(ttl.unwrap_or(MAX_TTL).min(most))),
            // Not what was asked for: renewals are bounded by the role's alone.
            max_ttl: role.max_ttl.map(short),
            fixed: body["renewable"] == false,
        };
        let birth = Birth {
            grant,
            policies: policies.into_iter().collect(),
            path: format!("auth/token/create/{name}"),
            meta: texts(&body["meta"])?,
            role: Some(name.to_owned()),
            parent: (role.gives == Kin::Children).then(|| maker.to_owned()),
            explicit_max_ttl: explicit.unwrap_or(0),
        };
        let id = self.make(now, birth);
        Ok(Success::Auth(self.describe(now, &id)?, warnings))
    }
}

/// Those that are asked for, which must be among the role's; if none is, all of those.
fn named(asked: &Value, role: &TokenRole) -> Result<BTreeSet<String>, Refusal> {
    let asked: BTreeSet<&str> = match asked {
        Value::String(list) => list.split(',').map(str::trim).collect(),
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => BTreeSet::new(),
    };
    if asked.iter().any(|policy| !role.policies.contains_key(*policy)) {
        let quoted = |names: &mut dyn Iterator<Item = &str>| {
            names.map(|name| format!("{name:?}")).collect::<Vec<_>>().join(" ")
        };
        return Err(refuse(
            400,
            format!(
                "token policies ([{}]) must be subset of the role's allowed policies ([{}]) or glob policies ([])",
                quoted(&mut asked.iter().copied()),
                quoted(&mut role.policies.keys().map(String::as_str)),
            ),
        ));
    }
    Ok(match asked.is_empty() {
        true => role.policies.keys().cloned().collect(),
        false => asked.into_iter().map(str::to_owned).collect(),
    })
}

/// Everything in it is text.
fn texts(meta: &Value) -> Result<Value, Refusal> {
    let Value::Object(pairs) = meta else { return Ok(Value::Null) };
    let text = |(key, value): (&String, &Value)| match value {
        Value::String(_) => Ok((key.clone(), value.clone())),
        Value::Number(number) => Ok((key.clone(), number.to_string().into())),
        _ => Err(refuse(400, "Field validation failed: error converting input for field \"meta\": no text")),
    };
    pairs.iter().map(text).collect::<Result<Map<_, _>, _>>().map(Value::Object)
}
