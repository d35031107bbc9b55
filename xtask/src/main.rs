//! Developer tasks: `cargo xtask test`, `cargo xtask bench`.

mod command;
mod count;
mod tests;
mod tools;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Developer tasks of Schloss.
#[derive(Parser)]
#[command(name = "cargo xtask", after_help = "Examples:
  cargo xtask test                    everything; installs what it needs
  cargo xtask test --only test_java   one file of the interop suite")]
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
}

fn main() -> ExitCode {
    let result = match Cli::parse().task {
        Task::Test { only } => tests::run_all(only.as_deref()),
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
