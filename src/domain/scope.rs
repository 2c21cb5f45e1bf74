//! What a run works on, as one value from which every name and object follows. Pure.
//!
//! Must never: hold what only another step could know.

use super::{
    claim::{Claim, Removal},
    holder::Holder,
    names::{DnsName, EnvironmentName, HeadSha},
    pool::Block,
    template::Variables,
};
use std::collections::BTreeMap;

/// See the module.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Whose environment.
    pub holder: Holder,
    /// What it is called.
    pub name: EnvironmentName,
    /// Its addresses; `None`: it has none (any more, or its provider needs none).
    pub addresses: Option<Block>,
    /// The names that lead to it.
    pub hosts: Hosts,
    /// What becomes of it.
    pub target: Target,
    /// What its removal needs, as the claim says it.
    pub removal: Removal,
}

/// What is to become of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// It shall run this.
    Up(Commit),
    /// It shall be gone.
    Down,
}

/// What an environment shall run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Commit {
    /// The head of the pull request; `None`: a bare name has none.
    pub head: Option<HeadSha>,
    /// The commit that merging it would make, if GitHub has made it.
    pub merge: Option<HeadSha>,
}

/// The names that lead to an environment, by their variables.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts {
    /// `HOST`; `None`: there is no domain.
    pub main: Option<DnsName>,
    /// `HOST_API` and the like.
    pub further: BTreeMap<String, DnsName>,
}

impl Hosts {
    /// All of them, the main one first.
    pub fn all(&self) -> impl Iterator<Item = &DnsName> {
        self.main.iter().chain(self.further.values())
    }
}

impl Scope {
    /// Of a claim that was taken.
    pub fn of(claim: &Claim, hosts: Hosts, target: Target) -> Self {
        Self {
            holder: claim.holder().clone(),
            name: claim.name(),
            addresses: claim.addresses(),
            hosts,
            target,
            removal: claim.removal().clone(),
        }
    }

    /// Of nobody's environment: for who looks at all.
    pub fn nobodys(removal: Removal) -> Self {
        let name: EnvironmentName = "nobody".parse().expect("a label of letters");
        let (hosts, target) = (Hosts::default(), Target::Down);
        Self { holder: Holder::Named(name.clone()), name, addresses: None, hosts, target, removal }
    }

    /// Where it is to be met.
    pub fn url(&self) -> Option<String> {
        self.hosts.main.as_ref().map(|host| format!("https://{host}"))
    }

    /// The head that it shall run, if there is one.
    pub fn head(&self) -> Option<&HeadSha> {
        match &self.target {
            Target::Up(commit) => commit.head.as_ref(),
            Target::Down => None,
        }
    }

    /// What placeholders stand for. A name whose value is not known is unknown, never empty.
    pub fn variables(&self) -> Variables {
        let mut all = Variables::default();
        for name in ["NAME", "CLUSTER_NAME"] {
            all.set(name, self.name.as_ref());
        }
        match &self.holder {
            Holder::PullRequest(pull) => {
                all.set("OWNER", pull.repo.owner());
                all.set("REPO", pull.repo.repo());
                all.set("REPOSITORY", pull.repo.repo());
                all.set("PR_NUMBER", pull.number.to_string());
            }
            Holder::MergeGroup { repo, .. } => {
                all.set("OWNER", repo.owner());
                all.set("REPO", repo.repo());
                all.set("REPOSITORY", repo.repo());
            }
            Holder::Reservation { .. } | Holder::Named(_) => {}
        }
        if let Target::Up(Commit { head, merge }) = &self.target {
            for (name, sha) in [("HEAD_SHA", head), ("MERGE_SHA", merge)] {
                sha.iter().for_each(|sha| all.set(name, sha.as_ref()));
            }
        }
        for (name, host) in &self.hosts.further {
            all.set(name, host.as_ref());
        }
        self.hosts.main.iter().for_each(|host| all.set("HOST", host.as_ref()));
        self.url().into_iter().for_each(|url| all.set("URL", url));
        let mut addresses = self.addresses.into_iter().flat_map(Block::addresses);
        for names in [["ADDRESS", "CLUSTER_IP"], ["NODE_ADDRESS", "NODE_IP"]] {
            if let Some(address) = addresses.next() {
                names.iter().for_each(|name| all.set(name, address.to_string()));
            }
        }
        all
    }
}
