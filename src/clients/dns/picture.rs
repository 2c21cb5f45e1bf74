//! What each server said about a name, and what that comes to: pure.
//!
//! Must never: take silence for a denial; call a name right or gone on the word of fewer servers than were to be asked.

use super::exchange::Of;
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData},
};
use std::{collections::BTreeSet, fmt, net::IpAddr, time::Duration};

/// Why a server's word is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// Nothing came in this time.
    TimedOut(Duration),
    /// It could not be reached, or hung up.
    Unreachable(String),
    /// It answered with a code that says nothing about the name: 2 is SERVFAIL, 5 is REFUSED.
    Code(u16),
    /// Its answer cannot be read.
    Garbled(String),
    /// It should have authority over the zone, and answers without: somebody in between, or it has lost the zone.
    WithoutAuthority,
    /// The zone names this server, and nobody knows its address.
    NoAddress(String),
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Silence::TimedOut(limit) => write!(f, "gives no answer within {limit:?}"),
            Silence::Unreachable(why) => write!(f, "cannot be reached ({why})"),
            Silence::Code(1) => f.write_str("calls the question malformed (FORMERR)"),
            Silence::Code(2) => f.write_str("fails (SERVFAIL)"),
            Silence::Code(5) => f.write_str("refuses to answer (REFUSED)"),
            Silence::Code(code) => write!(f, "answers with code {code}"),
            Silence::Garbled(why) => write!(f, "gives an answer that cannot be read ({why})"),
            Silence::WithoutAuthority => f.write_str("answers without authority"),
            Silence::NoAddress(why) => write!(f, "has no known address ({why})"),
        }
    }
}

/// What one server says about a name's addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// These, which are wanted, and no others.
    Wanted(BTreeSet<IpAddr>),
    /// These, which are not.
    Wrong(BTreeSet<IpAddr>),
    /// That it is another name for this one, about which it says nothing.
    Alias(String),
    /// That there is no such name: NXDOMAIN.
    NoSuchName,
    /// That there is the name, but it has no address.
    NoAddresses,
    /// Its word is not known.
    Silent(Silence),
}

/// A server and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// Its name and address, or only what there is of them.
    pub server: String,
    /// What it says.
    pub outcome: Outcome,
    /// For how many seconds it may go on to say so, if it says addresses.
    pub keeps: Option<u32>,
}

/// What all servers say about a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    pub(super) name: String,
    /// Empty where the name is to be gone.
    pub(super) wanted: BTreeSet<IpAddr>,
    /// Those with authority over the name.
    pub authorities: Vec<Heard>,
    /// The configured resolvers: none of them as long as it would be too early to ask.
    pub resolvers: Vec<Heard>,
}

impl Heard {
    fn is_wanted(&self) -> bool {
        matches!(self.outcome, Outcome::Wanted(_))
    }
}

impl Picture {
    /// Whether every server gives the wanted addresses, and no others.
    pub fn is_there(&self) -> bool {
        !self.wanted.is_empty() && self.authorities_agree() && !self.resolvers.is_empty() && {
            self.resolvers.iter().all(Heard::is_wanted)
        }
    }

    /// Whether every authoritative server says that there is no such name, or that it has no address.
    pub fn is_gone(&self) -> bool {
        let gone = |heard: &Heard| matches!(heard.outcome, Outcome::NoSuchName | Outcome::NoAddresses);
        !self.authorities.is_empty() && self.authorities.iter().all(gone)
    }

    /// How its servers say that it is gone: `NXDOMAIN, 2 of 2 servers`.
    pub fn denial(&self) -> String {
        let all = self.authorities.len();
        let none = self.authorities.iter().filter(|heard| heard.outcome == Outcome::NoSuchName).count();
        let servers = if all == 1 { "server" } else { "servers" };
        match none == all {
            true => format!("NXDOMAIN, {none} of {all} {servers}"),
            false => format!("NXDOMAIN or no address, {all} of {all} {servers}"),
        }
    }

    /// Whether somebody's word is not known who was to be asked, and nobody says anything that is wrong.
    pub fn is_unknown(&self) -> bool {
        let mut behind = self.behind().peekable();
        behind.peek().is_some() && behind.all(|(_, heard)| matches!(heard.outcome, Outcome::Silent(_)))
    }

    pub(super) fn authorities_agree(&self) -> bool {
        !self.authorities.is_empty() && self.authorities.iter().all(Heard::is_wanted)
    }

    /// Those that do not say yet what they shall, in the order in which they were asked.
    fn behind(&self) -> impl Iterator<Item = (Of, &Heard)> {
        let authorities = self.authorities.iter().map(|heard| (Of::Authority, heard));
        let all = authorities.chain(self.resolvers.iter().map(|heard| (Of::Resolver, heard)));
        all.filter(|(_, heard)| match &heard.outcome {
            Outcome::Wanted(_) => false,
            Outcome::NoSuchName | Outcome::NoAddresses => !self.wanted.is_empty(),
            _ => true,
        })
    }

    /// What to do about it, if waiting does not help.
    pub fn hint(&self) -> Option<String> {
        let (of, heard) = self.behind().next()?;
        let (name, server) = (&self.name, &heard.server);
        Some(match (&heard.outcome, of) {
            (Outcome::Silent(Silence::WithoutAuthority), _) => format!(
                "is {server} still a server of the zone, and does nobody on the way answer in its place? \
                 ask it with `dig +norecurse {name} @ADDRESS`"
            ),
            (Outcome::Silent(_), _) => {
                format!("can {server} be reached from here over UDP and TCP? `dig {name} @ADDRESS` shows it")
            }
            (_, _) if self.wanted.is_empty() => {
                format!(
                    "delete the record of {name} that is left, or look why external-dns has not: its log tells"
                )
            }
            (Outcome::NoSuchName | Outcome::NoAddresses, Of::Authority) => {
                format!("is {name} published? the log of external-dns in the environment tells")
            }
            (Outcome::NoSuchName | Outcome::NoAddresses, Of::Resolver) => format!(
                "{server} keeps a denial from before, or asks other servers than the zone's; wait or flush it"
            ),
            (_, Of::Authority) => format!("who else publishes {name}? that record must go"),
            (_, Of::Resolver) => {
                let time = heard.keeps.map_or(String::new(), |seconds| format!(" for another {seconds} s"));
                format!(
                    "{server} keeps an older answer{time}, or has one of its own; wait that long, or flush it"
                )
            }
        })
    }
}

impl fmt::Display for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let behind: Vec<String> = self.behind().map(|(_, heard)| self.line(heard)).collect();
        if !behind.is_empty() {
            return f.write_str(&behind.join("; "));
        }
        let count = |heard: &[Heard], what: &str| {
            format!("{} {what}{}", heard.len(), if heard.len() == 1 { "" } else { "s" })
        };
        let authorities = count(&self.authorities, "authoritative server");
        if self.wanted.is_empty() {
            return write!(f, "gone from {authorities}");
        }
        let told = self.authorities.iter().filter_map(|heard| match &heard.outcome {
            Outcome::Wanted(addresses) => Some(addresses.iter().copied()),
            _ => None,
        });
        let told: BTreeSet<IpAddr> = told.flatten().collect();
        write!(f, "{} from {authorities}, {}", list(&told), count(&self.resolvers, "resolver"))
    }
}

impl Picture {
    fn line(&self, heard: &Heard) -> String {
        let (name, server) = (&self.name, &heard.server);
        match &heard.outcome {
            Outcome::Wanted(addresses) => format!("{server} says {} for {name}", list(addresses)),
            Outcome::Wrong(addresses) if self.wanted.is_empty() => {
                format!("{server} still says {} for {name}", list(addresses))
            }
            Outcome::Wrong(addresses) => {
                format!("{server} says {} for {name}, not {}", list(addresses), list(&self.wanted))
            }
            Outcome::Alias(of) => format!("{server} says that {name} is another name for {of}"),
            Outcome::NoSuchName => format!("{server} says that there is no {name} (NXDOMAIN)"),
            Outcome::NoAddresses => format!("{server} says that {name} has no address"),
            Outcome::Silent(why) => format!("{server} {why} about {name}"),
        }
    }
}

fn list(addresses: &BTreeSet<IpAddr>) -> String {
    addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ")
}

/// For how long what stands in an answer may be said again.
pub(super) fn keeps(name: &Name, answers: &[Result<Message, Silence>; 2]) -> Option<u32> {
    let read = answers.iter().filter_map(|answer| answer.as_ref().ok());
    let records = read.flat_map(|answer| {
        let end = end_of(name, answer);
        answer.answers.iter().filter(move |record| record.name == end && record.data.ip_addr().is_some())
    });
    records.map(|record| record.ttl).min()
}

/// What a server's answers for both kinds of addresses come to.
pub(super) fn judge(
    of: Of,
    name: &Name,
    answers: [Result<Message, Silence>; 2],
    wanted: &BTreeSet<IpAddr>,
) -> Outcome {
    let [v4, v6] = match answers {
        [Ok(v4), Ok(v6)] => [v4, v6],
        [Err(why), _] | [_, Err(why)] => return Outcome::Silent(why),
    };
    let both = [&v4, &v6];
    if of == Of::Authority && both.iter().any(|answer| !answer.metadata.authoritative) {
        return Outcome::Silent(Silence::WithoutAuthority);
    }
    let ends = both.map(|answer| end_of(name, answer));
    let found: BTreeSet<IpAddr> =
        ends.iter().zip(both).flat_map(|(end, answer)| addresses(end, answer)).collect();
    if !found.is_empty() {
        // Any of them will do, and nothing else beside.
        return if found.is_subset(wanted) { Outcome::Wanted(found) } else { Outcome::Wrong(found) };
    }
    if let Some(end) = ends.iter().find(|end| *end != name) {
        return Outcome::Alias(end.to_ascii().trim_end_matches('.').to_owned());
    }
    // Some keep a denial for the one type only that they were asked for too early.
    match both.iter().any(|answer| answer.metadata.response_code == ResponseCode::NXDomain) {
        true => Outcome::NoSuchName,
        false => Outcome::NoAddresses,
    }
}

/// Where the aliases in an answer lead.
fn end_of(name: &Name, answer: &Message) -> Name {
    let mut end = name.clone();
    // There are no more steps than records, even in a circle.
    for _ in 0..answer.answers.len() {
        let next = answer.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == end => Some(target.0.clone()),
            _ => None,
        });
        match next {
            Some(next) => end = next,
            None => break,
        }
    }
    end
}

fn addresses(end: &Name, answer: &Message) -> impl Iterator<Item = IpAddr> {
    let of_it = answer.answers.iter().filter(move |record| record.name == *end);
    of_it.filter_map(|record| record.data.ip_addr())
}
