//! What a decision of the policy costs, beside Apache Kafka's own authorizer.

use std::fs;
use std::process::Command;

use anyhow::Context;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::machine::Machine;
use super::page::{FILE, POLICY, with_body};
use super::rig::commit;
use crate::command::run_and_read;
use crate::{root, tools};

/// Runs the benchmark of the policy crate with the jars of Apache Kafka and writes its chapter.
///
/// # Errors
/// It fails, or what it needs can't be installed.
pub(super) fn bench() -> anyhow::Result<()> {
    tools::debian(&[("mvn", "maven"), ("javac", "default-jdk-headless")])?;
    let libs = tools::kafka_libs()?;
    let machine = Machine::of(&root());
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .args(["bench", "--quiet", "--package", "schloss-policy", "--bench", "decisions"])
        .env("KAFKA_LIBS", libs)
        .current_dir(root());
    let (succeeded, output) = run_and_read(&mut cargo)?;
    anyhow::ensure!(succeeded, "the benchmark failed");
    let date = OffsetDateTime::now_utc().replace_nanosecond(0)?.format(&Rfc3339)?;
    let file = root().join(FILE);
    let before = fs::read_to_string(&file).with_context(|| format!("can't read {FILE}"))?;
    fs::write(&file, with_body(&before, POLICY, &chapter(&output, &date, &machine))?)?;
    println!("wrote {FILE}");
    Ok(())
}

fn chapter(output: &str, date: &str, machine: &Machine) -> String {
    format!(
        "## What a decision costs\n\n{}\n\n### How it was measured\n\n\
         * date: {date}\n* command: `cargo xtask bench policy`\n* CPU: {}, {} cores\n* load average before: {:.2}\n\
         * Schloss: commit {}\n\n\
         Both have the same ACLs, three in ten of them prefixed; for the lines about groups they are those of 200 groups, each \
         user in 20. One thread asks 20,000 times for random users, operations and topics in a plain loop: the median of 21 \
         rounds, after as many that do not count. Kafka's authorizer does the same in its own JVM. *Again in the same session* is what most \
         requests cost: the session has asked for the topic before, and no rule has changed since. Kafka's authorizer \
         has neither groups nor such a memory.\n",
        output.trim(),
        machine.cpu,
        machine.cores,
        machine.load_before,
        commit(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chapter_has_what_was_measured_and_where() {
        let text = chapter("| 1 | 2 |\n", "2026-01-01T00:00:00Z", &Machine::of(&root()));
        assert!(text.starts_with("## What a decision costs\n\n| 1 | 2 |\n\n###"), "{text}");
        assert!(text.contains("* date: 2026-01-01T00:00:00Z\n") && text.contains(" cores\n"), "{text}");
    }
}
