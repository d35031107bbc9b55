//! `cargo xtask bench`: Schloss beside and before Apache Kafka, each in one run and with the same clients.

mod account;
mod administration;
mod brokers;
mod certificates;
mod clients;
mod duel;
mod gateway;
mod java;
mod kafka_server;
mod machine;
mod page;
mod prober;
mod process;
mod progress;
mod results;
mod rig;
mod schloss_server;
mod server;
mod size;
mod statistics;
mod table;
mod turn;

use clap::{Args, Subcommand};

/// What `cargo xtask bench` takes.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Options {
    #[command(subcommand)]
    other: Option<Other>,
    #[command(flatten)]
    brokers: brokers::Options,
}

/// Another comparison than that of brokers.
#[derive(Subcommand)]
enum Other {
    /// Measure what the gateway adds: the same Apache Kafka with and without it
    Gateway(gateway::Options),
}

/// Runs a comparison and writes `target/bench/<time>.json` and `.md`; a full run also writes its chapter of
/// `docs/benchmarks.md`.
///
/// # Errors
/// A server or a client fails. Their files are then kept for a look.
pub(crate) fn bench(options: &Options) -> anyhow::Result<bool> {
    match &options.other {
        None => brokers::bench(&options.brokers)?,
        Some(Other::Gateway(options)) => gateway::bench(options)?,
    }
    Ok(true)
}
