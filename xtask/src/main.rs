//! Developer tasks: `cargo xtask test`, `cargo xtask fuzz`, `cargo xtask bench`.

mod bench;
mod command;
mod count;
mod fuzz;
mod scale;
mod tests;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer tasks of Schloss.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    after_help = "Examples:
  cargo xtask test                    everything; installs what it needs
  cargo xtask test --only test_java   one file of the interop suite
  cargo xtask tools                   what a build with Kerberos needs, from Debian
  cargo xtask scale                   10,000 connections and partitions, and a start with 10 GiB
  cargo xtask fuzz                    every fuzz target, most of them for a minute
  cargo xtask fuzz --seconds 600 request
  cargo xtask bench                   Schloss beside Apache Kafka; about 15 minutes, writes docs/benchmarks.md
  cargo xtask bench --quick           the same in small: tries the harness
  cargo xtask bench --durability disk --rounds 5
  cargo xtask bench --peer-only       Apache Kafka against itself
  cargo xtask bench policy            decisions of the policy beside Apache Kafka's authorizer
  cargo xtask bench gateway           Apache Kafka with and without the gateway; writes its chapter of the same page"
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Run all tests: the hermetic ones, then the interop suite with stock clients
    Test {
        /// Run only the interop tests whose name holds this
        #[arg(long, value_name = "NAME")]
        only: Option<String>,
    },
    /// Install what a build with all features needs
    Tools,
    /// Measure what many connections, partitions and bytes cost: interop tests of the suite, in large
    Scale(scale::Options),
    /// Run the fuzz targets, each for a while
    Fuzz(fuzz::Options),
    /// Measure Schloss beside and before Apache Kafka: CPU per GiB, throughput, latency, memory, time to ready
    Bench(bench::Options),
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Test { only } => tests::run_all(only.as_deref()),
        Task::Tools => tools::for_builds().map(|()| true),
        Task::Scale(options) => scale::scale(&options),
        Task::Fuzz(options) => fuzz::fuzz(&options),
        Task::Bench(options) => bench::bench(&options),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Where tools and results of tasks are kept: built things, so under `target`.
fn work_dir() -> PathBuf {
    root().join("target/interop")
}
