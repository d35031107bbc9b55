//! What the follower, the writer and the callers have in common.

use std::sync::Arc;
use std::time::SystemTime;

use parking_lot::Mutex;
use schloss_metadata::State;
use tokio::sync::{Notify, mpsc, watch};

use crate::book::Book;
use crate::codec::Codec;
use crate::health::{Health, Notice};
use crate::transactions::Refused;

/// Most keys that one notice names, and characters of each.
const MAX_NOTICE_KEYS: usize = 16;
const MAX_KEY_CHARACTERS: usize = 256;

pub(crate) struct Shared {
    pub(crate) codec: Arc<Codec>,
    pub(crate) topic: String,
    pub(crate) state: Arc<State>,
    /// Changed by the follower alone.
    pub(crate) book: Mutex<Book>,
    pub(crate) progress: watch::Sender<Progress>,
    pub(crate) health: watch::Sender<Health>,
    pub(crate) notices: mpsc::Sender<Notice>,
    /// Somebody else had the last word on a key.
    pub(crate) disputed: Notify,
}

/// How far the state is. Told after the state shows it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// The offset to read on from.
    pub(crate) position: i64,
    /// The number of the last change.
    pub(crate) change: u64,
    /// Why the state does not go on; changes are refused.
    pub(crate) stopped: Option<Arc<str>>,
}

impl Shared {
    /// Tells an auditor; never waits. What does not fit into the channel is in the log at least.
    pub(crate) fn notify(&self, notice: Notice) {
        if let Err(error) = self.notices.try_send(notice) {
            tracing::warn!(%error, "a notice about the metadata topic finds nobody to take it");
        }
    }

    pub(crate) fn report<'a>(&self, refused: impl Iterator<Item = &'a Refused>) {
        for refused in refused {
            let (why, keys) = describe(refused);
            tracing::error!(
                topic = self.topic,
                offset = refused.offset,
                why,
                ?keys,
                "a record in the metadata topic is not taken: no gateway of this installation wrote it"
            );
            self.notify(Notice::Forged { offset: refused.offset, keys, why });
        }
        if !self.book.lock().disputed().is_empty() {
            self.disputed.notify_one();
        }
    }

    pub(crate) fn follows(&self) {
        self.health.send_if_modified(|health| {
            let was_behind = *health != Health::Following;
            *health = Health::Following;
            was_behind
        });
    }

    /// `last` is when the state was the newest.
    pub(crate) fn is_behind(&self, last: SystemTime, why: String) {
        self.health.send_if_modified(|health| match health {
            Health::Behind { why: known, .. } if **known == *why => false,
            Health::Behind { why: known, .. } => {
                *known = why.into();
                true
            }
            Health::Following => {
                tracing::warn!(topic = self.topic, why, "the metadata topic can't be followed");
                *health = Health::Behind { since: last, why: why.into() };
                true
            }
        });
    }
}

/// Why records are not taken, and their keys, in words.
pub(crate) fn describe(refused: &Refused) -> (String, Vec<String>) {
    let text = |key: &[u8]| {
        let text = String::from_utf8_lossy(key);
        text.escape_debug().take(MAX_KEY_CHARACTERS).collect()
    };
    (refused.fault.to_string(), refused.keys.iter().take(MAX_NOTICE_KEYS).map(|key| text(key)).collect())
}
