//! Producers of one partition and their transactions in it.

mod aborted;
mod snapshot;
mod states;
#[cfg(test)]
mod tests;

pub(crate) use aborted::Aborted;
pub(crate) use states::{
    LastRecord, NO_TIMESTAMP, ProducerError, ProducerStates, ProducerView, SequenceCheck, TransactionVersion,
};
