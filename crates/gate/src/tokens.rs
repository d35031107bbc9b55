//! What becomes of delegation tokens as time goes by.

use std::sync::Arc;
use std::time::Duration;

use schloss_metadata::{Snapshot, now_ms};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};

use crate::house::House;

/// How tokens last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TokenConfig {
    /// Whether there are any; without them those that exist let nobody in.
    pub enabled: bool,
    /// The longest life of a token (`delegation.token.max.lifetime.ms` of Kafka).
    pub max_lifetime: Duration,
    /// How long a token lasts, and a renewal that names no time (`delegation.token.expiry.time.ms`).
    pub expiry_time: Duration,
    /// How often those that are over are taken away (`delegation.token.expiry.check.interval.ms`). They are of no use
    /// before that.
    pub expiry_check_interval: Duration,
}

impl Default for TokenConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            max_lifetime: Duration::from_secs(7 * 24 * 3600),
            expiry_time: Duration::from_secs(24 * 3600),
            expiry_check_interval: Duration::from_secs(3600),
        }
    }
}

impl TokenConfig {
    pub(crate) fn max_lifetime_ms(&self) -> i64 {
        i64::try_from(self.max_lifetime.as_millis()).unwrap_or(i64::MAX)
    }

    pub(crate) fn expiry_ms(&self) -> i64 {
        i64::try_from(self.expiry_time.as_millis()).unwrap_or(i64::MAX)
    }
}

/// Shortest time between two looks, so that many tokens that end one after the other don't keep all sessions busy.
const LOOK_MIN: Duration = Duration::from_millis(250);
/// Longest time between two looks: clocks jump.
const LOOK_MAX: Duration = Duration::from_secs(10);

impl House {
    /// Tells sessions when a token ends, and takes away those that are over, until the gate closes.
    pub(crate) async fn follow_tokens(self: Arc<Self>) {
        let mut changes = self.metadata.changes();
        let closing = self.closing();
        tokio::pin!(closing);
        let every = self.config.delegation_tokens.expiry_check_interval.max(LOOK_MIN);
        let mut sweeps = interval_at(Instant::now() + every, every);
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut seen_ms = now_ms();
        loop {
            let next_ms = next_end(&changes.borrow_and_update(), seen_ms);
            tokio::select! {
                () = &mut closing => return,
                changed = changes.changed() => if changed.is_err() { return },
                _ = sweeps.tick() => self.sweep().await,
                () = sleep(until(next_ms)) => {
                    let now = now_ms();
                    if next_ms.is_some_and(|next| next <= now) {
                        self.tell_sessions();
                        seen_ms = now;
                    }
                }
            }
        }
    }

    async fn sweep(&self) {
        match self.metadata.sweep_tokens(now_ms()).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "delegation tokens are over and were removed"),
            Err(error) => {
                tracing::warn!(
                    "delegation tokens that are over can't be removed, which does no harm: {error}"
                );
            }
        }
    }
}

/// When the next token ends after that moment.
fn next_end(snapshot: &Snapshot, after_ms: i64) -> Option<i64> {
    snapshot.tokens().map(|(_, token)| token.expiry_ms).filter(|end| *end > after_ms).min()
}

fn until(end_ms: Option<i64>) -> Duration {
    let left = end_ms.map(|end| Duration::from_millis(u64::try_from(end - now_ms()).unwrap_or(0)));
    left.unwrap_or(LOOK_MAX).clamp(LOOK_MIN, LOOK_MAX)
}
