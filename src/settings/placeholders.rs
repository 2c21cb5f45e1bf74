//! Which names `${NAME}` may hold, and what a wrong one was probably meant to be.
//!
//! Values are substituted when an environment is made; that a name is unknown is said when the settings are read.
//! Must never: let a name of a user's stand for what berth itself means by it.

use super::{app::Var, layers::Found, nearest::nearest, values::HostLabel};
use crate::{
    domain::template::{Mistake, Variables, Why},
    errors::UserError,
};
use serde_json::Value;

/// The closed list of names that berth gives, each with what it may look like.
const BUILT_IN: [(&str, &str); 14] = [
    ("NAME", "pr-shop-42"),
    ("OWNER", "acme"),
    ("REPO", "shop"),
    ("REPOSITORY", "shop"),
    ("PR_NUMBER", "42"),
    ("HEAD_SHA", "0123456789abcdef0123456789abcdef01234567"),
    ("MERGE_SHA", "0123456789abcdef0123456789abcdef01234567"),
    ("ADDRESS", "192.0.2.2"),
    ("NODE_ADDRESS", "192.0.2.3"),
    ("CLUSTER_NAME", "pr-shop-42"),
    ("CLUSTER_IP", "192.0.2.2"),
    ("NODE_IP", "192.0.2.3"),
    ("HOST", "pr-42-shop.example.com"),
    ("URL", "https://pr-42-shop.example.com"),
];

/// Those that there are only below a domain.
fn is_of_a_host(name: &str) -> bool {
    matches!(name, "HOST" | "URL") || name.starts_with("HOST_")
}

/// The names that berth gives to every environment; `HOST_…` of `hosts` come on top.
pub fn built_in_names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The variable of a further host: `api` gives `HOST_API`.
pub fn host_variable(label: &HostLabel) -> String {
    format!("HOST_{}", label.as_ref().to_ascii_uppercase().replace('-', "_"))
}

/// A mistake, with the name that was probably meant.
pub fn explain<'a>(mistake: &Mistake, names: impl IntoIterator<Item = &'a str>) -> String {
    let name = mistake.placeholder.trim_start_matches("${").trim_end_matches('}');
    match nearest(name, names).filter(|_| matches!(mistake.why, Why::Unknown | Why::NoName)) {
        Some(near) => format!("{mistake}, did you mean ${{{near}}}?"),
        None => mistake.to_string(),
    }
}

/// The names that are known where settings are read.
#[derive(Debug)]
pub(super) struct Names {
    /// Each with a value such as it will have.
    samples: Variables,
    /// That there is no `dns.domain`, so that hosts are names of nothing.
    homeless: bool,
}

impl Names {
    /// Those that berth gives.
    pub(super) fn built_in(homeless: bool) -> Self {
        let mut samples = Variables::default();
        for (name, sample) in BUILT_IN.iter().filter(|(name, _)| !homeless || !is_of_a_host(name)) {
            samples.set(name, *sample);
        }
        Self { samples, homeless }
    }

    /// And those of further hosts.
    pub(super) fn with_hosts(mut self, hosts: &[HostLabel]) -> Self {
        for host in hosts.iter().filter(|_| !self.homeless) {
            self.samples.set(&host_variable(host), format!("pr-42-shop-{host}.example.com"));
        }
        self
    }

    /// And one's own. Each may hold names of berth's, but none of its fellows', so that no order matters.
    pub(super) fn with_vars(mut self, vars: &[(Found<'_, Value>, Var)]) -> Result<Self, UserError> {
        let mut own = Vec::new();
        for (found, Var { name, value }) in vars {
            if self.samples.get(name.as_ref()).is_some() || is_of_a_host(name.as_ref()) {
                return Err(found.wrong(format!("`{name}` is a variable of berth's own")));
            }
            own.push((name, self.check(found, &format!("vars.{name}"), value)?));
        }
        for (name, sample) in own {
            self.samples.set(name.as_ref(), sample);
        }
        Ok(self)
    }

    /// The value as it may be once it is substituted; else the first mistake in it.
    pub(super) fn check<T>(
        &self,
        found: &Found<'_, T>,
        key: &str,
        value: &Value,
    ) -> Result<Value, UserError> {
        self.samples.fill(value).map_err(|mistakes| {
            let first = mistakes.into_iter().next().expect("who fails has a reason");
            let name = first.placeholder.trim_start_matches("${").trim_end_matches('}').to_owned();
            let at = if first.at == "." { String::new() } else { first.at.clone() };
            let mistake = Mistake { at: format!("`{key}{at}`"), ..first };
            if self.homeless && is_of_a_host(&name) {
                let message =
                    format!("{}: {} has no value without a domain", mistake.at, mistake.placeholder);
                return found.wrong(message).hint("set `dns.domain` in the platform file");
            }
            let error = found.wrong(explain(&mistake, self.samples.names()));
            error.hint(format!("known are {}", self.samples.names().collect::<Vec<_>>().join(", ")))
        })
    }

    /// The same for a text.
    pub(super) fn check_text<T: AsRef<str>>(
        &self,
        found: &Found<'_, T>,
        key: &str,
    ) -> Result<String, UserError> {
        let filled = self.check(found, key, &found.value.as_ref().into())?;
        Ok(filled.as_str().map_or_else(|| filled.to_string(), str::to_owned))
    }
}
