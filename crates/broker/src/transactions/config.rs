//! What the coordinator allows, with Kafka's names where Kafka has the setting.

use std::time::Duration;

/// Bounds and times of the transaction coordinator.
#[derive(Clone, Debug)]
pub struct TransactionsConfig {
    /// Longest time a transaction may stay open (`transaction.max.timeout.ms`).
    pub max_timeout: Duration,
    /// How long a transactional id without an open transaction is remembered (`transactional.id.expiration.ms`).
    pub id_expiration: Duration,
    /// How often it is looked whether one is to be forgotten
    /// (`transaction.remove.expired.transaction.cleanup.interval.ms`).
    pub id_expiration_interval: Duration,
    /// Most transactional ids. Kafka has no bound.
    pub max_ids: usize,
    /// Most groups in one transaction. Kafka has no bound.
    pub max_groups_per_transaction: usize,
    /// The journal is written anew when it is larger than this and mostly outdated.
    pub compact_above_bytes: u64,
}

impl Default for TransactionsConfig {
    fn default() -> Self {
        const HOUR: Duration = Duration::from_secs(60 * 60);
        Self {
            max_timeout: Duration::from_secs(15 * 60),
            id_expiration: 7 * 24 * HOUR,
            id_expiration_interval: HOUR,
            max_ids: 100_000,
            max_groups_per_transaction: 1_000,
            compact_above_bytes: 16 * 1024 * 1024,
        }
    }
}
