//! Every guard: what is taken out of a request, and what the caller is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod admin;
mod cluster;
mod data;
mod every_api;
mod groups;
mod groups_next;
mod house;
mod metadata;
mod offsets;
mod share;
mod streams;
mod tokens;
mod topic_partitions;
mod transactions;
