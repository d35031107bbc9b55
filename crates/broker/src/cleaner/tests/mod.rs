//! Compaction of a log in memory, against a simple model.

mod filter;
mod memory;
mod simulation;
