//! The ranges of addresses that a ProxmoxCluster lists: `a`, `a-b` or `a/n`.

use std::net::IpAddr;

/// From the first to the last, both included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Range {
    first: u128,
    last: u128,
    v4: bool,
}

impl Range {
    /// None if it is not written as one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((first, last)) = text.split_once('-') {
            let ((first, v4), (last, also_v4)) = (number(first)?, number(last)?);
            return (v4 == also_v4 && first <= last).then_some(Self { first, last, v4 });
        }
        let Some((address, bits)) = text.split_once('/') else {
            let (first, v4) = number(text)?;
            return Some(Self { first, last: first, v4 });
        };
        let (address, v4) = number(address)?;
        let width: u32 = if v4 { 32 } else { 128 };
        let free = width.checked_sub(bits.parse().ok()?)?;
        let hosts = 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
        Some(Self { first: address & !hosts, last: address | hosts, v4 })
    }

    pub(super) fn contains(&self, address: IpAddr) -> bool {
        let (address, v4) = of(address);
        v4 == self.v4 && (self.first..=self.last).contains(&address)
    }

    /// Its addresses in order.
    pub(super) fn iter(self) -> impl Iterator<Item = IpAddr> {
        (self.first..=self.last).map(move |number| match u32::try_from(number) {
            Ok(number) if self.v4 => IpAddr::V4(number.into()),
            _ => IpAddr::V6(number.into()),
        })
    }
}

fn number(text: &str) -> Option<(u128, bool)> {
    text.trim().parse().ok().map(of)
}

fn of(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(v4) => (u32::from(v4).into(), true),
        IpAddr::V6(v6) => (v6.into(), false),
    }
}
