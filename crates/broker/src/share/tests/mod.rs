//! Share partitions step by step and at random, and through whole requests.

mod admin;
mod api;
mod member;
mod partition;
mod restarts;
mod simulation;
mod transactions;
