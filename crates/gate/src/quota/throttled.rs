//! Throttled requests of one session, summed until they are due in the audit trail.

use std::collections::BTreeMap;
use std::time::Duration;

use schloss_audit::{Event, Traffic};
use schloss_metadata::QuotaKey;
use schloss_wire::ErrorCode;
use time::OffsetDateTime;
use tokio::time::Instant;

#[derive(Default)]
pub(super) struct Throttled {
    sums: BTreeMap<QuotaKey, Sum>,
    since: Option<Instant>,
}

struct Sum {
    requests: u64,
    delay: Duration,
    from: OffsetDateTime,
    to: OffsetDateTime,
}

impl Throttled {
    pub(super) fn count(&mut self, quota: QuotaKey, delay: Duration) {
        self.since.get_or_insert_with(Instant::now);
        let now = OffsetDateTime::now_utc();
        let sum =
            self.sums.entry(quota).or_insert(Sum { requests: 0, delay: Duration::ZERO, from: now, to: now });
        sum.requests += 1;
        sum.delay = sum.delay.saturating_add(delay);
        sum.to = now;
    }

    /// Whether the sums have to be written now.
    pub(super) fn is_due(&self, now: Instant, interval: Duration) -> bool {
        self.since.is_some_and(|since| now.saturating_duration_since(since) >= interval)
    }

    /// Takes the sums out as events; who and from where is for the caller to add.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Event> + use<> {
        self.since = None;
        std::mem::take(&mut self.sums).into_iter().map(|(quota, sum)| {
            let Sum { requests, delay, from, to } = sum;
            Event::traffic("kafka.Throttle", Traffic { requests, records: 0, bytes: 0, from, to })
                .result(ErrorCode::ThrottlingQuotaExceeded.name())
                .message(format!(
                    "{requests} requests over {}, told to wait {delay:.1?} in all",
                    quota.name()
                ))
        })
    }
}
