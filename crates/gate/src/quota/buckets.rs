//! The buckets of all who share them: found by whom a quota is for, forgotten when they are full again.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use schloss_metadata::QuotaKey;
use tokio::time::Instant;

use super::bucket::{Bucket, WINDOW};

const SHARDS: usize = 16;
/// Buckets of one shard. Client ids are the clients' own choice: those that come after so many share a bucket.
const SHARD_MAX: usize = 8192;
/// Fewer than this are not worth looking through.
const SWEEP_MIN: usize = 64;
/// How often a shard is looked through for full buckets, at most.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Who shares a bucket. Another rate is another bucket, so a new one is in force at once.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Key {
    quota: QuotaKey,
    rate: u64,
    user: Option<Box<str>>,
    client: Option<Box<str>>,
}

pub(super) struct Buckets {
    base: Instant,
    hasher: RandomState,
    shards: [Mutex<Shard>; SHARDS],
}

struct Shard {
    buckets: HashMap<Key, Arc<Bucket>>,
    swept: Instant,
}

impl Key {
    pub(super) fn new(quota: QuotaKey, rate: f64, user: Option<&str>, client: Option<&str>) -> Self {
        Self { quota, rate: rate.to_bits(), user: user.map(Box::from), client: client.map(Box::from) }
    }

    /// The one that all share for whom there is no room. Users are as many as there are: the client ids that one of
    /// them makes up crowd nobody else.
    fn crowd(self) -> Self {
        Self { client: None, ..self }
    }
}

impl Buckets {
    pub(super) fn new(base: Instant) -> Self {
        let shard = || Mutex::new(Shard { buckets: HashMap::new(), swept: base });
        Self { base, hasher: RandomState::new(), shards: std::array::from_fn(|_| shard()) }
    }

    /// The bucket of these, a full one if they had none.
    pub(super) fn get(&self, mut key: Key, now: Instant) -> Arc<Bucket> {
        let hash = self.hasher.hash_one(&key) as usize;
        let mut shard = self.shards[hash % SHARDS].lock();
        if let Some(bucket) = shard.buckets.get(&key) {
            return Arc::clone(bucket);
        }
        shard.sweep(now);
        if shard.buckets.len() >= SHARD_MAX {
            key = key.crowd();
        }
        let new = || Arc::new(Bucket::new(f64::from_bits(key.rate), most_debt(key.quota), self.base));
        Arc::clone(shard.buckets.entry(key.clone()).or_insert_with(new))
    }

    #[cfg(test)]
    pub(super) fn lock_all(&self) -> Vec<parking_lot::MutexGuard<'_, impl Sized>> {
        self.shards.iter().map(|shard| shard.lock()).collect()
    }

    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().buckets.len()).sum()
    }
}

impl Shard {
    /// Forgets those that are as good as new ones. One that a session holds stays, or the next session of the same
    /// user would get another.
    fn sweep(&mut self, now: Instant) {
        if self.buckets.len() < SWEEP_MIN || now.saturating_duration_since(self.swept) < SWEEP_INTERVAL {
            return;
        }
        self.swept = now;
        self.buckets.retain(|_, bucket| Arc::strong_count(bucket) > 1 || !bucket.is_full(now));
    }
}

/// The most that can be owed, in time at the rate. What is owed is waited for, so the rate holds in the long run.
const fn most_debt(quota: QuotaKey) -> Duration {
    match quota {
        // As in Kafka, which sees no further back: each pause for these is short, and few follow.
        QuotaKey::RequestPercentage | QuotaKey::ConnectionCreationRate => WINDOW,
        // Far more than one request takes of a rate that makes sense, and still over some day.
        _ => Duration::from_secs(3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(id: &str) -> Key {
        Key::new(QuotaKey::ProducerByteRate, 1.0, None, Some(id))
    }

    #[test]
    fn a_bucket_is_shared_by_its_key_and_rate() {
        let now = Instant::now();
        let buckets = Buckets::new(now);
        let first = buckets.get(client("a"), now);
        assert!(Arc::ptr_eq(&first, &buckets.get(client("a"), now)));
        assert!(!Arc::ptr_eq(&first, &buckets.get(client("b"), now)));
        let other_rate = Key::new(QuotaKey::ProducerByteRate, 2.0, None, Some("a"));
        assert!(!Arc::ptr_eq(&first, &buckets.get(other_rate, now)));
    }

    #[test]
    fn full_buckets_are_forgotten_and_those_in_use_or_overdrawn_are_not() {
        let now = Instant::now();
        let buckets = Buckets::new(now);
        let held = buckets.get(client("held"), now);
        let later = now + Duration::from_secs(60);
        buckets.get(client("debtor"), later).spend(20.0, later);
        for n in 0..40 * SWEEP_MIN * SHARDS {
            buckets.get(client(&n.to_string()), later + SWEEP_INTERVAL * (n / 1000) as u32);
        }
        assert!(buckets.count() < 3 * SWEEP_MIN * SHARDS, "{}", buckets.count());
        assert!(Arc::ptr_eq(&held, &buckets.get(client("held"), later)));
    }

    #[test]
    fn a_debtor_can_not_be_rid_of_its_debt_by_going_away() {
        let now = Instant::now();
        let buckets = Buckets::new(now);
        buckets.get(client("debtor"), now).spend(20.0, now);
        let later = now + Duration::from_secs(2);
        (0..100 * SHARDS).for_each(|n| drop(buckets.get(client(&n.to_string()), later)));
        assert_eq!(buckets.get(client("debtor"), later).spend(0.0, later), Duration::from_secs(7));
    }

    #[test]
    fn a_crowd_of_client_ids_is_that_of_its_user() {
        let of = |user, client| Key::new(QuotaKey::ProducerByteRate, 1.0, Some(user), client).crowd();
        assert_eq!(of("u", Some("a")), of("u", Some("b")));
        assert_eq!(of("u", None), Key::new(QuotaKey::ProducerByteRate, 1.0, Some("u"), None));
        assert_ne!(of("u", Some("a")), of("v", Some("a")));
    }

    #[test]
    fn there_is_a_bound_beyond_which_all_share_one() {
        let now = Instant::now();
        let buckets = Buckets::new(now);
        let spend = |n: usize| buckets.get(client(&n.to_string()), now).spend(11.0, now);
        (0..2 * SHARD_MAX * SHARDS).for_each(|n| {
            spend(n);
        });
        assert!(buckets.count() <= (SHARD_MAX + 1) * SHARDS);
        assert!(spend(usize::MAX) > WINDOW, "the crowd has taken more than one may");
    }
}
