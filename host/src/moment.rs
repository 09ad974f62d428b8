//! Points and spans of time as people write and read them. Always UTC, whole seconds.

use chrono::{DateTime, Utc};

/// Reads `2026-11-22T10:00:00Z` (RFC 3339, any offset) or seconds since 1970-01-01T00:00Z.
///
/// # Errors
/// What is wrong, for people.
pub fn parse(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(seconds);
    }
    let read = DateTime::parse_from_rfc3339(text).map(|time| time.timestamp());
    let seconds = read.ok().and_then(|seconds| u64::try_from(seconds).ok());
    seconds.ok_or_else(|| {
        "this is no point in time: write it like 2026-11-22T10:00:00Z, or as seconds since 1970"
            .to_owned()
    })
}

/// `2026-11-22T10:00:00Z`.
#[must_use]
pub fn text(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| DateTime::<Utc>::from_timestamp(s, 0));
    time.map_or_else(|| "unknown".to_owned(), |t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

/// The two largest units of a span: `2 d 3 h`, `4 min 5 s`, `0 s`.
#[must_use]
pub fn span(seconds: u64) -> String {
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let mut left = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units {
        let count = left / size;
        left %= size;
        if count > 0 || !parts.is_empty() {
            parts.push((count, unit));
        }
    }
    let shown = parts.iter().take(2).filter(|(count, _)| *count > 0);
    let shown: Vec<_> = shown.map(|(count, unit)| format!("{count} {unit}")).collect();
    if shown.is_empty() { "0 s".to_owned() } else { shown.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_in_any_offset_and_told_in_utc() {
        for written in ["2026-11-22T10:00:00Z", "2026-11-22T11:30:00+01:30", "1795341600"] {
            let seconds = parse(written).expect("a moment");
            assert_eq!(text(seconds), "2026-11-22T10:00:00Z", "{written}");
        }
        for wrong in ["yesterday", "2026-11-22", "2026-11-22 10:00", "-5", "1969-01-01T00:00:00Z"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_is_told_by_its_two_largest_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_725, "1 h 2 min"),
            (86_400 * 2 + 59, "2 d"),
            (86_400 * 30 + 3_600, "30 d 1 h"),
        ];
        for (seconds, expected) in cases {
            assert_eq!(span(seconds), expected);
        }
    }
}
