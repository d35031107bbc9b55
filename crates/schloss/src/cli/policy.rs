//! `schloss policy`: the whole policy as one file.

mod replay;

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use schloss_metadata::security::{PolicyDocument, SecurityAnswer, SecurityChange, SecurityQuestion};
use serde_json::json;

use super::ClientFile;
use super::confirm::confirm;
use super::exit::UsageError;
use super::network::with_cluster;
use super::output::{self, Format};
use super::security::{ask, change, print_steps, unexpected};
use super::used::{Places, used};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Print the policy in force: users without passwords, accounts, groups, roles, bindings, ACLs and quotas
    #[command(after_help = "Example:
  schloss policy export --client admin.properties > policy.yaml")]
    Export {
        #[command(flatten)]
        client: ClientFile,
    },
    /// Show what applying a file would add, change and remove
    #[command(after_help = PLAN_EXAMPLES)]
    Plan {
        /// The policy file
        #[arg(value_name = "FILE")]
        policy: PathBuf,
        /// Look through the audit logs of so many days for accesses that would be denied
        #[arg(long, value_name = "N")]
        replay_days: Option<u16>,
        #[command(flatten)]
        places: Places,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Make the policy what a file says, as a whole or not at all
    #[command(after_help = APPLY_EXAMPLES)]
    Apply {
        /// The policy file
        #[arg(value_name = "FILE")]
        policy: PathBuf,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

const PLAN_EXAMPLES: &str = "Examples:
  schloss policy plan policy.yaml --client admin.properties
  schloss policy plan policy.yaml --replay-days 30 --data-dir /var/lib/schloss --client admin.properties
  schloss policy plan policy.yaml --replay-days 30 --audit-dir gate1 --audit-dir gate2 --client admin.properties

A part that the file leaves out (users, accounts, groups, roles, bindings, acls, quotas) stays as it is.";

const APPLY_EXAMPLES: &str = "Example:
  schloss policy apply policy.yaml --yes --client admin.properties

It is refused if it would take from you the right to change it back.";

/// Most bytes of a policy file: more than a million ACLs don't fit into a node.
const MAX_BYTES: u64 = 512 << 20;

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Export { client } => {
            let policy = in_force(&client)?;
            match format {
                Format::Json => output::json(&policy),
                Format::Table => output::line(serde_saphyr::to_string(&policy)?.trim_end()),
            }
        }
        Command::Plan { policy, replay_days, places, client } => {
            let wanted = read_policy(&policy)?;
            let wish = SecurityChange::Apply { policy: Box::new(wanted.clone()), dry_run: true };
            let steps = with_cluster(&client, async |mut cluster| change(&mut cluster, &wish).await)?;
            let Some(days) = replay_days else {
                return print_steps(&steps, "nothing to do: it is so already", format);
            };
            let before = in_force(&client)?;
            let after = wanted.over(before.clone()).compile();
            let told = used(&places.directories()?, replay::begin(days), None)?;
            let lost = replay::lost(&told, &before.compile(), &after);
            if format == Format::Json {
                return output::json(
                    &json!({ "steps": steps, "audit_logs": told.logs, "would_be_denied": lost }),
                );
            }
            print_steps(&steps, "nothing to do: it is so already", format)?;
            told.print_logs()?;
            replay::print(&lost, days)
        }
        Command::Apply { policy, yes, client } => {
            let wanted = read_policy(&policy)?;
            confirm(
                yes,
                &format!(
                    "The policy becomes what {} says; 'schloss policy plan' shows how.",
                    policy.display()
                ),
            )?;
            let wish = SecurityChange::Apply { policy: Box::new(wanted), dry_run: false };
            with_cluster(&client, async |mut cluster| {
                print_steps(&change(&mut cluster, &wish).await?, "nothing to do: it is so already", format)
            })
        }
    }
}

/// The policy of a node.
///
/// # Errors
/// The node's.
pub(super) fn in_force(client: &ClientFile) -> anyhow::Result<PolicyDocument> {
    with_cluster(client, async |mut cluster| match ask(&mut cluster, &SecurityQuestion::Policy).await? {
        SecurityAnswer::Policy(policy) => Ok(*policy),
        other => Err(unexpected(&other)),
    })
}

/// Reads a policy file, YAML or JSON.
///
/// # Errors
/// It can't be read, or says something that no policy does; the error says where.
pub(super) fn read_policy(path: &Path) -> anyhow::Result<PolicyDocument> {
    let mut text = String::new();
    let file = File::open(path).with_context(|| format!("can't open {}", path.display()))?;
    let read = file.take(MAX_BYTES).read_to_string(&mut text);
    read.with_context(|| format!("can't read {}", path.display()))?;
    let wrong = |error: &dyn std::fmt::Display| UsageError(format!("{}: {error}", path.display()));
    if path.extension().is_some_and(|extension| extension == "json") {
        return serde_json::from_str(&text).map_err(|error| wrong(&error).into());
    }
    serde_saphyr::from_str(&text).map_err(|error| wrong(&error).into())
}

#[cfg(test)]
mod tests {
    use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};

    use super::*;

    #[test]
    fn odd_names_come_back_from_a_file_as_they_went_in() {
        let names = [
            "*",
            "no",
            "null",
            "~",
            "1e3",
            "0x10",
            "2026-01-01",
            "a: b",
            "a #b",
            "'",
            "\"",
            "- a",
            "&a",
            "!t",
            "%",
            "CN=a,O=b: c",
            "ä\u{2028}b",
            " a ",
            "{}",
            "[]",
            "|",
            ">",
            "@",
            "`",
        ];
        let acl = |name: &&str| Acl {
            resource_type: ResourceType::Topic,
            pattern_type: PatternType::Literal,
            resource_name: (*name).to_owned(),
            principal: format!("User:{name}"),
            host: "*".to_owned(),
            operation: Operation::Read,
            permission: Permission::Allow,
        };
        let document = PolicyDocument {
            version: 1,
            groups: Some(names.iter().map(|name| ((*name).to_owned(), Default::default())).collect()),
            acls: Some(names.iter().map(acl).collect()),
            ..PolicyDocument::default()
        };
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("policy.yaml", serde_saphyr::to_string(&document).unwrap()),
            ("policy.json", serde_json::to_string(&document).unwrap()),
        ] {
            let path = directory.path().join(file);
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_policy(&path).unwrap(), document, "{file}");
        }
    }

    #[test]
    fn a_file_with_a_word_that_no_policy_has_is_refused_with_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("policy.yaml");
        for (text, words) in [
            ("version: 1\ngruops: {}\n", "gruops"),
            ("version: 1\nacls:\n- operation: reed\n", "line 3"),
            ("version: one\n", "line 1"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", read_policy(&path).unwrap_err());
            assert!(error.contains("policy.yaml") && error.contains(words), "{error}");
        }
    }
}
