//! Share partitions (KIP-932): which records of a partition are with which member of a share group, and which
//! are done with.
//!
//! [`SharePartition`] is the state of one group in one partition as a plain state machine: an offset before
//! which all is done, and runs of records after it. [`Shares`] brings all of them together with sessions,
//! time and the disk: one lock, held for microseconds unless the journal is written anew, and one journal.
//! Locks of records end by themselves: whoever looks at a partition first gives back what is overdue, so no
//! timer is needed.
//!
//! What a client is told to be acknowledged is on disk. What is with a member is not: after a restart it is
//! to be had again.

mod acknowledgement;
mod acquire;
mod admin;
mod config;
mod fetch;
mod partition;
mod record;
mod session;
mod store;
#[cfg(test)]
mod tests;

pub use config::SharesConfig;
pub use store::SharesError;

pub(crate) use acknowledgement::Acknowledgement;
pub(crate) use acquire::{Acquisition, Wanted};
pub(crate) use admin::Progress;
pub(crate) use fetch::ShareFetch;
pub(crate) use partition::Acquired;
pub(crate) use session::{MemberKey, SessionStep};
pub(crate) use store::{Acknowledgements, Shares};
