//! What a gateway should know about its state beside the state itself.

use std::sync::Arc;
use std::time::SystemTime;

/// Whether the state is the newest.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Health {
    /// The topic is followed: what others change is in force within a second.
    Following,
    /// The state is that of `since`; what was changed later is not known. No changes are taken meanwhile.
    Behind {
        /// When the state was the newest for the last time.
        since: SystemTime,
        /// What hinders, and what to do.
        why: Arc<str>,
    },
}

/// Something that an auditor wants to know.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Notice {
    /// Records in the topic that no gateway wrote with our key. They are not in force.
    Forged {
        /// Offset of the first of them.
        offset: i64,
        /// Their keys as text, those that can be read; sixteen at most.
        keys: Vec<String>,
        /// How they were told.
        why: String,
    },
    /// What forged records stood over in the topic was said again, so that compaction can't take it away.
    Healed {
        /// How many keys.
        keys: usize,
    },
}
