//! Partition logs: segments, index, recovery and group commit.
//!
//! A [`PartitionLog`] takes record batches in order and answers at once; a shared [`Flusher`] brings them to
//! disk, one flush for all who wait. A [`journal::Journal`] is the same promise for small records.

mod batches;
mod checkpoint;
mod config;
mod disk;
mod error;
mod files;
mod flusher;
mod index;
pub mod journal;
mod partition;
mod progress;
mod reader;
mod recovery;
mod segment;
mod stamp;
#[cfg(test)]
mod testing;

pub use config::{Durability, LogConfig, MAX_SEGMENT_BYTES, TimestampSource};
pub use disk::{Disk, OsDisk};
pub use error::LogError;
pub use flusher::Flusher;
pub use journal::{Journal, JournalRecovery, MAX_ENTRY_BYTES, Ticket};
pub use partition::{Appended, PartitionLog, remove_deleted};
pub use recovery::Recovery;
