//! Keeping logs small: old segments go (`cleanup.policy=delete`), and of each key only the newest record stays
//! (`cleanup.policy=compact`).
//!
//! [`policy`] decides from a few facts, [`filter`] knows what stays of a batch, [`round`] takes it through a log.

mod filter;
mod log;
mod offset_map;
mod policy;
mod round;
#[cfg(test)]
mod tests;
mod transactions;
