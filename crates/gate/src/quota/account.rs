//! What is in force for one user with one client id.

use std::sync::Arc;
use std::time::Duration;

use schloss_metadata::{ClientQuotas, QuotaKey};
use tokio::time::Instant;

use super::bucket::Bucket;
use super::buckets::{Buckets, Key};
use super::precedence::Levels;

/// The longest pause for work: one sample of Kafka's. Who asks for little is not to time out over it.
const MOST_FOR_WORK: Duration = Duration::from_secs(1);

/// The buckets that requests are paid from; none where no quota is in force.
pub(crate) struct Account {
    produced: Option<Arc<Bucket>>,
    fetched: Option<Arc<Bucket>>,
    worked: Option<Arc<Bucket>>,
    mutated: Option<Arc<Bucket>>,
}

impl Account {
    /// Nothing if no quota is in force.
    pub(super) fn new(
        quotas: &ClientQuotas,
        user: &str,
        client_id: &str,
        buckets: &Buckets,
    ) -> Option<Arc<Self>> {
        let (levels, now) = (Levels::new(user, client_id), Instant::now());
        let bucket = |quota| {
            let (rate, shared) = levels.rate(quotas, quota)?;
            Some(buckets.get(Key::new(quota, rate, shared.user, shared.client), now))
        };
        let account = Self {
            produced: bucket(QuotaKey::ProducerByteRate),
            fetched: bucket(QuotaKey::ConsumerByteRate),
            worked: bucket(QuotaKey::RequestPercentage),
            mutated: bucket(QuotaKey::ControllerMutationRate),
        };
        let any = [&account.produced, &account.fetched, &account.worked, &account.mutated];
        any.iter().any(|bucket| bucket.is_some()).then(|| Arc::new(account))
    }

    /// Whether work has to be timed.
    pub(super) fn is_timed(&self) -> bool {
        self.worked.is_some()
    }

    /// Pays for the bytes of a produce request. Returns how long to wait.
    pub(super) fn produce(&self, bytes: usize) -> Duration {
        spend(self.produced.as_ref(), bytes as f64)
    }

    /// Pays for the bytes of the answer to a fetch. Returns how long to wait.
    pub(super) fn fetch(&self, bytes: usize) -> Duration {
        spend(self.fetched.as_ref(), bytes as f64)
    }

    /// The most bytes that one fetch should bring: what a window lets through, as in Kafka.
    pub(crate) fn most_fetched(&self) -> Option<i32> {
        // The cast ends at the largest number.
        self.fetched.as_ref().map(|bucket| (bucket.holds() as i32).max(1))
    }

    /// Pays for time on the threads. Returns how long to wait.
    pub(super) fn work(&self, time: Duration) -> Duration {
        // In percent of a thread.
        spend(self.worked.as_ref(), time.as_secs_f64() * 100.0).min(MOST_FOR_WORK)
    }

    /// Pays for partitions that are made or deleted, in any case. Returns how long to wait.
    pub(super) fn mutate(&self, partitions: u32) -> Duration {
        spend(self.mutated.as_ref(), f64::from(partitions))
    }

    /// Pays for partitions that are made or deleted, unless too many have been.
    ///
    /// # Errors
    /// How long to wait before it can be tried again.
    pub(super) fn try_mutate(&self, partitions: u32) -> Result<(), Duration> {
        let bucket = self.mutated.as_ref();
        bucket.map_or(Ok(()), |bucket| bucket.try_spend(f64::from(partitions), Instant::now()))
    }

    /// How long to wait for what was taken by whoever shares these buckets.
    pub(super) fn debt(&self) -> Duration {
        self.produce(0).max(self.fetch(0)).max(self.work(Duration::ZERO)).max(self.mutate(0))
    }

    /// Whether partitions that are made or deleted are counted.
    pub(super) fn counts_mutations(&self) -> bool {
        self.mutated.is_some()
    }
}

fn spend(bucket: Option<&Arc<Bucket>>, amount: f64) -> Duration {
    bucket.map_or(Duration::ZERO, |bucket| bucket.spend(amount, Instant::now()))
}
