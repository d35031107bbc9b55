//! Client quotas: how much a user, a client or an address may take (KIP-13, KIP-124, KIP-599, KIP-612).
//!
//! A quota is a rate. Whoever it is for has a [`Bucket`](bucket::Bucket) that fills with that rate and holds what
//! a window of Kafka's length lets through at once; whoever takes more is answered at once, told how long to
//! wait, and not read from until then (KIP-219).
//!
//! A session keeps what is in force for it (a [`Seat`]), so a request costs one comparison of pointers. Only
//! when the quotas or its client id change are buckets looked up under a lock. Buckets are spent from without.

mod account;
#[path = "49_alter_client_quotas.rs"]
mod alter_client_quotas;
mod bucket;
mod buckets;
#[path = "48_describe_client_quotas.rs"]
mod describe_client_quotas;
mod mutations;
mod precedence;
mod seat;
mod stopwatch;
#[cfg(test)]
mod testing;
mod throttled;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use schloss_metadata::{ClientQuotas, QuotaKey};
use schloss_wire::Api;
use tokio::time::Instant;

pub(crate) use account::Account;
pub(crate) use alter_client_quotas::alter;
use buckets::Buckets;
pub(crate) use describe_client_quotas::describe;
pub(crate) use mutations::{limit_mutations, merge};
pub(crate) use seat::{Paused, Seat};

/// The APIs over quotas. An [`Engine`](crate::Engine) that leaves quotas to the gate has them in its
/// [`Offer`](crate::Offer), and never gets them.
pub const QUOTA_APIS: [Api; 2] = [Api::DescribeClientQuotas, Api::AlterClientQuotas];

/// The quotas that a gate keeps.
pub(crate) struct Quotas {
    buckets: Buckets,
}

impl Quotas {
    pub(crate) fn new() -> Self {
        Self { buckets: Buckets::new(Instant::now()) }
    }

    /// What is in force for a user with a client id; nothing if no quota is.
    pub(crate) fn account(&self, quotas: &ClientQuotas, user: &str, client_id: &str) -> Option<Arc<Account>> {
        if quotas.is_empty() {
            return None;
        }
        Account::new(quotas, user, client_id, &self.buckets)
    }

    /// How long one more connection of this address has to wait; nothing if that is longer than a window.
    pub(crate) fn connection(&self, quotas: &ClientQuotas, address: IpAddr) -> Option<Duration> {
        if quotas.is_empty() {
            return Some(Duration::ZERO);
        }
        let Some((rate, address)) = precedence::of_address(quotas, address) else {
            return Some(Duration::ZERO);
        };
        let now = Instant::now();
        let key = buckets::Key::new(QuotaKey::ConnectionCreationRate, rate, None, Some(&address));
        self.buckets.get(key, now).reserve(1.0, now)
    }
}
