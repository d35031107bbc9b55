//! Where changes are kept.

use std::pin::Pin;

use crate::error::MetadataError;
use crate::record::Record;

/// What the calls of a ledger return.
pub type LedgerFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, MetadataError>> + Send + 'a>>;

/// Keeps the changes of a [`State`](crate::State): on this machine alone, or where others change it too.
///
/// A ledger is the only one that publishes snapshots to its state: those of its own turns, and those that
/// come of what others wrote.
pub trait Ledger: Send + Sync + 'static {
    /// Waits for a turn to change the state: nobody else of this process has one, and the state holds what
    /// everybody's turns before have left. Dropping the turn gives it back.
    ///
    /// `attempt` counts how often this change was [`Commit::Superseded`] already; a ledger waits longer, by
    /// chance, the more often that was, so that two writers don't keep on getting into each other's way.
    ///
    /// # Errors
    /// The ledger can't be reached, or can't be written any more.
    fn begin(&self, attempt: u32) -> LedgerFuture<'_, Box<dyn Turn>>;
}

/// The right to make one change.
pub trait Turn: Send {
    /// Makes the change, as a whole or not at all. When this says [`Commit::Made`] it is lasting and visible
    /// in the state. `records` is not empty.
    ///
    /// Must run to its end: whoever calls it does so in a task of its own.
    ///
    /// # Errors
    /// The change was not made; or, if the error says so, it is not known whether it was.
    fn commit(self: Box<Self>, records: Vec<Record>) -> LedgerFuture<'static, Commit>;
}

/// What became of a turn.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Commit {
    /// The change is made.
    Made,
    /// The change was not made, and another may have been: it must be decided again.
    Superseded {
        /// What came between.
        why: String,
    },
}
