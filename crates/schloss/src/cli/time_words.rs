//! Times as people type them.

use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

/// A time in RFC 3339, or how long ago: `30s`, `15m`, `2h`, `7d`.
///
/// # Errors
/// What is accepted, in words.
pub(super) fn parse_time(text: &str) -> Result<OffsetDateTime, String> {
    parse_time_at(text, OffsetDateTime::now_utc())
}

/// A time to come in RFC 3339, or how long until then: `30s`, `15m`, `2h`, `7d`.
///
/// # Errors
/// What is accepted, in words, or that it is over already.
pub(super) fn parse_end(text: &str) -> Result<OffsetDateTime, String> {
    let now = OffsetDateTime::now_utc();
    // As long after now as a time ago is before it.
    let end = match OffsetDateTime::parse(text, &Rfc3339) {
        Ok(end) => end,
        Err(_) => now.checked_add(now - parse_time_at(text, now)?).ok_or("that is too long")?,
    };
    let end = end.replace_nanosecond(0).unwrap_or(end);
    if end <= now { Err(format!("{text} is over already")) } else { Ok(end) }
}

/// How long something lasts: `30s`, `15m`, `2h`, `7d`.
///
/// # Errors
/// What is accepted, in words.
pub(super) fn parse_span(text: &str) -> Result<Duration, String> {
    let now = OffsetDateTime::now_utc();
    match parse_time_at(text, now) {
        // A moment is no length of time.
        Ok(ago) if OffsetDateTime::parse(text, &Rfc3339).is_err() => Ok(now - ago),
        _ => Err("expected how long: 30s, 15m, 2h, 7d".to_owned()),
    }
}

fn parse_time_at(text: &str, now: OffsetDateTime) -> Result<OffsetDateTime, String> {
    if let Ok(time) = OffsetDateTime::parse(text, &Rfc3339) {
        return Ok(time);
    }
    let expected = || "expected a time such as 2026-11-24T08:00:00Z, or 30s, 15m, 2h, 7d ago".to_owned();
    let unit = text.chars().last().ok_or_else(expected)?;
    let number =
        text.strip_suffix(unit).and_then(|number| number.parse::<u32>().ok()).ok_or_else(expected)?;
    let ago = match unit {
        's' => Duration::seconds(number.into()),
        'm' => Duration::minutes(number.into()),
        'h' => Duration::hours(number.into()),
        'd' => Duration::days(number.into()),
        _ => return Err(expected()),
    };
    now.checked_sub(ago).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_absolute_or_ago() {
        let now = OffsetDateTime::from_unix_timestamp(1_000_000).unwrap();
        assert_eq!(parse_time_at("2h", now).unwrap(), now - Duration::hours(2));
        assert_eq!(parse_time_at("1970-01-01T00:00:05Z", now).unwrap().unix_timestamp(), 5);
    }

    #[test]
    fn a_span_is_no_moment() {
        assert_eq!(parse_span("2h").unwrap(), Duration::hours(2));
        for text in ["", "2", "2w", "1970-01-01T00:00:05Z"] {
            assert!(parse_span(text).unwrap_err().contains("how long"), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_what_is_accepted() {
        for text in ["", "h", "-1h", "1w", "yesterday", "4294967296s", "1é"] {
            assert!(
                parse_time_at(text, OffsetDateTime::UNIX_EPOCH).unwrap_err().contains("expected a time"),
                "{text}"
            );
        }
    }
}
