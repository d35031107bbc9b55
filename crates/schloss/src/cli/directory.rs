//! `schloss directory`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use schloss_directory::Report;
use schloss_identity::DirectoryEntry;
use serde_json::json;

use super::network::block_on;
use super::output::{self, Format};
use super::user::read_password;
use crate::config::AnyConfig;
use crate::node::open_directory;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Find one user as a node would: where they are, their groups as rules name them, how long that takes
    #[command(after_help = "Examples:
  schloss directory test --config schloss-data/schloss.toml --user alice
  pass show alice | schloss directory test --config gateway.toml --user alice --password-stdin

Asks the servers of the [directory] section directly; no node has to run.")]
    Test {
        /// The configuration with the [directory] section
        #[arg(long, value_name = "FILE", default_value = "schloss.toml", env = "SCHLOSS_CONFIG")]
        config: PathBuf,
        /// The name as somebody would type it to log in
        #[arg(long, value_name = "NAME")]
        user: String,
        /// Read a password from standard input, and log in with it
        #[arg(long)]
        password_stdin: bool,
    },
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    let Command::Test { config, user, password_stdin } = &arguments.command;
    let common = match AnyConfig::load(config)? {
        AnyConfig::Serve(config) => config.common,
        AnyConfig::Gateway(config) => config.common,
    };
    let section = common.directory;
    let section = section.with_context(|| format!("{} has no [directory] section", config.display()))?;
    let password = password_stdin.then(read_password).transpose()?;
    let report = block_on(async {
        let directory = open_directory(&section)?;
        directory.report(user, password.as_ref()).await.context("the directory can't be asked")
    })?;
    let Some(entry) = &report.entry else { bail!("the directory knows no such user: {user}") };
    show(entry, &report, format)?;
    match report.checked {
        Some(Err(reason)) => bail!("{user} can't log in: {reason}"),
        _ => Ok(()),
    }
}

fn show(entry: &DirectoryEntry, report: &Report, format: Format) -> anyhow::Result<()> {
    let principal = format!("User:{}", entry.name);
    let is_right = report.checked.as_ref().map(Result::is_ok);
    let groups: Vec<&str> = report.groups.iter().map(|group| group.as_str()).collect();
    let shown = json!({
        "dn": entry.place, "principal": principal, "groups": groups, "password_is_right": is_right,
        "found_in_ms": millis(report.found_in), "groups_in_ms": millis(report.groups_in),
    });
    let mut lines = vec![
        format!("{} is {principal}, found in {:.1} ms", entry.place, millis(report.found_in)),
        format!("in {} group(s), found in {:.1} ms", groups.len(), millis(report.groups_in)),
    ];
    lines.extend(groups.iter().map(|group| format!("  {group}")));
    lines.extend(is_right.filter(|right| *right).map(|_| "the password is right".to_owned()));
    output::value(format, &shown, &lines.join("\n"))
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
