//! Keeping logs small: old segments go (`cleanup.policy=delete`), and of each key only the newest record stays
//! (`cleanup.policy=compact`).
//!
//! [`policy`] decides from a few facts, [`filter`] knows what stays of a batch, [`round`] takes it through a log,
//! [`chores`] does that for all logs, on the thread of a [`Cleaner`].

mod chores;
mod control;
mod filter;
mod log;
mod offset_map;
mod policy;
mod round;
#[cfg(test)]
mod tests;
mod thread;
mod transactions;

pub(crate) use policy::Policy;
pub(crate) use thread::Cleaner;
pub(crate) use transactions::AbortedRecords;
