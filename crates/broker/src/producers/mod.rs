//! Producers of one partition and their transactions in it.

mod aborted;
mod snapshot;
mod states;
#[cfg(test)]
mod tests;

#[cfg(test)]
use aborted::Aborted;
pub(crate) use states::{ProducerError, ProducerStates, ProducerView, SequenceCheck, TransactionVersion};
