//! The transaction coordinator: who may write under a transactional id, what a transaction touches, how it
//! ends (KIP-98, KIP-360, KIP-890).
//!
//! `Transaction` is one transactional id as a plain state machine: it is asked what a request comes to and
//! answers with a record. [`Transactions`] brings all of them together with the journal, time and those who
//! take part: a record is appended to the journal and applied under one lock, and an answer goes out when the
//! record is on disk. An end is decided by its record; markers in partitions and groups follow from it, now or
//! after a restart.
//!
//! Locks are taken in the order of a partition's producers, then the coordinator's state: a marker is written
//! without the latter.

mod completion;
mod config;
mod coordinator;
mod expiry;
mod id;
mod record;
mod recovery;
mod requests;
mod store;
#[cfg(test)]
mod tests;
mod transaction;
mod view;

pub use config::TransactionsConfig;
pub use coordinator::TransactionsError;

pub(crate) use coordinator::Transactions;
pub(crate) use transaction::{Claimant, Place, TransactionState};
pub(crate) use view::{TransactionFilter, TransactionListing};
