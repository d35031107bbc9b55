//! Where a share group begins to read a partition (`ShareGroupAutoOffsetResetStrategy` of Kafka).

/// Where a share group begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OffsetReset {
    /// With the oldest record.
    Earliest,
    /// With what comes next.
    Latest,
    /// With records that are at most so old.
    Ago { milliseconds: i64 },
}

const BY_DURATION: &str = "by_duration:";

impl OffsetReset {
    /// Reads `earliest`, `latest` or `by_duration:` with a duration of ISO 8601 (days, hours, minutes and
    /// seconds, as `java.time.Duration` has them).
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "earliest" => Some(Self::Earliest),
            "latest" => Some(Self::Latest),
            _ => text
                .strip_prefix(BY_DURATION)
                .and_then(milliseconds)
                .map(|milliseconds| Self::Ago { milliseconds }),
        }
    }
}

fn milliseconds(duration: &str) -> Option<i64> {
    let duration = duration.to_ascii_uppercase();
    let duration = duration.strip_prefix('P')?;
    let (mut days, mut time) = match duration.split_once('T') {
        Some((_, "")) => return None,
        Some(parts) => parts,
        None if duration.is_empty() => return None,
        None => (duration, ""),
    };
    let mut seconds = amount(&mut days, 'D')?.checked_mul(24)?;
    seconds = seconds.checked_add(amount(&mut time, 'H')?)?.checked_mul(60)?;
    seconds = seconds.checked_add(amount(&mut time, 'M')?)?.checked_mul(60)?;
    let (whole, fraction) = match time.split_once('.') {
        Some((whole, fraction)) => (whole, fraction.strip_suffix('S')?),
        None if time.is_empty() => ("0", ""),
        None => (time.strip_suffix('S')?, ""),
    };
    seconds = seconds.checked_add(number(whole)?)?;
    let fraction = if fraction.is_empty() { 0 } else { thousandths(fraction)? };
    (days.is_empty()).then(|| seconds.checked_mul(1_000)?.checked_add(fraction))?
}

/// The thousandths that the digits behind a point come to; further ones are of no account.
fn thousandths(digits: &str) -> Option<i64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    let three: String = digits.chars().chain("00".chars()).take(3).collect();
    number(&three).filter(|_| is_number)
}

/// Takes the number before `unit` off the front, if it is there.
fn amount(text: &mut &str, unit: char) -> Option<i64> {
    match text.split_once(unit) {
        Some((digits, rest)) => {
            *text = rest;
            number(digits)
        }
        None => Some(0),
    }
}

fn number(digits: &str) -> Option<i64> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_durations_are_read() {
        assert_eq!(OffsetReset::parse("earliest"), Some(OffsetReset::Earliest));
        assert_eq!(OffsetReset::parse("latest"), Some(OffsetReset::Latest));
        for (duration, expected) in [
            ("PT1H", 3_600_000),
            ("P1D", 86_400_000),
            ("P2DT3H4M5.006S", 183_845_006),
            ("pt0.5s", 500),
            ("PT0.123456789S", 123),
            ("PT90M", 5_400_000),
            ("PT0S", 0),
        ] {
            let read = OffsetReset::parse(&format!("by_duration:{duration}"));
            assert_eq!(read, Some(OffsetReset::Ago { milliseconds: expected }), "{duration}");
        }
    }

    #[test]
    fn anything_else_is_not() {
        for text in
            ["", "none", "Latest", "by_duration:", "by_duration:P", "by_duration:PT", "by_duration:P1DT"]
        {
            assert_eq!(OffsetReset::parse(text), None, "{text}");
        }
        for duration in [
            "-PT1H",
            "PT-1H",
            "PT1",
            "1H",
            "PT1H1",
            "P1H",
            "PT1M1H",
            "PT1.S1",
            "PTS",
            "P1D1D",
            "P99999999999999999D",
            "PT1.éS",
            "PT1.00éS",
            "PT1.0éS",
            "PT1.😀S",
            "PT1.123xS",
        ] {
            assert_eq!(OffsetReset::parse(&format!("by_duration:{duration}")), None, "{duration}");
        }
    }
}
