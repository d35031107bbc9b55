//! Telling of damage.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::{Identity, LogError};

/// Places told of that are remembered, so that a consumer that tries again and again doesn't fill the audit log.
const MAX_TOLD: usize = 1_000;

/// Bytes on disk that are not what was written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Damage {
    /// The partition.
    pub identity: Identity,
    /// The damaged file.
    pub path: PathBuf,
    /// Where the damaged batch begins, in bytes from the front of the file.
    pub position: u64,
    /// What is wrong there.
    pub reason: String,
}

/// Who is told of damage: once for each place, while the log is open. Must not block for long.
pub type OnDamage = Arc<dyn Fn(&Damage) + Send + Sync>;

/// Tells of each place once.
pub(crate) struct Teller {
    identity: Identity,
    on_damage: Option<OnDamage>,
    told: Mutex<HashSet<(PathBuf, u64)>>,
}

impl Teller {
    pub(crate) fn new(identity: Identity, on_damage: Option<OnDamage>) -> Self {
        Self { identity, on_damage, told: Mutex::default() }
    }

    /// For `inspect_err`.
    pub(crate) fn tell(&self, error: &LogError) {
        let (path, position, reason) = match error {
            LogError::Corrupt { path, position, reason } => (path, *position, reason),
            LogError::Refused { path, reason } => (path, 0, reason),
            _ => return,
        };
        {
            let mut told = self.told.lock();
            if told.len() >= MAX_TOLD || !told.insert((path.clone(), position)) {
                return;
            }
        }
        tracing::error!(file = %path.display(), position, reason, "a log is damaged");
        let Some(on_damage) = &self.on_damage else { return };
        on_damage(&Damage { identity: self.identity, path: path.clone(), position, reason: reason.clone() });
    }
}
