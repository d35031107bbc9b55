//! Many connections that are opened at once.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, bail};
use serde::Serialize;

use super::process::Process;
use super::server::Server;
use crate::command::run;
use crate::root;
use crate::tests::cargo;

/// How many.
pub(super) const CONNECTIONS: u32 = 1000;

/// What it took until all were authenticated.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Rush {
    /// From the first to the last.
    pub(super) seconds: f64,
    /// Of one connection, from the start of all.
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    /// Of the server, for each connection.
    pub(super) cpu_ms: f64,
}

/// The program that opens them.
pub(super) struct Opener(PathBuf);

impl Opener {
    /// # Errors
    /// It can't be built.
    pub(super) fn build() -> anyhow::Result<Self> {
        run(Command::new(cargo())
            .args(["build", "--release", "--package", "schloss-client", "--example", "rush"])
            .current_dir(root()))?;
        Ok(Self(root().join("target/release/examples/rush")))
    }

    /// Opens all as the administrator of a running server.
    ///
    /// # Errors
    /// One was refused.
    pub(super) fn rush(&self, server: &Server, process: &Process) -> anyhow::Result<Rush> {
        let before = process.cpu()?;
        let output = Command::new(&self.0).arg(&server.admin.conf).arg(CONNECTIONS.to_string()).output()?;
        let cpu = process.cpu()?.saturating_sub(before);
        if !output.status.success() {
            bail!(
                "{} did not open {CONNECTIONS} connections: {}",
                server.name,
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let line = String::from_utf8_lossy(&output.stdout);
        let [seconds, p50_ms, p99_ms] =
            numbers(&line).with_context(|| format!("no result of opening connections: {line}"))?;
        Ok(Rush { seconds, p50_ms, p99_ms, cpu_ms: cpu.as_secs_f64() * 1000.0 / f64::from(CONNECTIONS) })
    }
}

fn numbers(line: &str) -> Option<[f64; 3]> {
    let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
    numbers.ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_is_three_numbers() {
        assert_eq!(numbers("1.500 20.0 30.5\n"), Some([1.5, 20.0, 30.5]));
        assert_eq!(numbers("1.500 20.0\n"), None);
        assert_eq!(numbers(""), None);
    }
}
