//! The command line: what can be said, and where each word is carried out.

mod access;
mod account;
mod acl;
mod audit;
mod config;
mod confirm;
mod consume;
mod directory;
mod exit;
mod gateway;
mod group;
mod key;
mod network;
mod output;
mod pki;
mod policy;
mod produce;
mod quota;
mod resource;
mod role;
mod security;
mod serve;
mod time_words;
mod token;
mod topic;
mod used;
mod user;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::quickstart;
pub(crate) use exit::UsageError;
use output::Format;

/// A secure-by-default Kafka in one binary.
#[derive(Parser)]
#[command(name = "schloss", version, about, after_help = EXAMPLES, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Tables for people, or JSON for programs
    #[arg(long, global = true, value_enum, default_value_t = Format::Table, env = "SCHLOSS_OUTPUT")]
    output: Format,
}

const EXAMPLES: &str = "Examples:
  schloss quickstart                                  a locked broker on localhost:9092, proved
  schloss gateway quickstart --upstream kafka-1:9093 --upstream-config service.properties
                                                      the same gate before a cluster, proved
  schloss topic list --client schloss-data/clients/admin.properties
  schloss audit query --decision denied --since 1h

Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 no connection, 4 authentication failed,
            5 not authorized, 6 denied (access explain)";

#[derive(Subcommand)]
enum Command {
    /// Make a locked broker from nothing, prove it, and serve
    Quickstart(quickstart::broker::Arguments),
    /// Serve from a configuration file
    Serve(serve::Arguments),
    /// Serve an Apache Kafka cluster from behind the same gate
    Gateway(gateway::Arguments),
    /// Work with configuration files
    Config(config::Arguments),
    /// List and rotate the keys that seal a broker's records
    Key(key::Arguments),
    /// Issue and revoke certificates of clients
    Pki(pki::Arguments),
    /// Create, list, describe and delete topics
    Topic(topic::Arguments),
    /// Add, list and remove users
    User(user::Arguments),
    /// Delegation tokens: create, list, renew and expire
    Token(token::Arguments),
    /// Add, list and remove ACLs
    Acl(acl::Arguments),
    /// Local groups of users: list, describe, add and remove
    Group(group::Arguments),
    /// Roles: list, describe, create and delete; bind and unbind
    Role(role::Arguments),
    /// Who may do what, and why
    Access(access::Arguments),
    /// Ask the LDAP directory of a configuration about users
    Directory(directory::Arguments),
    /// The whole policy as a file: export, plan and apply
    Policy(policy::Arguments),
    /// List, set and remove quotas
    Quota(quota::Arguments),
    /// Write lines from standard input to a topic
    Produce(produce::Arguments),
    /// Read records of a topic
    Consume(consume::Arguments),
    /// Read the audit log
    Audit(audit::Arguments),
}

/// How network commands reach a cluster.
#[derive(Args)]
struct ClientFile {
    /// Client file: Java .properties, librdkafka .conf, or .json; works with any Kafka cluster
    #[arg(long, value_name = "FILE", env = "SCHLOSS_CLIENT")]
    client: PathBuf,
}

/// Runs what the command line says.
pub(crate) fn run() -> ExitCode {
    // clap ends the process itself on a usage error, with code 2 and a hint.
    let Cli { command, output } = Cli::parse();
    let result = match command {
        Command::Quickstart(arguments) => quickstart::broker::run(&arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Gateway(arguments) => gateway::run(&arguments),
        Command::Config(arguments) => config::run(&arguments, output),
        Command::Key(arguments) => key::run(&arguments, output),
        Command::Pki(arguments) => pki::run(arguments, output),
        Command::Topic(arguments) => topic::run(arguments, output),
        Command::User(arguments) => user::run(arguments, output),
        Command::Token(arguments) => token::run(arguments, output),
        Command::Acl(arguments) => acl::run(arguments, output),
        Command::Group(arguments) => group::run(arguments, output),
        Command::Role(arguments) => role::run(arguments, output),
        Command::Access(arguments) => access::run(arguments, output),
        Command::Directory(arguments) => directory::run(&arguments, output),
        Command::Policy(arguments) => policy::run(arguments, output),
        Command::Quota(arguments) => quota::run(arguments, output),
        Command::Produce(arguments) => produce::run(&arguments, output),
        Command::Consume(arguments) => consume::run(&arguments, output),
        Command::Audit(arguments) => audit::run(arguments, output),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => exit::report(&error, output),
    }
}
