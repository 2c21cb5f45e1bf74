//! The address pool: pure code over one flat `ip -> name` document that the shell tool of old reads and writes too.
//!
//! A value is made by parsing the document and changed by `allocate` and `free`; the caller writes it back by
//! compare-and-set. Must never: drop an entry that names an address, whoever made it; hand out an address that the
//! document, a claim or a live cluster has; put anything into the document but `ip -> name`.

use super::names::{EnvironmentName, Malformed};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::Ipv4Addr,
    num::NonZeroU8,
    str::FromStr,
};

/// Consecutive addresses that one environment takes: for a cluster the VIP and, after it, its node.
/// Written as the list of its addresses, so that a person who reads a claim need not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Vec<Ipv4Addr>", into = "Vec<Ipv4Addr>")]
pub struct Block {
    first: Ipv4Addr,
    size: NonZeroU8,
}

impl Block {
    /// `None` if it would run past the last IPv4 address.
    pub fn new(first: Ipv4Addr, size: NonZeroU8) -> Option<Self> {
        u32::from(first).checked_add(u32::from(size.get()) - 1)?;
        Some(Self { first, size })
    }
    /// The first address: the VIP.
    pub fn vip(self) -> Ipv4Addr {
        self.first
    }
    /// All of them, in order.
    pub fn addresses(self) -> impl Iterator<Item = Ipv4Addr> {
        let first = u32::from(self.first);
        (0..u32::from(self.size.get())).map(move |i| Ipv4Addr::from(first + i))
    }
}

impl TryFrom<Vec<Ipv4Addr>> for Block {
    type Error = Malformed;
    fn try_from(addresses: Vec<Ipv4Addr>) -> Result<Self, Malformed> {
        let block = addresses.first().and_then(|first| {
            let size = u8::try_from(addresses.len()).ok().and_then(NonZeroU8::new)?;
            Block::new(*first, size).filter(|block| block.addresses().eq(addresses.iter().copied()))
        });
        block.ok_or_else(|| {
            Malformed::new("block", &format!("{addresses:?}"), "1 to 255 consecutive addresses")
        })
    }
}

impl From<Block> for Vec<Ipv4Addr> {
    fn from(block: Block) -> Self {
        block.addresses().collect()
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        match self.addresses().last() {
            Some(last) if last.octets()[..3] != self.first.octets()[..3] => write!(f, "-{last}"),
            Some(last) if last != self.first => write!(f, "-{}", last.octets()[3]),
            _ => Ok(()),
        }
    }
}

/// From the first to the last address, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Range {
    first: Ipv4Addr,
    last: Ipv4Addr,
}

impl Range {
    fn contains(self, address: Ipv4Addr) -> bool {
        (self.first..=self.last).contains(&address)
    }
}

impl FromStr for Range {
    type Err = Malformed;
    /// `a-b`, `a.b.c.d-e`, one address, or a CIDR (without its network and broadcast addresses, which no machine can have).
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = || {
            let rule = "192.168.1.140-192.168.1.149, 192.168.1.140-149, 192.168.1.0/28 or one address, of at most 65536";
            Malformed::new("IPv4 range", text, rule)
        };
        let address = |s: &str| s.trim().parse::<Ipv4Addr>().map_err(|_| wrong());
        let (first, last) = if let Some((network, bits)) = text.split_once('/') {
            let bits = (16..=32u32).find(|b| b.to_string() == bits.trim()).ok_or_else(wrong)?;
            let host = u32::MAX.checked_shr(bits).unwrap_or(0);
            let network = u32::from(address(network)?) & !host;
            // RFC 3021: a /31 has neither network nor broadcast address.
            let edge = u32::from(bits < 31);
            (Ipv4Addr::from(network + edge), Ipv4Addr::from(network + host - edge))
        } else if let Some((first, last)) = text.split_once('-') {
            let first = address(first)?;
            let [a, b, c, _] = first.octets();
            let short = format!("{a}.{b}.{c}.{}", last.trim());
            (first, address(&short).or_else(|_| address(last))?)
        } else {
            (address(text)?, address(text)?)
        };
        if last < first || u32::from(last) - u32::from(first) > 0xffff {
            return Err(wrong());
        }
        Ok(Self { first, last })
    }
}

impl TryFrom<String> for Range {
    type Error = Malformed;
    fn try_from(text: String) -> Result<Self, Malformed> {
        text.parse()
    }
}

impl From<Range> for String {
    fn from(range: Range) -> String {
        range.to_string()
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Which blocks a pool is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Where they lie.
    pub range: Range,
    /// Addresses in the range that are somebody else's.
    pub exclude: BTreeSet<Ipv4Addr>,
    /// Addresses in a block.
    pub size: NonZeroU8,
    /// A block begins at a multiple of this: 2 is the seed's rule, "even VIP, node = VIP + 1".
    pub align: NonZeroU8,
}

impl Layout {
    /// Every block that the layout allows, in order, whoever has it.
    pub fn blocks(&self) -> impl Iterator<Item = Block> {
        let align = u32::from(self.align.get());
        let step = u32::from(self.size.get()).next_multiple_of(align);
        let first = u32::from(self.range.first).checked_next_multiple_of(align);
        first
            .into_iter()
            .flat_map(move |first| (first..=u32::from(self.range.last)).step_by(step as usize))
            .filter_map(|first| Block::new(first.into(), self.size))
            .filter(|block| block.addresses().all(|a| self.range.contains(a) && !self.exclude.contains(&a)))
    }
}

/// What the pool document says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pool {
    /// Values are kept as found: one that is no text is nobody's name, and its address is taken all the same.
    held: BTreeMap<Ipv4Addr, Value>,
    /// Entries whose key is no address: not ours, so not ours to drop.
    foreign: Map<String, Value>,
}

/// What became of the wish for a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allocation {
    /// The name had it whole: nothing changed.
    Already(Block),
    /// The name had part of it, and the rest was free: put back.
    Completed(Block),
    /// Taken now.
    New(Block),
    /// No block is free.
    Full,
}

/// Whether a block is still the name's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Every address is.
    Whole,
    /// Some entries were missing and have been put back.
    PutBack,
    /// This address has another holder.
    Lost {
        /// Which.
        address: Ipv4Addr,
        /// Whose it is now, as the document has it.
        to: String,
    },
}

impl Pool {
    /// Junk that early versions of the shell tool left behind; the only keys that a later write drops.
    const JUNK: [&'static str; 2] = ["_empty", "data"];

    /// Reads any document: what it cannot understand it keeps.
    pub fn parse(document: &Map<String, Value>) -> Self {
        let mut pool = Self::default();
        for (key, value) in document {
            match key.parse() {
                Ok(address) => drop(pool.held.insert(address, value.clone())),
                Err(_) if Self::JUNK.contains(&key.as_str()) => {}
                Err(_) => drop(pool.foreign.insert(key.clone(), value.clone())),
            }
        }
        pool
    }

    /// The document to write.
    pub fn document(&self) -> Map<String, Value> {
        let held = self.held.iter().map(|(address, holder)| (address.to_string(), holder.clone()));
        held.chain(self.foreign.clone()).collect()
    }

    /// Who has an address, as the document says it.
    pub fn holder(&self, address: Ipv4Addr) -> Option<&Value> {
        self.held.get(&address)
    }

    /// Every entry that names an address.
    pub fn entries(&self) -> impl Iterator<Item = (Ipv4Addr, String)> {
        self.held.iter().map(|(address, holder)| (*address, text(holder)))
    }

    /// What stands under this exact name.
    pub fn held_by(&self, name: &EnvironmentName) -> Vec<Ipv4Addr> {
        self.held.iter().filter(|(_, holder)| is(holder, name)).map(|(address, _)| *address).collect()
    }

    /// A block for the name: the one it has, else the one it has in part, else the first that nobody has.
    /// `taken` is what others' claims hold and others' clusters use, whatever the document says.
    pub fn allocate(
        &mut self,
        name: &EnvironmentName,
        layout: &Layout,
        taken: &BTreeSet<Ipv4Addr>,
    ) -> Allocation {
        // Also the name's own entry is of no use where another claim or cluster has the address: the shell tool may have
        // written it there.
        let own = |address: &Ipv4Addr| {
            self.held.get(address).is_some_and(|holder| is(holder, name)) && !taken.contains(address)
        };
        let free = |address: &Ipv4Addr| !self.held.contains_key(address) && !taken.contains(address);
        if let Some(block) = layout.blocks().find(|block| block.addresses().all(|a| own(&a))) {
            return Allocation::Already(block);
        }
        let begun = |block: &Block| {
            block.addresses().any(|a| own(&a)) && block.addresses().all(|a| own(&a) || free(&a))
        };
        if let Some(block) = layout.blocks().find(begun) {
            self.put(name, block);
            return Allocation::Completed(block);
        }
        let Some(block) = layout.blocks().find(|block| block.addresses().all(|a| free(&a))) else {
            return Allocation::Full;
        };
        self.put(name, block);
        Allocation::New(block)
    }

    /// Looks whether the block is still the name's, and puts back what is missing where nobody else has it:
    /// the shell tool can erase entries of ours.
    pub fn restore(&mut self, name: &EnvironmentName, block: Block, taken: &BTreeSet<Ipv4Addr>) -> Standing {
        for address in block.addresses() {
            let to = match self.held.get(&address) {
                Some(holder) if is(holder, name) => continue,
                Some(holder) => text(holder),
                None if taken.contains(&address) => "another claim or cluster".to_owned(),
                None => continue,
            };
            return Standing::Lost { address, to };
        }
        if block.addresses().all(|address| self.held.contains_key(&address)) {
            return Standing::Whole;
        }
        self.put(name, block);
        Standing::PutBack
    }

    /// Takes away whatever stands under this exact name, and nothing else.
    pub fn free(&mut self, name: &EnvironmentName) {
        self.held.retain(|_, holder| !is(holder, name));
    }

    fn put(&mut self, name: &EnvironmentName, block: Block) {
        self.held.extend(block.addresses().map(|address| (address, name.as_ref().into())));
    }
}

fn is(holder: &Value, name: &EnvironmentName) -> bool {
    holder.as_str() == Some(name.as_ref())
}

fn text(holder: &Value) -> String {
    holder.as_str().map_or_else(|| holder.to_string(), str::to_owned)
}
