//! Names of audit files.

use std::fmt;
use std::fs;
use std::path::Path;

use time::{Date, Month, OffsetDateTime, Time};

use crate::error::AuditError;

/// `audit-20260801T120000Z-000001.jsonl`: when the file was begun, in UTC, and its number. The number grows
/// by one per file and the time never goes back from one file to the next, so names sort as they were
/// written. No event in a file is older than the file's time, but for what waited in the queue.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct FileName {
    /// Whole seconds.
    begun: OffsetDateTime,
    number: u64,
}

impl FileName {
    /// The name of the file that follows `last`.
    pub(crate) fn following(last: Option<Self>, time: OffsetDateTime) -> Self {
        let time = time.to_offset(time::UtcOffset::UTC).replace_nanosecond(0).unwrap_or(time);
        match last {
            Some(last) => Self { begun: time.max(last.begun), number: last.number + 1 },
            None => Self { begun: time, number: 1 },
        }
    }

    pub(crate) fn begun(self) -> OffsetDateTime {
        self.begun
    }

    fn parse(name: &str) -> Option<Self> {
        let (stamp, number) = name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.split_once('-')?;
        if stamp.len() != 16 || !stamp.is_ascii() || &stamp[8..9] != "T" || &stamp[15..] != "Z" {
            return None;
        }
        let digits = |from: usize, to: usize| stamp[from..to].parse::<u16>().ok();
        let part = |from: usize| digits(from, from + 2).and_then(|value| u8::try_from(value).ok());
        let date =
            Date::from_calendar_date(i32::from(digits(0, 4)?), Month::try_from(part(4)?).ok()?, part(6)?);
        let time = Time::from_hms(part(9)?, part(11)?, part(13)?);
        // `parse` of a number takes a sign, which we never write.
        let number = number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())??;
        let name = Self { begun: OffsetDateTime::new_utc(date.ok()?, time.ok()?), number };
        Some(name)
    }

    /// The audit files of a directory, oldest first. Other files are left alone.
    pub(crate) fn list(directory: &Path) -> Result<Vec<Self>, AuditError> {
        let wrap = |source| AuditError::file(directory, source);
        let mut names = Vec::new();
        for entry in fs::read_dir(directory).map_err(wrap)? {
            names.extend(entry.map_err(wrap)?.file_name().to_str().and_then(Self::parse));
        }
        names.sort_unstable();
        Ok(names)
    }
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.begun.date(), self.begun.time());
        write!(
            formatter,
            "audit-{:04}{:02}{:02}T{:02}{:02}{:02}Z-{:06}.jsonl",
            date.year(),
            u8::from(date.month()),
            date.day(),
            time.hour(),
            time.minute(),
            time.second(),
            self.number
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_comes_back_and_others_are_left_alone() {
        let first = FileName::following(None, OffsetDateTime::from_unix_timestamp(1_785_585_600).unwrap());
        assert_eq!(first.to_string(), "audit-20260801T120000Z-000001.jsonl");
        assert_eq!(FileName::parse(&first.to_string()), Some(first));
        for other in [
            "audit.jsonl",
            "audit-20260801T120000Z-000001.jsonl.gz",
            "audit-20261301T120000Z-1.jsonl",
            "audit-20260801T120000Z-+1.jsonl",
            "audit-20260801T120000Z-.jsonl",
            "audit-é0260801T12000Z-1.jsonl",
        ] {
            assert_eq!(FileName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn names_keep_their_order_when_the_clock_goes_back() {
        let now = OffsetDateTime::now_utc();
        let first = FileName::following(None, now);
        let second = FileName::following(Some(first), now - time::Duration::hours(3));
        assert!(second > first);
        assert!(second.to_string() > first.to_string());
    }
}
