//! The words of a progress line, the same on a terminal and in a log.

use std::time::Duration;

use super::ProgressState;

/// `12,345 rows, 6,789/s, 1.2 MB, at bin.000004:1234, lag 3 s, 2 epochs, 5 targets`.
pub(super) fn line(state: &ProgressState, rows_per_second: u64) -> String {
    let mut parts = vec![
        format!("{} rows", grouped(state.images)),
        format!("{}/s", grouped(rows_per_second)),
        match state.log_bytes_total {
            Some(total) => {
                format!("{} of {}", megabytes(state.log_bytes), megabytes(total))
            }
            None => megabytes(state.log_bytes),
        },
    ];
    if let Some(position) = &state.position {
        parts.push(format!("at {position}"));
    }
    if let Some(lag) = state.lag_seconds {
        parts.push(format!("lag {}", seconds(lag)));
    }
    parts.push(counted(state.epochs, "epoch"));
    parts.push(counted(state.targets, "target"));
    parts.join(", ")
}

/// Rows a second between two states.
pub(super) fn rate(rows: u64, elapsed: Duration) -> u64 {
    let millis = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    rows.saturating_mul(1_000) / millis
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && at % 3 == first {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `12.3 MB`, in millions of bytes.
pub(crate) fn megabytes(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    format!("{}.{} MB", grouped(tenths / 10), tenths % 10)
}

fn counted(number: u64, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(number))
}

fn seconds(seconds: f64) -> String {
    if seconds < 10.0 { format!("{seconds:.1} s") } else { format!("{seconds:.0} s") }
}

#[cfg(test)]
mod tests {
    use change::Position;

    use super::*;

    #[test]
    fn a_line_says_rows_bytes_position_and_lag() {
        let mut state = ProgressState {
            images: 1_234_567,
            log_bytes: 12_345_678,
            position: Some(Position::at("bin.000004", 99)),
            lag_seconds: Some(2.25),
            epochs: 1,
            targets: 12,
            ..ProgressState::default()
        };
        insta::assert_snapshot!(line(&state, 1_000), @"1,234,567 rows, 1,000/s, 12.3 MB, at bin.000004:99, lag 2.2 s, 1 epoch, 12 targets");
        state.log_bytes_total = Some(2_000_000_000);
        state.lag_seconds = None;
        insta::assert_snapshot!(line(&state, 0), @"1,234,567 rows, 0/s, 12.3 MB of 2,000.0 MB, at bin.000004:99, 1 epoch, 12 targets");
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345, "12,345"),
            (1_000_000, "1,000,000"),
        ];
        for (number, text) in cases {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn a_rate_survives_no_time_at_all() {
        assert_eq!(rate(10, Duration::ZERO), 10_000);
        assert_eq!(rate(10, Duration::from_secs(2)), 5);
    }
}
