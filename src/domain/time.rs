//! How moments and lengths of time are said, the same everywhere. Pure.
//!
//! Must never: know what time it is; who says something of a moment is told.

use jiff::Timestamp;

/// As long as a thing takes: `38 s`, `2 m 04 s`, `1 h 30 m`, `3 d 2 h`.
pub fn span(seconds: f64) -> String {
    // As a cast has it: what is no number is 0, and nothing overflows.
    let whole = seconds.max(0.0).round() as u64;
    let (large, unit, small, part) = match whole {
        0 => return "under 1 s".to_owned(),
        1..60 => return format!("{whole} s"),
        60..3600 => (whole / 60, "m", whole % 60, "s"),
        3600..86400 => (whole / 3600, "h", whole / 60 % 60, "m"),
        _ => return days(whole / 86400, whole / 3600 % 24),
    };
    if small == 0 { format!("{large} {unit}") } else { format!("{large} {unit} {small:02} {part}") }
}

fn days(days: u64, hours: u64) -> String {
    if hours == 0 { format!("{days} d") } else { format!("{days} d {hours} h") }
}

/// `15:04 UTC`, on another day `24 Jan 12:06 UTC`.
pub fn moment(at: Timestamp, now: Timestamp) -> String {
    let day = |time: Timestamp| time.strftime("%Y-%m-%d").to_string();
    let form = if day(at) == day(now) { "%H:%M UTC" } else { "%-d %b %H:%M UTC" };
    at.strftime(form).to_string()
}
