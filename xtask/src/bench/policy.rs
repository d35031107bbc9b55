//! What a decision of the policy costs, beside Apache Kafka's own authorizer.

use std::fs;
use std::process::Command;

use super::machine::Machine;
use crate::command::run_and_read;
use crate::{root, tools};

/// Runs the benchmark of the policy crate with the jars of Apache Kafka and keeps what it says in `target/bench`.
///
/// # Errors
/// It fails, or what it needs can't be installed.
pub(super) fn bench() -> anyhow::Result<()> {
    tools::debian(&[("mvn", "maven"), ("javac", "default-jdk-headless")])?;
    let libs = tools::kafka_libs()?;
    let directory = root().join("target/bench");
    fs::create_dir_all(&directory)?;
    let machine = Machine::of(&directory);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["bench", "--quiet", "--package", "schloss-policy", "--bench", "decisions"])
        .env("KAFKA_LIBS", libs)
        .current_dir(root());
    let (succeeded, output) = run_and_read(&mut cargo)?;
    anyhow::ensure!(succeeded, "the benchmark failed");
    let page = directory.join("policy.md");
    fs::write(&page, format!("{}\nMachine: {}\n", output.trim(), serde_json::to_string(&machine)?))?;
    println!("kept in {}", page.display());
    Ok(())
}
