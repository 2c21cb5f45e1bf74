//! Whom an address or a claim is for. The name of an environment is a function of its holder, and of nothing else.
//!
//! Must never: give two holders of one owner the same name. Holders of different owners may meet on a name
//! (`acme/shop#42`, `other/shop#42`); a claim says who holds it, so the second is refused with both named.

use super::names::{
    DnsName, EnvironmentName, HeadSha, Malformed, PrNumber, RepoName, ReservationId, label_for,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// One pull request, as people write it: `owner/repo#number`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PullRequest {
    /// The repository that it is opened against.
    pub repo: RepoName,
    /// Its number there.
    pub number: PrNumber,
}

impl FromStr for PullRequest {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let (repo, number) =
            text.rsplit_once('#').ok_or_else(|| Malformed::new("pull request", text, "owner/repo#number"))?;
        Ok(Self { repo: repo.parse()?, number: number.parse()? })
    }
}

impl fmt::Display for PullRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.repo, self.number)
    }
}

/// Which environment, as people write it: its pull request, or its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// `owner/repo#number`.
    Pull(PullRequest),
    /// Whatever holds this name.
    Name(EnvironmentName),
}

impl FromStr for Which {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text.contains('#') || text.contains('/') {
            true => text.parse().map(Self::Pull),
            false => text.parse().map(Self::Name),
        }
    }
}

impl Which {
    /// What it is called.
    pub fn name(&self) -> EnvironmentName {
        match self {
            Self::Pull(pull) => Holder::PullRequest(pull.clone()).name(),
            Self::Name(name) => name.clone(),
        }
    }
}

/// Who holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holder {
    /// `owner/repo#number`.
    PullRequest(PullRequest),
    /// One entry of a repository's merge queue, known by the commit that it would merge.
    MergeGroup {
        /// Whose queue.
        repo: RepoName,
        /// The commit of the group.
        head: HeadSha,
    },
    /// A time slot on one machine, given by a reservation system. The machine is what is scarce, so it gives the name.
    Reservation {
        /// The machine.
        host: EnvironmentName,
        /// The slot.
        id: ReservationId,
    },
    /// `berth pool allocate NAME`: a name, and nothing else is known.
    Named(EnvironmentName),
}

impl Holder {
    /// What its environment is called.
    pub fn name(&self) -> EnvironmentName {
        match self {
            Holder::PullRequest(PullRequest { repo, number }) => {
                valid(label_for("pr", repo.repo(), &number.to_string(), &repo.to_string()))
            }
            Holder::MergeGroup { repo, head } => {
                valid(label_for("mg", repo.repo(), short(head), &repo.to_string()))
            }
            Holder::Reservation { host, .. } => valid(label_for("host", host.as_ref(), "", host.as_ref())),
            Holder::Named(name) => name.clone(),
        }
    }

    /// Whose code it is for; a bare name has none.
    pub fn repository(&self) -> Option<&RepoName> {
        match self {
            Holder::PullRequest(PullRequest { repo, .. }) | Holder::MergeGroup { repo, .. } => Some(repo),
            Holder::Reservation { .. } | Holder::Named(_) => None,
        }
    }

    /// Its host: one label under `domain`, so that one wildcard record and one wildcard certificate serve all.
    /// For a pull request the number comes first, as it always has: `pr-42-shop.<domain>`.
    pub fn host(&self, domain: &DnsName) -> Result<DnsName, Malformed> {
        let label = match self {
            Holder::PullRequest(PullRequest { repo, number }) => {
                label_for(&format!("pr-{number}"), repo.repo(), "", &repo.to_string())
            }
            other => other.name().to_string(),
        };
        format!("{label}.{domain}").parse()
    }

    /// One more host of it, by its label: `pr-42-shop-api.<domain>`.
    pub fn further_host(&self, label: &str, domain: &DnsName) -> Result<DnsName, Malformed> {
        let host = match self {
            Holder::PullRequest(PullRequest { repo, number }) => {
                label_for(&format!("pr-{number}"), repo.repo(), label, &repo.to_string())
            }
            other => label_for(other.name().as_ref(), label, "", label),
        };
        format!("{host}.{domain}").parse()
    }
}

fn short(head: &HeadSha) -> &str {
    head.as_ref().get(..12).unwrap_or(head.as_ref())
}

fn valid(label: String) -> EnvironmentName {
    label.parse().expect("label_for makes valid labels only: tests/it/names.rs proves it over hostile names")
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Holder::PullRequest(pull) => pull.fmt(f),
            Holder::MergeGroup { repo, head } => write!(f, "merge group {} of {repo}", short(head)),
            Holder::Reservation { host, id } => write!(f, "reservation {id} of {host}"),
            Holder::Named(name) => name.fmt(f),
        }
    }
}
