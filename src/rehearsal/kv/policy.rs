//! Policies: which rule decides about a path, and what it permits.
//!
//! It must never know what a path means: here it is text.

use std::cmp::Reverse;

/// What a policy can permit on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// To write what is not there yet.
    Create,
    /// To read.
    Read,
    /// To write what is there.
    Update,
    /// To delete.
    Delete,
    /// To list.
    List,
}

/// One rule of a policy.
#[derive(Debug, Clone)]
pub struct Rule {
    path: String,
    capabilities: Vec<Capability>,
}

impl Rule {
    /// A rule for a path as Vault's policies write them: exact, or with `*` at its end for all that begins so,
    /// and `+` for exactly one segment. No capabilities: denied.
    pub fn new(path: &str, capabilities: &[Capability]) -> Self {
        Self { path: path.to_owned(), capabilities: capabilities.to_vec() }
    }

    pub(super) fn permits(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    fn matches(&self, path: &str) -> bool {
        let (pattern, open) = match self.path.strip_suffix('*') {
            Some(prefix) => (prefix, true),
            None => (self.path.as_str(), false),
        };
        let mut rest = path.split('/');
        let mut wanted = pattern.split('/').peekable();
        while let Some(segment) = wanted.next() {
            let last = wanted.peek().is_none();
            match rest.next() {
                Some(found) if open && last => return found.starts_with(segment),
                Some(_) if segment == "+" => {}
                Some(found) if found == segment => {}
                _ => return false,
            }
        }
        rest.next().is_none()
    }

    /// Of the rules that match, Vault takes only the one that says most about the path.
    fn precedence(&self) -> (usize, bool, Reverse<usize>, usize) {
        let wild = self.path.find(['+', '*']).unwrap_or(usize::MAX);
        let plus = self.path.matches('+').count();
        (wild, !self.path.ends_with('*'), Reverse(plus), self.path.len())
    }
}

/// The one rule that decides about something that goes by these paths.
pub(super) fn decides<'a>(
    policy: &'a [Rule],
    paths: impl Iterator<Item = &'a str> + Clone,
) -> Option<&'a Rule> {
    let applies = |rule: &&Rule| paths.clone().any(|path| rule.matches(path));
    policy.iter().filter(applies).max_by_key(|rule| rule.precedence())
}
