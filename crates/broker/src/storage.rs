//! What everything that is kept on disk needs: who flushes it, which keys seal it, and who is told of damage.

use std::sync::Arc;

use schloss_log::{Flusher, OnDamage, Vault};

/// What a broker keeps its logs and journals with.
#[derive(Clone)]
pub struct Storage {
    /// Brings them to disk.
    pub flusher: Arc<Flusher>,
    /// Seals them.
    pub vault: Vault,
    /// Is told of bytes on disk that are not what was written.
    pub on_damage: Option<OnDamage>,
}
