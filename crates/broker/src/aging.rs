//! The clock that things grow old by.
//!
//! What is deleted when it is old enough goes by timestamps, so by the system's clock; and somebody may set that
//! forward by an hour, or by a year. What was written a minute ago is not an hour old then.

use std::time::Instant;

/// How much faster than time itself this clock runs while it is behind the system's: by one in so many parts.
const CATCH_UP_PARTS: i64 = 8;
/// No clock that was ever set is before 2025 began, in milliseconds since the epoch: what leaves that time behind
/// is a machine that has found out which time it is.
const NEVER_SET_BEFORE_MS: i64 = 1_735_689_600_000;

/// The system's clock, but for jumps forward, which it follows slowly: nothing grows older in less than eight
/// ninths of the time. It is never ahead of the system's clock. A new one begins with that clock as it is.
pub(crate) struct AgingClock {
    now_ms: i64,
    read: Instant,
}

impl AgingClock {
    /// A clock that begins at `system_ms` (milliseconds since the epoch).
    pub(crate) fn new(system_ms: i64) -> Self {
        Self::at(system_ms, Instant::now())
    }

    /// The time, in milliseconds since the epoch, when the system's clock shows `system_ms`.
    pub(crate) fn read(&mut self, system_ms: i64) -> i64 {
        self.read_at(system_ms, Instant::now())
    }

    const fn at(system_ms: i64, now: Instant) -> Self {
        Self { now_ms: system_ms, read: now }
    }

    fn read_at(&mut self, system_ms: i64, now: Instant) -> i64 {
        let passed = now.saturating_duration_since(self.read).as_millis();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let soonest = self.now_ms.saturating_add(passed).saturating_add(passed / CATCH_UP_PARTS);
        let was_set = self.now_ms >= NEVER_SET_BEFORE_MS;
        self.now_ms = if was_set { system_ms.min(soonest) } else { system_ms };
        self.read = now;
        self.now_ms
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const START: i64 = 1_800_000_000_000;
    const HOUR: i64 = 3_600_000;

    /// Reads the clock `times` times, a second apart; the system's is ahead of the time that has passed by `jump`.
    fn seconds(clock: &mut AgingClock, now: &mut Instant, times: i64, system_ms: &mut i64) -> i64 {
        let mut read = clock.now_ms;
        for _ in 0..times {
            *now += Duration::from_secs(1);
            *system_ms += 1_000;
            read = clock.read_at(*system_ms, *now);
        }
        read
    }

    #[test]
    fn it_is_the_systems_clock_as_long_as_that_one_is_only_moved_a_little() {
        let (mut now, mut system) = (Instant::now(), START);
        let mut clock = AgingClock::at(system, now);
        for slew in [0, 50, -70, 100] {
            system += slew;
            assert_eq!(seconds(&mut clock, &mut now, 60, &mut system), system);
        }
    }

    #[test]
    fn a_jump_forward_makes_nothing_old_at_once_and_is_made_up_for_in_time() {
        let (mut now, mut system) = (Instant::now(), START);
        let mut clock = AgingClock::at(system, now);
        system += HOUR;
        assert_eq!(seconds(&mut clock, &mut now, 8, &mut system), START + 9_000);
        assert_eq!(seconds(&mut clock, &mut now, 8 * 3_600 - 9, &mut system), system - 125);
        assert_eq!(seconds(&mut clock, &mut now, 1, &mut system), system);
    }

    #[test]
    fn a_jump_back_is_followed_and_taking_it_back_is_a_jump_forward() {
        let (mut now, mut system) = (Instant::now(), START);
        let mut clock = AgingClock::at(system, now);
        system -= HOUR;
        assert_eq!(seconds(&mut clock, &mut now, 1, &mut system), START - HOUR + 1_000);
        system += HOUR;
        assert_eq!(seconds(&mut clock, &mut now, 8, &mut system), START - HOUR + 10_000);
    }

    #[test]
    fn a_clock_that_was_never_set_is_followed_wherever_it_goes() {
        let (mut now, mut system) = (Instant::now(), 5_000);
        let mut clock = AgingClock::at(system, now);
        system = START;
        assert_eq!(seconds(&mut clock, &mut now, 1, &mut system), START + 1_000);
    }
}
