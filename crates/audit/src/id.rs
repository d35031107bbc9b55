//! Event ids.

use std::hash::{BuildHasher, RandomState};

use time::OffsetDateTime;

/// Makes ids shaped like UUID version 7 (RFC 9562): the time in milliseconds, then a counter that starts at
/// a random place. The counter makes them unique within a process, the time and the start across processes.
pub(crate) struct Ids {
    counter: u64,
}

impl Ids {
    pub(crate) fn new() -> Self {
        Self { counter: RandomState::new().hash_one(std::process::id()) }
    }

    pub(crate) fn next(&mut self, time: OffsetDateTime) -> String {
        let millis = (time.unix_timestamp_nanos() / 1_000_000) as u64 & 0xffff_ffff_ffff;
        self.counter = self.counter.wrapping_add(1);
        // 62 bits of the counter are kept: it wraps after more events than a machine can write.
        let high = (self.counter >> 50) & 0xfff;
        let low = self.counter & 0x3_ffff_ffff_ffff;
        format!(
            "{:08x}-{:04x}-7{high:03x}-{:04x}-{:012x}",
            millis >> 16,
            millis & 0xffff,
            0x8000 | (low >> 48),
            low & 0xffff_ffff_ffff
        )
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_look_like_uuids_and_never_repeat() {
        let mut ids = Ids::new();
        let now = OffsetDateTime::now_utc();
        let made: HashSet<String> = (0..10_000).map(|_| ids.next(now)).collect();
        assert_eq!(made.len(), 10_000);
        assert!(made.iter().all(|id| id.len() == 36 && id.as_bytes()[14] == b'7'));
        assert_ne!(Ids::new().next(now)[19..], Ids::new().next(now)[19..]);
    }
}
