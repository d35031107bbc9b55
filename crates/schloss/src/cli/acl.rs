//! `schloss acl`, in the words of `kafka-acls`.

use clap::{Args, Subcommand, ValueEnum};
use schloss_client::{AclEntry, AclEntryFilter, Cluster};
use schloss_policy::{Operation, PatternType, Permission, ResourceType};
use schloss_wire::Principal;
use serde::Serialize;
use serde_json::json;

use super::ClientFile;
use super::confirm::confirm;
use super::exit::UsageError;
use super::network::with_cluster;
use super::output::{self, Format};
use super::resource::{Pattern, Resource};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Allow or deny
    #[command(after_help = ADD_EXAMPLES)]
    Add {
        #[command(flatten)]
        who: Who,
        /// Addresses or networks it holds for, such as 10.0.0.0/8; may be given several times [default: all]
        #[arg(long = "host", value_name = "HOST")]
        hosts: Vec<String>,
        /// What: read, write, create, describe, all and so on; may be given several times
        #[arg(long = "operation", value_name = "OPERATION", required = true)]
        operations: Vec<Operation>,
        #[command(flatten)]
        resource: Resource,
        /// How the name is meant
        #[arg(long, value_enum, default_value_t = Pattern::Literal)]
        pattern: Pattern,
        #[command(flatten)]
        client: ClientFile,
    },
    /// List ACLs
    #[command(after_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Remove every ACL that matches
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove {
        #[command(flatten)]
        filter: Filter,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

const ADD_EXAMPLES: &str = "Examples:
  schloss acl add --allow-principal User:alice --operation read --topic orders --client admin.properties
  schloss acl add --allow-principal User:app --operation write --topic app- --pattern prefixed --host 10.0.0.0/8 \\
      --client admin.properties
  schloss acl add --deny-principal 'User:*' --operation all --topic secrets --client admin.properties

A deny beats every allow.";

const LIST_EXAMPLES: &str = "Examples:
  schloss acl list --client admin.properties
  schloss acl list --topic orders --pattern match --client admin.properties     what covers topic orders
  schloss acl list --principal User:alice --output json --client admin.properties";

const REMOVE_EXAMPLES: &str = "Example:
  schloss acl remove --principal User:alice --topic orders --yes --client admin.properties";

#[derive(Args)]
#[group(required = true)]
struct Who {
    /// Whom to allow: User:alice, Group:ops, or User:* for everybody; may be given several times
    #[arg(long, value_name = "PRINCIPAL")]
    allow_principal: Vec<Principal>,
    /// Whom to deny
    #[arg(long, value_name = "PRINCIPAL")]
    deny_principal: Vec<Principal>,
}

#[derive(Args)]
struct Filter {
    /// Only of this principal
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<Principal>,
    #[command(flatten)]
    resource: Resource,
    /// Only patterns of this kind; match: every pattern that covers the name
    #[arg(long, value_enum, default_value_t = FilterPattern::Any)]
    pattern: FilterPattern,
    /// Only with this operation
    #[arg(long, value_name = "OPERATION")]
    operation: Option<Operation>,
    /// Only with this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum FilterPattern {
    Any,
    Match,
    Literal,
    Prefixed,
}

impl FilterPattern {
    /// `MATCH` exists in filters only (KIP-290).
    const MATCH: i8 = 2;

    const fn code(self) -> Option<i8> {
        match self {
            Self::Any => None,
            Self::Match => Some(Self::MATCH),
            Self::Literal => Some(PatternType::Literal.code()),
            Self::Prefixed => Some(PatternType::Prefixed.code()),
        }
    }
}

impl Filter {
    fn is_everything(&self) -> bool {
        self.principal.is_none()
            && self.resource.get().is_none()
            && self.operation.is_none()
            && self.host.is_none()
            && self.pattern.code().is_none()
    }
}

impl From<&Filter> for AclEntryFilter {
    fn from(filter: &Filter) -> Self {
        let (resource_type, resource_name) = filter.resource.get().unzip();
        Self {
            resource_type: resource_type.map(ResourceType::code),
            resource_name: resource_name.map(str::to_owned),
            pattern_type: filter.pattern.code(),
            principal: filter.principal.as_ref().map(ToString::to_string),
            host: filter.host.clone(),
            operation: filter.operation.map(Operation::code),
            permission: None,
        }
    }
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Add { who, hosts, operations, resource, pattern, client } => {
            let entries = entries(&who, &hosts, &operations, &resource, pattern)?;
            with_cluster(&client, async |cluster| add(cluster, entries, format).await)
        }
        Command::List { filter, client } => with_cluster(&client, async |mut cluster| {
            let entries = cluster.describe_acls(&(&filter).into()).await?;
            print(entries, format)
        }),
        Command::Remove { filter, yes, client } => {
            if filter.is_everything() {
                let message = "name what to remove, such as --principal User:alice or --topic orders";
                return Err(UsageError(message.to_owned()).into());
            }
            confirm(
                yes,
                "Every ACL that matches will be removed; 'schloss acl list' with the same words shows them.",
            )?;
            with_cluster(&client, async |mut cluster| {
                let removed = cluster.delete_acls(&[(&filter).into()]).await?;
                if format == Format::Table {
                    output::line(&format!("removed {} ACL(s)", removed.len()))?;
                }
                print(removed, format)
            })
        }
    }
}

fn entries(
    who: &Who,
    hosts: &[String],
    operations: &[Operation],
    resource: &Resource,
    pattern: Pattern,
) -> anyhow::Result<Vec<AclEntry>> {
    let (resource_type, resource_name) = resource.one()?;
    let pattern_type = PatternType::from(pattern);
    let everywhere = ["*".to_owned()];
    let hosts = if hosts.is_empty() { &everywhere[..] } else { hosts };
    let allowed = who.allow_principal.iter().map(|principal| (Permission::Allow, principal));
    let denied = who.deny_principal.iter().map(|principal| (Permission::Deny, principal));
    let mut entries = Vec::new();
    for (permission, principal) in allowed.chain(denied) {
        for host in hosts {
            for operation in operations {
                entries.push(AclEntry {
                    resource_type: resource_type.code(),
                    resource_name: resource_name.to_owned(),
                    pattern_type: pattern_type.code(),
                    principal: principal.to_string(),
                    host: host.clone(),
                    operation: operation.code(),
                    permission: permission.code(),
                });
            }
        }
    }
    Ok(entries)
}

async fn add(mut cluster: Cluster, entries: Vec<AclEntry>, format: Format) -> anyhow::Result<()> {
    let results = cluster.create_acls(&entries).await?;
    let added = results.iter().filter(|result| result.is_ok()).count();
    if let Some(error) = results.into_iter().find_map(Result::err) {
        let note = format!("{added} of {} ACL(s) added", entries.len());
        return Err(anyhow::Error::new(error).context(note));
    }
    let plural = if added == 1 { "ACL" } else { "ACLs" };
    output::value(format, &json!({ "added": added }), &format!("added {added} {plural}"))
}

#[derive(Serialize)]
struct Row {
    principal: String,
    permission: String,
    operation: String,
    resource_type: String,
    pattern_type: String,
    resource_name: String,
    host: String,
}

fn print(mut entries: Vec<AclEntry>, format: Format) -> anyhow::Result<()> {
    entries.sort();
    let rows: Vec<Row> = entries.into_iter().map(Row::from).collect();
    if rows.is_empty() && format == Format::Table {
        return output::line("no ACL matches");
    }
    let headings = ["principal", "permission", "operation", "resource", "pattern", "name", "host"];
    output::rows(format, &headings, &rows, |row| {
        [
            &row.principal,
            &row.permission,
            &row.operation,
            &row.resource_type,
            &row.pattern_type,
            &row.resource_name,
            &row.host,
        ]
        .map(String::clone)
        .to_vec()
    })
}

impl From<AclEntry> for Row {
    fn from(entry: AclEntry) -> Self {
        // A newer cluster may know kinds that we do not.
        let word =
            |known: Option<&'static str>, code: i8| known.map_or_else(|| code.to_string(), str::to_owned);
        Self {
            permission: word(Permission::from_code(entry.permission).map(Permission::name), entry.permission),
            operation: word(Operation::from_code(entry.operation).map(Operation::name), entry.operation),
            resource_type: word(
                ResourceType::from_code(entry.resource_type).map(ResourceType::name),
                entry.resource_type,
            ),
            pattern_type: word(
                PatternType::from_code(entry.pattern_type).map(PatternType::name),
                entry.pattern_type,
            ),
            principal: entry.principal,
            resource_name: entry.resource_name,
            host: entry.host,
        }
    }
}
