//! Whole requests through policy and engine, on a real log in a directory of its own.

mod administration;
mod cleanup;
pub(crate) mod configs;
mod describe;
mod faults;
mod fetch;
mod list_offsets;
pub(crate) mod produce;
mod sealing;
mod together;
mod topics;
mod transactions;
mod versions;
