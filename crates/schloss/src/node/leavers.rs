//! What upstream still knows of somebody who is not let in any more: tokens of a gateway that impersonates its clients.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use schloss_gateway::Gateway;
use schloss_metadata::Snapshot;
use schloss_wire::Principal;
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

/// The pause before what failed is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// Those whose accounts were disabled, by hand or by offboarding, and whose tokens upstream must end.
pub(super) struct Leavers {
    gateway: Arc<Gateway>,
    changes: watch::Receiver<Arc<Snapshot>>,
    /// Whose tokens have ended, or were none of ours when this began.
    known: BTreeSet<String>,
}

impl Leavers {
    pub(super) fn new(gateway: Arc<Gateway>, mut changes: watch::Receiver<Arc<Snapshot>>) -> Self {
        let known = disabled(&changes.borrow_and_update());
        Self { gateway, changes, known }
    }

    /// Follows the accounts for ever.
    pub(super) async fn follow(&mut self) {
        // The generation of accounts that is done with.
        let mut done = None;
        loop {
            let now = Arc::clone(&self.changes.borrow_and_update());
            let generation = now.identity_generation();
            if done != Some(generation) {
                done = self.take_back(disabled(&now)).await.then_some(generation);
            }
            let changed = self.changes.changed();
            // What failed is tried again, whether something changes meanwhile or not.
            let pause = if done.is_some() { Duration::MAX } else { AGAIN_AFTER };
            if let Ok(Err(_)) = timeout(pause, changed).await {
                return;
            }
        }
    }

    /// Ends the tokens of those who are disabled since; whether nobody's are left.
    async fn take_back(&mut self, disabled: BTreeSet<String>) -> bool {
        let mut succeeded = true;
        let mut done = BTreeSet::new();
        for name in disabled {
            let principal = Principal::user(&name);
            if self.known.contains(&name) {
                done.insert(name);
                continue;
            }
            match self.gateway.take_back_tokens(&principal).await {
                Ok(0) => _ = done.insert(name),
                Ok(tokens) => {
                    info!(%principal, tokens, "the tokens of a disabled account have ended upstream");
                    done.insert(name);
                }
                Err(error) => {
                    warn!(%principal, "the tokens of a disabled account have not ended upstream: {error}; tried again");
                    succeeded = false;
                }
            }
        }
        self.known = done;
        succeeded
    }
}

fn disabled(now: &Snapshot) -> BTreeSet<String> {
    let disabled = now.accounts().iter().filter(|(_, account)| account.disabled);
    disabled.map(|(name, _)| name.clone()).collect()
}
