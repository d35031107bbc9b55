//! `cargo xtask bench`: Schloss beside and before Apache Kafka, each in one run and with the same clients.

mod account;
mod administration;
mod aes;
mod brokers;
mod certificates;
mod clients;
mod couple;
mod duel;
mod gateway;
mod java;
mod kafka_server;
mod layers;
mod machine;
mod page;
mod policy;
mod prober;
mod process;
mod progress;
mod results;
mod rig;
mod rush;
mod schloss_server;
mod server;
mod shape;
mod size;
mod statistics;
mod table;
mod turn;
mod workloads;

use clap::{Args, Subcommand};

/// What `cargo xtask bench` takes.
#[derive(Args)]
#[group(skip)]
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
    /// Measure what Schloss takes for ACLs, and how fast this machine encrypts
    Layers(layers::Options),
    /// Compare record sizes, numbers of partitions and codecs, and a read of what was written long ago
    Workloads(workloads::Options),
    /// Measure what a decision about 100,000 ACLs costs, beside Apache Kafka's own authorizer (two minutes)
    Policy,
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
        Some(Other::Layers(options)) => layers::bench(options)?,
        Some(Other::Workloads(options)) => workloads::bench(options)?,
        Some(Other::Policy) => policy::bench()?,
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn brokers_are_compared_unless_the_gateway_is_named() {
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.options.other);
        assert!(matches!(parse("bench --quick --durability disk --rate 9"), Ok(None)));
        assert!(matches!(parse("bench gateway --quick --rate 9"), Ok(Some(Other::Gateway(_)))));
        assert!(matches!(parse("bench policy"), Ok(Some(Other::Policy))));
        assert!(parse("bench --quick gateway").is_err(), "an option that would not be heard");
        assert!(parse("bench gateway --durability disk").is_err());
    }
}
