//! The single values of a configuration as types that cannot hold a wrong one; files, variables and flags share them.
//!
//! Each is parsed from its text, however YAML would have typed it: `range`, `15m` and `0644` mean what they say.
//! Must never: print a secret.

use crate::domain::{
    duration::Duration,
    names::{ContextName, DnsName, EnvironmentName, LabelName, Login, Malformed},
    pool::Range,
};
use secrecy::SecretString;
use std::{fmt, net::Ipv4Addr, num::NonZeroU8, path::PathBuf, str::FromStr};

/// How a value looks in the schema.
macro_rules! schema {
    ($name:ident, $($schema:tt)*) => {
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($($schema)*)
            }
        }
    };
}

/// A value whose only way in is `FromStr`.
macro_rules! leaf {
    ($name:ident, $($schema:tt)*) => {
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
        crate::settings::values::schema!($name, $($schema)*);
    };
}

/// A DNS label with a meaning.
macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                let rule = "1 to 63 of a-z, 0-9 and '-', beginning and ending with a letter or digit";
                // An environment's name is a label and nothing more, so it knows what one is.
                match text.parse::<EnvironmentName>() {
                    Ok(label) => Ok(Self(label.into())),
                    Err(_) => Err(Malformed::new($what, text, rule)),
                }
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
        crate::settings::values::leaf!($name, {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"});
    };
}

/// A plain value: parsed by the standard library, with a rule that people understand.
macro_rules! plain {
    ($(#[$doc:meta])* $name:ident($inner:ty), $what:literal, $rule:literal, $schema:tt, $parse:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
        pub(in crate::settings) struct $name(pub(in crate::settings) $inner);

        impl std::str::FromStr for $name {
            type Err = crate::domain::names::Malformed;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let parse: fn(&str) -> Option<$inner> = $parse;
                parse(text).map(Self).ok_or_else(|| Self::Err::new($what, text, $rule))
            }
        }
        crate::settings::values::leaf!($name, $schema);
    };
}

pub(super) use {leaf, plain, schema};

label!(
    /// What a pool is called.
    PoolName,
    "pool name"
);
label!(
    /// A Kubernetes namespace.
    Namespace,
    "namespace"
);

label!(
    /// What a provider is called.
    ProviderName,
    "provider name"
);
label!(
    /// A label of a further host.
    HostLabel,
    "host label"
);

leaf!(Duration, {
    "type": "string",
    "minLength": 2,
    "pattern": "^([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
});
schema!(Range, {"type": "string", "examples": ["192.168.1.140-192.168.1.149", "192.168.1.0/28"]});
schema!(ContextName, {"type": "string", "minLength": 1});
schema!(DnsName, {"type": "string", "minLength": 1, "maxLength": 253});
schema!(LabelName, {"type": "string", "minLength": 1, "maxLength": 100});
schema!(Login, {"type": "string", "minLength": 1});

/// Addresses of a pool's range that are somebody else's: one, a range or a CIDR, of which every address counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Exclusion {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl Exclusion {
    /// All of them.
    pub(super) fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        (u32::from(self.first)..=u32::from(self.last)).map(Ipv4Addr::from)
    }
}

impl FromStr for Exclusion {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let range: Range = text.parse()?;
        // `Range` leaves out a network's own and broadcast address, which here would be left in the pool.
        let network = text.split_once('/').and_then(|(address, bits)| {
            let address: Ipv4Addr = address.trim().parse().ok()?;
            let host = u32::MAX.checked_shr(bits.trim().parse().ok()?).unwrap_or(0);
            Some((Ipv4Addr::from(u32::from(address) & !host), Ipv4Addr::from(u32::from(address) | host)))
        });
        let (first, last) = network.unwrap_or_else(|| super::pools::ends(range));
        Ok(Self { first, last })
    }
}

leaf!(Exclusion, {"type": "string", "examples": ["192.168.1.144", "192.168.1.144-192.168.1.145"]});

/// What a run does when no block is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenFull {
    /// The environment waits in the queue; the run ends, and a later one goes on.
    Queue,
    /// The run itself waits.
    Wait,
    /// The run fails.
    Fail,
}

impl FromStr for WhenFull {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "queue" => Ok(Self::Queue),
            "wait" => Ok(Self::Wait),
            "fail" => Ok(Self::Fail),
            _ => Err(Malformed::new("answer to a full pool", text, "queue, wait or fail")),
        }
    }
}

impl fmt::Display for WhenFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Queue => "queue",
            Self::Wait => "wait",
            Self::Fail => "fail",
        })
    }
}

leaf!(WhenFull, {"type": "string", "enum": ["queue", "wait", "fail"]});

/// Which store, as `--store` and `BERTH_STORE` say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreChoice {
    /// Vault, as configured or as its own variables say.
    Vault,
    /// A cluster, as configured.
    Kubernetes,
    /// A directory.
    File(PathBuf),
}

impl FromStr for StoreChoice {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        match (text, text.strip_prefix("file:")) {
            ("vault", _) => Ok(Self::Vault),
            ("kubernetes", _) => Ok(Self::Kubernetes),
            (_, Some(directory)) if !directory.is_empty() => Ok(Self::File(directory.into())),
            _ => Err(Malformed::new("store", text, "vault, kubernetes or file:DIR")),
        }
    }
}

plain!(
    /// The version of the file's format.
    Version(u32), "version of the configuration", "this berth reads version 1", {"const": 1},
    |text| (text == "1").then_some(1)
);
plain!(
    /// How many addresses.
    Size(NonZeroU8), "number of addresses", "a whole number from 1 to 255",
    {"type": "integer", "minimum": 1, "maximum": 255}, |text| text.parse().ok()
);
plain!(
    /// How many, where 0 is no limit.
    Limit(u32), "limit", "a whole number; 0 is no limit", {"type": "integer", "minimum": 0},
    |text| text.parse().ok()
);
plain!(
    /// How many.
    Count(u32), "number", "a whole number", {"type": "integer", "minimum": 0}, |text| text.parse().ok()
);
plain!(
    /// How many of a hundred.
    Percent(u8), "percentage", "a whole number from 0 to 100", {"type": "integer", "minimum": 0, "maximum": 100},
    |text| text.parse().ok().filter(|percent| *percent <= 100)
);
plain!(
    /// Yes or no.
    Switch(bool), "switch", "true or false", {"type": "boolean"}, |text| text.parse().ok()
);
plain!(
    /// A name in somebody else's system.
    Word(String), "name", "1 to 1024 printable characters", {"type": "string", "minLength": 1},
    |text| ((1..=1024).contains(&text.len()) && !text.chars().any(char::is_control)).then(|| text.to_owned())
);
plain!(
    /// A file or a directory.
    FilePath(PathBuf), "path", "at least one character", {"type": "string", "minLength": 1},
    |text| (!text.is_empty()).then(|| text.into())
);

/// A secret, which only a variable may hold.
#[derive(Debug, Clone)]
pub(super) struct Secret(pub(super) SecretString);

impl FromStr for Secret {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.trim().to_owned().into()))
    }
}

// An editor marks it wherever it stands in a file; as a variable it is a text like any other.
leaf!(Secret, {"type": "string", "not": {}});
