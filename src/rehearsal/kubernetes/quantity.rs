//! Quantities, as the server writes them back: `1000m` is `1`, `1024Mi` is `1Gi`, `0.5` is `500m`.
//!
//! A client that compares what it wishes with what it reads must know this, so the embedded server does it too.
//! It must never change what a quantity means: what it cannot read it leaves.

/// Billionths, the least that a quantity can hold.
const UNIT: i128 = 1_000_000_000;

const BINARY: [(&str, u32); 7] =
    [("Ei", 60), ("Pi", 50), ("Ti", 40), ("Gi", 30), ("Mi", 20), ("Ki", 10), ("", 0)];
const DECIMAL: [(&str, i32); 10] =
    [("E", 18), ("P", 15), ("T", 12), ("G", 9), ("M", 6), ("k", 3), ("", 0), ("m", -3), ("u", -6), ("n", -9)];

/// The canonical form of a quantity; none if it is none, or is written with an exponent.
pub(super) fn canonical(text: &str) -> Option<String> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && !".+-".contains(c)).unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let nanos = nanos(number)?;
    if let Some((_, bits)) = BINARY.iter().find(|(known, _)| *known == suffix && !suffix.is_empty()) {
        let value = nanos.checked_mul(1 << bits)?;
        let fits = |(_, bits): &&(&str, u32)| value % (UNIT << bits) == 0;
        let (suffix, bits) = BINARY.iter().find(fits)?;
        return Some(format!("{}{suffix}", value / (UNIT << bits)));
    }
    let (_, power) = DECIMAL.iter().find(|(known, _)| *known == suffix)?;
    let scale = |power: i32| 10_i128.pow(power.unsigned_abs());
    let value = match power {
        0.. => nanos.checked_mul(scale(*power))?,
        _ => nanos / scale(*power),
    };
    let unit = |power: i32| if power < 0 { UNIT / scale(power) } else { UNIT * scale(power) };
    let (suffix, power) = match value {
        0 => ("", 0),
        value => *DECIMAL.iter().find(|(_, power)| value % unit(*power) == 0)?,
    };
    Some(format!("{}{suffix}", value / unit(power)))
}

/// Whether the server could read it; with an exponent too.
pub(super) fn is_quantity(text: &str) -> bool {
    let exponent = text.split_once(['e', 'E']).filter(|(number, _)| nanos(number).is_some());
    canonical(text).is_some() || exponent.is_some_and(|(_, power)| power.parse::<i8>().is_ok())
}

/// A decimal number in billionths.
fn nanos(number: &str) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 || !fraction.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let negative = whole.starts_with('-');
    let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction: i128 = format!("{fraction:0<9}").parse().ok()?;
    whole.checked_mul(UNIT)?.checked_add(if negative { -fraction } else { fraction })
}
