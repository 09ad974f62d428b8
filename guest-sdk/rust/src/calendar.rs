//! Dates and times as text, in the proleptic Gregorian calendar.
//!
//! The forms are MySQL's: `2024-01-31`, `2024-01-31 12:00:00.250000`, `-838:59:59`; an instant ends
//! with `Z`. A fraction is written with six digits where it is not zero.

/// Microseconds of a second.
const SECOND: i64 = 1_000_000;
/// Microseconds of a day.
const DAY: i64 = 86_400 * SECOND;

/// The text of a number of days since 1970-01-01.
#[must_use]
pub fn date_text(days: i32) -> String {
    let (year, month, day) = civil(i64::from(days));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The text of a signed span of microseconds, hours beyond 24 included.
#[must_use]
pub fn time_text(micros: i64) -> String {
    let sign = if micros < 0 { "-" } else { "" };
    format!("{sign}{}", clock(micros.unsigned_abs()))
}

/// The text of microseconds since 1970-01-01T00:00, without a zone.
#[must_use]
pub fn timestamp_text(micros: i64) -> String {
    let (year, month, day) = civil(micros.div_euclid(DAY));
    format!("{year:04}-{month:02}-{day:02} {}", clock(micros.rem_euclid(DAY).unsigned_abs()))
}

/// Days since 1970-01-01 of `2024-01-31`; none where that is no day of the calendar.
#[must_use]
pub fn parse_date(text: &str) -> Option<i32> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let days = days_of(year, month, day);
    (civil(days) == (year, month, day)).then(|| i32::try_from(days).ok()).flatten()
}

/// Microseconds of `[-]HH:MM:SS[.ffffff]`; hours may have more than two digits.
#[must_use]
pub fn parse_time(text: &str) -> Option<i64> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let mut parts = rest.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let (seconds, fraction) = seconds.split_once('.').unwrap_or((seconds, "0"));
    let micros = number(&format!("{fraction:0<6}")).filter(|_| fraction.len() <= 6)?;
    let (hours, minutes, seconds) = (number(hours)?, number(minutes)?, number(seconds)?);
    if parts.next().is_some() || minutes > 59 || seconds > 59 || hours > 100_000_000 {
        return None;
    }
    let span = ((hours * 60 + minutes) * 60 + seconds) * SECOND + micros;
    Some(if negative { -span } else { span })
}

/// Microseconds since 1970-01-01T00:00 of `2024-01-31`, `2024-01-31 12:00:00[.ffffff]` or the same
/// with `T`; the time of day must lie within the day.
#[must_use]
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, time) = text.split_once([' ', 'T']).unwrap_or((text, "00:00:00"));
    let time = parse_time(time).filter(|t| (0..DAY).contains(t))?;
    Some(i64::from(parse_date(date)?) * DAY + time)
}

/// The same with an optional zone at its end, `Z` or `+02:00`; none means UTC.
#[must_use]
pub fn parse_instant(text: &str) -> Option<i64> {
    if let Some(utc) = text.strip_suffix(['Z', 'z']) {
        return parse_timestamp(utc);
    }
    let at = text.len().checked_sub(6)?;
    let zone = text.split_at_checked(at).filter(|(_, zone)| zone.starts_with(['+', '-']));
    match zone {
        Some((local, zone)) if zone.contains(':') => {
            let span = parse_time(&format!("{}:00", zone.trim_start_matches(['+', '-'])))?;
            let local = parse_timestamp(local)?;
            Some(if zone.starts_with('-') { local + span } else { local - span })
        }
        _ => parse_timestamp(text),
    }
}

fn clock(micros: u64) -> String {
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{hours:02}:{minutes:02}:{:02}{fraction}", seconds % 60)
}

fn number(digits: &str) -> Option<i64> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// Year, month and day of a day number. Counts in eras of 400 years that begin on 1 March, so that
/// the leap day is the last of its year (Howard Hinnant, "chrono-compatible low-level date
/// algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_back_from_their_text() {
        for text in ["1970-01-01", "2024-02-29", "2000-12-31", "1969-12-31", "0001-01-01"] {
            let days = parse_date(text).expect("a day");
            assert_eq!(date_text(days), text);
        }
        assert_eq!(parse_date("1970-01-02"), Some(1));
        assert_eq!(parse_date("2024-03-01"), Some(19_783));
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in ["2023-02-29", "2024-13-01", "2024-00-10", "2024-1", "", "24-01-01", "x-1-1"] {
            assert_eq!(parse_date(text), None, "{text}");
        }
    }

    #[test]
    fn times_read_back_from_their_text() {
        for text in ["00:00:00", "-838:59:59", "12:00:00.250000", "100:00:01"] {
            assert_eq!(time_text(parse_time(text).expect("a time")), text);
        }
        assert_eq!(parse_time("00:00:00.5"), Some(500_000));
        for wrong in ["1:60:00", "1:00", "1:00:00.1234567", "a:00:00", "--1:00:00"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn timestamps_read_back_from_their_text() {
        for text in ["2024-01-31 12:00:00", "1969-12-31 23:59:59.999999"] {
            assert_eq!(timestamp_text(parse_timestamp(text).expect("a timestamp")), text);
        }
        assert_eq!(parse_timestamp("1970-01-02"), Some(DAY));
        assert_eq!(parse_timestamp("1970-01-01T24:00:00"), None);
    }

    #[test]
    fn an_instant_may_name_its_zone() {
        let noon = parse_timestamp("2024-01-31 12:00:00");
        for text in [
            "2024-01-31 12:00:00",
            "2024-01-31T12:00:00Z",
            "2024-01-31T14:00:00+02:00",
            "2024-01-31 06:30:00-05:30",
        ] {
            assert_eq!(parse_instant(text), noon, "{text}");
        }
        assert_eq!(parse_instant("2024-01-31"), parse_timestamp("2024-01-31"));
    }
}
