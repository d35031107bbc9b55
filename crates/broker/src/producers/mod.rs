//! Producers of one partition and their transactions in it.

mod aborted;
mod states;
#[cfg(test)]
mod tests;

pub(crate) use aborted::Aborted;
pub(crate) use states::{ProducerError, ProducerStates, ProducerView, SequenceCheck, TransactionVersion};
