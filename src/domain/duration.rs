//! Durations as people write them: `90s`, `15m`, `1h`, `3d`, `1d12h`.
//!
//! Must never: guess the unit of a bare number; take what would overflow a calendar.

use super::names::Malformed;
use jiff::SignedDuration;
use std::{fmt, str::FromStr};

/// A length of time from 0 seconds to ten years. A day is 24 hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Duration(pub(crate) SignedDuration);

/// In the order in which they are written.
const UNITS: [(char, i64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Long enough for everybody, short enough that `now + duration` is always a date.
const LONGEST: i64 = 3_650 * 86_400;

impl From<Duration> for SignedDuration {
    fn from(duration: Duration) -> Self {
        duration.0
    }
}

impl FromStr for Duration {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = |rule| Malformed::new("duration", text, rule);
        if text.starts_with(|c: char| c.is_ascii_digit()) && text.parse::<f64>().is_ok() {
            return Err(wrong("it has no unit; add s, m, h or d, as in 90s, 15m, 1h or 3d"));
        }
        let rule = "write it as 90s, 15m, 1h, 3d or 1d12h, of at most 3650d";
        let (mut rest, mut units, mut seconds) = (text, UNITS.iter(), 0_i64);
        while !rest.is_empty() {
            let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| wrong(rule))?;
            let (digits, tail) = rest.split_at(end);
            let mut tail = tail.chars();
            let written = tail.next();
            // `find` goes on where it stopped: a unit that stands twice or out of order is not found.
            let (_, length) = units.find(|(unit, _)| Some(*unit) == written).ok_or_else(|| wrong(rule))?;
            let part = digits.parse::<i64>().ok().and_then(|count| count.checked_mul(*length));
            seconds = part.and_then(|part| seconds.checked_add(part)).ok_or_else(|| wrong(rule))?;
            rest = tail.as_str();
        }
        if text.is_empty() || seconds > LONGEST {
            return Err(wrong(rule));
        }
        Ok(Self(SignedDuration::from_secs(seconds)))
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_secs();
        if rest == 0 {
            return f.write_str("0s");
        }
        for (unit, length) in UNITS {
            if rest / length > 0 {
                write!(f, "{}{unit}", rest / length)?;
            }
            rest %= length;
        }
        Ok(())
    }
}
