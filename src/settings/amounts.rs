//! Numbers, sizes and networks of machines, as types that cannot hold a wrong one.
//!
//! Must never: round. What cannot be given exactly is refused.

use super::values::{leaf, plain};
use crate::domain::names::Malformed;
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    str::FromStr,
};

/// A size as Kubernetes writes it: `16Gi`, `512Mi`, `20G`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bytes(u64);

const UNITS: [(&str, u64); 8] = [
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
];

impl Bytes {
    /// So many GiB.
    pub(super) const fn gibibytes(count: u64) -> Self {
        Self(count << 30)
    }
    /// So many MiB.
    pub(super) const fn mebibytes(count: u64) -> Self {
        Self(count << 20)
    }
    /// How many units of `size` it is, if it is a whole number of them.
    pub(super) fn whole(self, size: Bytes) -> Option<u64> {
        self.0.is_multiple_of(size.0).then_some(self.0 / size.0)
    }
    /// How many bytes.
    pub fn get(self) -> u64 {
        self.0
    }
}

impl FromStr for Bytes {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let rule = "a whole number from 1 with a unit: Ki, Mi, Gi, Ti, k, M, G or T";
        let wrong = || Malformed::new("size", text, rule);
        let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let (count, unit) = text.split_at(digits);
        let (_, size) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
        let bytes = count.parse::<u64>().ok().and_then(|count| count.checked_mul(*size));
        bytes.filter(|bytes| *bytes > 0).map(Self).ok_or_else(wrong)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS.iter().filter(|(_, size)| self.0.is_multiple_of(*size));
        match whole.max_by_key(|(_, size)| size) {
            Some((name, size)) => write!(f, "{}{name}", self.0 / size),
            None => self.0.fmt(f),
        }
    }
}

leaf!(Bytes, {"type": "string", "pattern": "^[0-9]+(Ki|Mi|Gi|Ti|k|M|G|T)$"});

/// A network of IPv4: `10.244.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cidr {
    first: Ipv4Addr,
    prefix: u8,
}

impl Cidr {
    /// The network of so many bits that this address is in.
    pub fn around(address: Ipv4Addr, prefix: Prefix) -> Self {
        let Prefix(prefix) = prefix;
        Self { first: Ipv4Addr::from(u32::from(address) & mask(prefix)), prefix }
    }
    /// Whether the address is in it.
    pub fn contains(self, address: Ipv4Addr) -> bool {
        u32::from(address) & mask(self.prefix) == u32::from(self.first)
    }
    /// Whether an address is in both.
    pub fn overlaps(self, other: Self) -> bool {
        self.contains(other.first) || other.contains(self.first)
    }
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0)
}

impl FromStr for Cidr {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || Malformed::new("network", text, "its first address and its bits: 10.244.0.0/16");
        let (address, bits) = text.split_once('/').ok_or_else(wrong)?;
        let first: Ipv4Addr = address.parse().map_err(|_| wrong())?;
        let cidr = Self::around(first, bits.parse().map_err(|_| wrong())?);
        if cidr.first == first { Ok(cidr) } else { Err(wrong()) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.first, self.prefix)
    }
}

leaf!(Cidr, {"type": "string", "examples": ["10.244.0.0/16"]});

/// How many bits of an IPv4 address name its network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prefix(u8);

impl Prefix {
    /// As it is; `None` where that is no number of bits.
    pub(super) const fn new(bits: u8) -> Option<Self> {
        if bits >= 1 && bits <= 32 { Some(Self(bits)) } else { None }
    }
    /// The number.
    pub fn get(self) -> u8 {
        self.0
    }
}

impl FromStr for Prefix {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bits = text.parse().ok().and_then(Self::new);
        bits.ok_or_else(|| Malformed::new("length of a prefix", text, "a whole number from 1 to 32"))
    }
}

leaf!(Prefix, {"type": "integer", "minimum": 1, "maximum": 32});

/// The ids that virtual machines may get: `401-450`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VmIds {
    first: u32,
    last: u32,
}

/// The ids that Proxmox gives to what is not its own.
const PROXMOX: std::ops::RangeInclusive<u32> = 100..=999_999_999;

impl VmIds {
    /// The first of them.
    pub fn first(self) -> u32 {
        self.first
    }
    /// The last of them.
    pub fn last(self) -> u32 {
        self.last
    }
    /// How many.
    pub(super) fn count(self) -> usize {
        (self.last - self.first) as usize + 1
    }
}

impl FromStr for VmIds {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong =
            || Malformed::new("range of ids", text, "two of 100 to 999999999, the smaller first: 401-450");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let id = |text: &str| text.trim().parse().ok().filter(|id| PROXMOX.contains(id)).ok_or_else(wrong);
        let (first, last) = (id(first)?, id(last)?);
        if first <= last { Ok(Self { first, last }) } else { Err(wrong()) }
    }
}

impl fmt::Display for VmIds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

leaf!(VmIds, {"type": "string", "pattern": "^[0-9]+ *- *[0-9]+$"});

plain!(
    /// The id of a virtual machine.
    VmId(u32), "id of a virtual machine", "a whole number from 100 to 999999999",
    {"type": "integer", "minimum": 100, "maximum": 999_999_999},
    |text| text.parse().ok().filter(|id| PROXMOX.contains(id))
);
plain!(
    /// How many; there is one.
    Count(NonZeroU32), "count", "a whole number from 1 to 2147483647",
    {"type": "integer", "minimum": 1, "maximum": 2_147_483_647},
    |text| text.parse().ok().filter(|count: &NonZeroU32| count.get() <= i32::MAX as u32)
);
plain!(
    /// A number that may be 0.
    Amount(u32), "number", "a whole number from 0 to 2147483647",
    {"type": "integer", "minimum": 0, "maximum": 2_147_483_647},
    |text| text.parse().ok().filter(|number| *number <= i32::MAX as u32)
);
plain!(
    /// A port.
    Port(u16), "port", "a whole number from 1 to 65535", {"type": "integer", "minimum": 1, "maximum": 65_535},
    |text| text.parse().ok().filter(|port| *port > 0)
);
plain!(
    /// An address.
    Address(Ipv4Addr), "IPv4 address", "four numbers of 0 to 255, joined by dots", {"type": "string", "format": "ipv4"},
    |text| text.parse().ok()
);
plain!(
    /// A server that answers questions about names.
    Resolver(SocketAddr), "resolver", "an address, or an address and a port: 192.168.1.3, 192.168.1.3:5353, [fd00::3]:53",
    {"type": "string", "examples": ["192.168.1.3", "192.168.1.3:5353"]},
    |text| {
        let plain = text.parse().ok().map(|address: IpAddr| SocketAddr::new(address, 53));
        plain.or_else(|| text.parse().ok()).filter(|server: &SocketAddr| server.port() > 0)
    }
);
