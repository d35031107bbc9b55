//! `schloss audit`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};
use schloss_audit::{DecisionFilter, EventKind, Query, Record, Tail, query};
use time::OffsetDateTime;

use super::exit::UsageError;
use super::network::block_on;
use super::output::{self, Format};
use super::time_words::parse_time;
use crate::audit_line;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the records that match
    #[command(after_help = QUERY_EXAMPLES)]
    Query {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: Filter,
        /// Print at most this many, the newest
        #[arg(long, value_name = "N")]
        last: Option<usize>,
    },
    /// Print the last records, then new ones as they come
    #[command(after_help = TAIL_EXAMPLES)]
    Tail {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        filter: Filter,
        /// How many to begin with
        #[arg(long, value_name = "N", default_value_t = 10)]
        last: usize,
        /// Stop after the last records instead of waiting for new ones
        #[arg(long)]
        no_follow: bool,
    },
}

const QUERY_EXAMPLES: &str = "Examples:
  schloss audit query --decision denied --since 1h
  schloss audit query --principal User:orders-producer --operation write --resource orders
  schloss audit query --kind authentication --since 2026-11-24T00:00:00Z --output json";

const TAIL_EXAMPLES: &str = "Examples:
  schloss audit tail
  schloss audit tail --decision denied --output json";

#[derive(Args)]
pub(super) struct Place {
    /// The data directory of the node
    #[arg(long, value_name = "DIR", default_value = "schloss-data", env = "SCHLOSS_DATA_DIR")]
    data_dir: PathBuf,
    /// The audit directory, if it is not audit/ in the data directory
    #[arg(long, value_name = "DIR")]
    audit_dir: Option<PathBuf>,
}

impl Place {
    pub(super) fn directory(&self) -> anyhow::Result<PathBuf> {
        let directory = self.audit_dir.clone().unwrap_or_else(|| self.data_dir.join("audit"));
        if directory.is_dir() {
            return Ok(directory);
        }
        let message = format!(
            "{} is no directory: name the node's data directory with --data-dir",
            directory.display()
        );
        Err(UsageError(message).into())
    }
}

#[derive(Args)]
struct Filter {
    /// Who: User:alice, or alice
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<String>,
    /// What: an operation (read, write) or an API (Produce, CreateTopics)
    #[arg(long, value_name = "OPERATION")]
    operation: Option<String>,
    /// On what: a name, or topic=orders, group=orders-app
    #[arg(long, value_name = "RESOURCE")]
    resource: Option<String>,
    /// Only what was allowed, or denied
    #[arg(long, value_enum)]
    decision: Option<Decision>,
    /// Only one kind: authentication, authorization, administration, traffic, connection, system
    #[arg(long, value_name = "KIND", value_parser = parse_kind)]
    kind: Option<EventKind>,
    /// Not before: a time (2026-11-24T08:00:00Z), or how long ago (30s, 15m, 2h, 7d)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    since: Option<OffsetDateTime>,
    /// Before: the same
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    until: Option<OffsetDateTime>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Decision {
    Allowed,
    Denied,
}

fn parse_kind(text: &str) -> Result<EventKind, String> {
    EventKind::from_name(&text.to_lowercase()).ok_or_else(|| {
        let known: Vec<&str> = EventKind::ALL.iter().map(|kind| kind.name()).collect();
        format!("known kinds: {}", known.join(", "))
    })
}

impl From<Filter> for Query {
    fn from(filter: Filter) -> Self {
        Self {
            principal: filter.principal,
            operation: filter.operation,
            resource: filter.resource,
            decision: filter.decision.map(|decision| match decision {
                Decision::Allowed => DecisionFilter::Allowed,
                Decision::Denied => DecisionFilter::Denied,
            }),
            kind: filter.kind,
            since: filter.since,
            until: filter.until,
        }
    }
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Query { place, filter, last } => {
            print_matches(&place.directory()?, &filter.into(), last, format)
        }
        Command::Tail { place, filter, last, no_follow } => {
            let directory = place.directory()?;
            let wanted: Query = filter.into();
            // Opened first: what is written between the two steps is then seen.
            let tail = Tail::from_end(&directory, wanted.clone())?;
            print_matches(&directory, &wanted, Some(last), format)?;
            if no_follow { Ok(()) } else { follow(tail, format) }
        }
    }
}

fn print_matches(
    directory: &std::path::Path,
    wanted: &Query,
    last: Option<usize>,
    format: Format,
) -> anyhow::Result<()> {
    let mut matches =
        query(directory, wanted).with_context(|| format!("can't read {}", directory.display()))?;
    match last {
        None => {
            for record in matches.by_ref() {
                print(&record?, format)?;
            }
        }
        Some(last) => {
            let mut newest = std::collections::VecDeque::new();
            for record in matches.by_ref() {
                newest.push_back(record?);
                if newest.len() > last {
                    newest.pop_front();
                }
            }
            newest.iter().try_for_each(|record| print(record, format))?;
        }
    }
    if matches.skipped() > 0 {
        eprintln!("note: {} line(s) could not be read, such as one torn by a crash", matches.skipped());
    }
    Ok(())
}

fn follow(mut tail: Tail, format: Format) -> anyhow::Result<()> {
    block_on(async {
        loop {
            tokio::select! {
                record = tail.next() => print(&record?, format)?,
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
        }
    })
}

/// One record a line: the line of the file for programs, words for people.
fn print(record: &Record, format: Format) -> anyhow::Result<()> {
    match format {
        Format::Json => output::line(&record.line),
        Format::Table => output::line(&audit_line::describe(&record.event)),
    }
}
