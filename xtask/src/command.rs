//! Other programs, run where their failure is an error.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Runs `command` with its output on ours.
///
/// # Errors
/// It can't be started, or ends with another code than 0.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("can't start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

/// Runs `command`, shows its standard output line by line and returns it with whether the command succeeded.
///
/// # Errors
/// It can't be started.
pub(crate) fn run_and_read(command: &mut Command) -> anyhow::Result<(bool, String)> {
    run_and_read_as("", command)
}

/// The same for one of several that run at the same time: `mark` begins each line that is shown.
///
/// # Errors
/// It can't be started.
pub(crate) fn run_and_read_as(mark: &str, command: &mut Command) -> anyhow::Result<(bool, String)> {
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("can't start {command:?}"))?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut text = String::new();
    for line in BufReader::new(stdout).lines() {
        let line = line?;
        println!("{mark}{line}");
        text.push_str(&line);
        text.push('\n');
    }
    Ok((child.wait()?.success(), text))
}

/// Whether a program of this name can be run.
pub(crate) fn exists(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
}
