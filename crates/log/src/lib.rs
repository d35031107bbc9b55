//! Partition logs: segments, index, recovery and group commit.
//!
//! A [`PartitionLog`] takes record batches in order and answers at once; a shared [`Flusher`] brings them to
//! disk, one flush for all who wait. A [`journal::Journal`] is the same promise for small records.
//!
//! Both are sealed with AES-256-GCM unless told otherwise ([`Sealing`]). The key that seals is drawn when a file is
//! made, or a journal is opened; it is never read back from a disk to seal again, and the nonce is the position in
//! the file. So no nonce repeats, whatever a crash or a truncation leaves behind: see [`schloss_keys`].

mod checkpoint;
mod compaction;
mod config;
mod damage;
mod disk;
mod error;
mod files;
mod flusher;
mod frame;
mod frames;
mod header;
mod index;
pub mod journal;
mod note;
mod partition;
mod progress;
mod reader;
mod recovery;
mod room;
mod scratch;
mod sealing;
mod segment;
mod snapshot;
mod stamp;
mod start_offset;
#[cfg(test)]
mod testing;
mod vault;
mod window;

pub use compaction::{Rewrite, SegmentView};
pub use config::{Durability, LogConfig, MAX_SEGMENT_BYTES, TimestampSource};
pub use damage::{Damage, OnDamage};
pub use disk::{Disk, OsDisk};
pub use error::LogError;
pub use flusher::Flusher;
pub use journal::{Journal, JournalRecovery, MAX_ENTRY_BYTES, Ticket};
pub use partition::{Appended, PartitionLog, Retention, Watch, remove_deleted};
pub use recovery::Recovery;
pub use room::Space;
pub use sealing::{Identity, Sealing};
pub use segment::Home;
pub use snapshot::{MAX_SNAPSHOT_BYTES, Replay, Snapshots};
pub use vault::Vault;
