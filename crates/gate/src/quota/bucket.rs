//! A rate and what has been taken of it: one number, changed without a lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// What a bucket holds, in time at its rate: 11 samples of a second (`quota.window.num`,
/// `quota.window.size.seconds` of Kafka).
pub(crate) const WINDOW: Duration = Duration::from_secs(11);

const WINDOW_NANOS: u64 = WINDOW.as_nanos() as u64;

/// Fills with a rate up to what a window holds, and may be overdrawn.
///
/// It is kept as the moment at which it will be full again (the generic cell rate algorithm): taking something
/// moves that moment away by the time in which the rate brings as much.
pub(super) struct Bucket {
    /// A second.
    rate: f64,
    most_debt_nanos: u64,
    base: Instant,
    /// In nanoseconds after `base`.
    full_at: AtomicU64,
}

impl Bucket {
    /// A full one. `rate` is more than zero. It is never overdrawn by more than comes in `most_debt`.
    pub(super) fn new(rate: f64, most_debt: Duration, base: Instant) -> Self {
        Self { rate, most_debt_nanos: nanos(most_debt), base, full_at: AtomicU64::new(0) }
    }

    /// What a window lets through.
    pub(super) fn holds(&self) -> f64 {
        self.rate * WINDOW.as_secs_f64()
    }

    /// Takes out so much in any case. Returns how long it is overdrawn then.
    pub(super) fn spend(&self, amount: f64, now: Instant) -> Duration {
        let (now, cost) = (self.since_base(now), self.cost(amount));
        let most = now.saturating_add(WINDOW_NANOS).saturating_add(self.most_debt_nanos);
        let after = |full_at: u64| full_at.max(now).saturating_add(cost).min(most);
        // It always is an update.
        let (Ok(before) | Err(before)) = self.update(|full_at| Some(after(full_at)));
        debt(after(before), now)
    }

    /// Takes out so much unless it is overdrawn.
    ///
    /// # Errors
    /// How long it is overdrawn.
    pub(super) fn try_spend(&self, amount: f64, now: Instant) -> Result<(), Duration> {
        let (now, cost) = (self.since_base(now), self.cost(amount));
        let most = now.saturating_add(WINDOW_NANOS).saturating_add(self.most_debt_nanos);
        let spent = self.update(|full_at| {
            debt(full_at, now).is_zero().then(|| full_at.max(now).saturating_add(cost).min(most))
        });
        spent.map(|_| ()).map_err(|full_at| debt(full_at, now))
    }

    /// Takes out so much unless it would be overdrawn for too long. Returns for how long it is then.
    pub(super) fn reserve(&self, amount: f64, now: Instant) -> Option<Duration> {
        let (now, cost) = (self.since_base(now), self.cost(amount));
        let most = now.saturating_add(WINDOW_NANOS).saturating_add(self.most_debt_nanos);
        let after = |full_at: u64| full_at.max(now).saturating_add(cost);
        let before = self.update(|full_at| Some(after(full_at)).filter(|after| *after <= most)).ok()?;
        Some(debt(after(before), now))
    }

    /// Whether it is as good as a new one.
    pub(super) fn is_full(&self, now: Instant) -> bool {
        self.full_at.load(Ordering::Relaxed) <= self.since_base(now)
    }

    fn update(&self, next: impl FnMut(u64) -> Option<u64>) -> Result<u64, u64> {
        self.full_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next)
    }

    fn since_base(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.base))
    }

    /// In how many nanoseconds the rate brings so much. The cast ends at the largest number.
    fn cost(&self, amount: f64) -> u64 {
        (amount / self.rate * 1e9) as u64
    }
}

fn debt(full_at: u64, now: u64) -> Duration {
    Duration::from_nanos(full_at.saturating_sub(now.saturating_add(WINDOW_NANOS)))
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn bucket(rate: f64) -> (Bucket, Instant) {
        let now = Instant::now();
        (Bucket::new(rate, WINDOW, now), now)
    }

    #[test]
    fn a_window_of_the_rate_is_free_and_more_has_to_be_waited_for() {
        let (bucket, now) = bucket(100.0);
        assert_eq!(bucket.holds(), 1100.0);
        assert_eq!(bucket.spend(1100.0, now), Duration::ZERO);
        assert_eq!(bucket.spend(50.0, now), SECOND / 2);
        assert_eq!(bucket.spend(50.0, now), SECOND);
        assert_eq!(bucket.spend(0.0, now + SECOND), Duration::ZERO, "it was waited for");
        assert_eq!(bucket.spend(100.0, now + SECOND), SECOND);
    }

    #[test]
    fn in_the_long_run_the_rate_is_what_gets_through() {
        let (bucket, begun) = bucket(1000.0);
        let (mut now, mut taken) = (begun, 0.0_f64);
        while now < begun + SECOND * 100 {
            taken += 700.0;
            now += bucket.spend(700.0, now) + Duration::from_millis(1);
        }
        assert!((taken - 111_000.0).abs() < 1500.0, "{taken}");
    }

    #[test]
    fn requests_of_many_windows_keep_to_the_rate_too() {
        let begun = Instant::now();
        let bucket = Bucket::new(1000.0, 100 * WINDOW, begun);
        let (mut now, mut taken) = (begun, 0.0_f64);
        while now < begun + SECOND * 5000 {
            taken += 40_000.0;
            now += bucket.spend(40_000.0, now);
        }
        assert!((taken - 5_011_000.0).abs() < 40_000.0, "{taken}");
    }

    #[test]
    fn debt_is_bounded_and_so_is_what_is_saved() {
        let (bucket, now) = bucket(1.0);
        assert_eq!(bucket.spend(1e30, now), WINDOW);
        assert!(!bucket.is_full(now + WINDOW));
        assert!(bucket.is_full(now + 2 * WINDOW));
        let later = now + SECOND * 100_000;
        assert_eq!(bucket.spend(11.0, later), Duration::ZERO);
        assert_eq!(bucket.spend(1.0, later), SECOND);
    }

    #[test]
    fn the_strict_way_takes_nothing_from_an_overdrawn_one() {
        let (bucket, now) = bucket(1.0);
        assert_eq!(bucket.try_spend(13.0, now), Ok(()), "it is overdrawn by this");
        assert_eq!(bucket.try_spend(1.0, now), Err(2 * SECOND));
        assert_eq!(bucket.try_spend(1.0, now + SECOND), Err(SECOND));
        assert_eq!(bucket.try_spend(1.0, now + 2 * SECOND), Ok(()));
    }

    #[test]
    fn what_would_wait_too_long_is_not_reserved_and_takes_nothing() {
        let (bucket, now) = bucket(2.0);
        let waits: Vec<Duration> = std::iter::from_fn(|| bucket.reserve(1.0, now)).collect();
        assert_eq!(waits.len(), 44, "a window at once and a window waited for");
        assert_eq!((waits[21], waits[22], waits[43]), (Duration::ZERO, SECOND / 2, WINDOW));
        assert_eq!(bucket.reserve(1.0, now), None);
        assert_eq!(bucket.reserve(1.0, now + SECOND / 2), Some(WINDOW), "refusals cost nothing");
    }

    #[test]
    fn all_threads_together_take_what_one_would() {
        let (bucket, now) = bucket(1.0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    (0..4000).for_each(|_| {
                        bucket.spend(0.001, now);
                    })
                });
            }
        });
        assert_eq!(bucket.spend(0.0, now), 5 * SECOND);
    }
}
