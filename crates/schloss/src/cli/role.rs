//! `schloss role`.

use anyhow::bail;
use clap::{Args, Subcommand};
use schloss_metadata::security::{SecurityAnswer, SecurityChange, SecurityQuestion};
use schloss_policy::{BUILT_IN, Binding, BuiltIn, Grants, Operation, ResourceType, Roles, grants_of};
use schloss_wire::Principal;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::ClientFile;
use super::confirm::confirm;
use super::exit::UsageError;
use super::network::with_cluster;
use super::output::{self, Format};
use super::resource::{Pattern, Resource};
use super::security::{ask, change, print_steps, unexpected};
use super::time_words::parse_end;

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List roles, built-in ones and those that were made
    #[command(after_help = "Example:
  schloss role list --client admin.properties")]
    List {
        #[command(flatten)]
        client: ClientFile,
    },
    /// Show what a role allows, and who has it
    #[command(after_help = "Example:
  schloss role describe DeveloperRead --client admin.properties")]
    Describe {
        /// The role's name
        role: String,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Make a role of your own, or change what it allows
    #[command(after_help = CREATE_EXAMPLES)]
    Create {
        /// The role's name
        role: String,
        /// What it allows: topic=read,describe or group=read; may be given several times
        #[arg(long = "allow", value_name = "TYPE=OPERATIONS", required = true, value_parser = parse_grant)]
        grants: Vec<(ResourceType, Vec<Operation>)>,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Remove a role of your own that nobody has
    #[command(after_help = "Example:
  schloss role delete auditor --yes --client admin.properties")]
    Delete {
        /// The role's name
        role: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Give a role to a user or group
    #[command(after_help = BIND_EXAMPLES)]
    Bind {
        #[command(flatten)]
        held: Held,
        /// When it ends: a time (2026-12-31T00:00:00Z), or how long it lasts (8h, 30d) [default: never]
        #[arg(long, value_name = "TIME", value_parser = parse_end)]
        until: Option<OffsetDateTime>,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Take a role from a user or group
    #[command(after_help = "Example:
  schloss role unbind DeveloperRead --principal Group:platform --topic orders --yes --client admin.properties")]
    Unbind {
        #[command(flatten)]
        held: Held,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

const CREATE_EXAMPLES: &str = "Example:
  schloss role create auditor --allow topic=describe,describe-configs --allow group=describe \\
      --client admin.properties";

const BIND_EXAMPLES: &str = "Examples:
  schloss role bind DeveloperRead --principal Group:platform --topic orders --client admin.properties
  schloss role bind ResourceOwner --principal User:alice --topic team-a. --pattern prefixed --client admin.properties
  schloss role bind Operator --principal User:bob --cluster --until 8h --client admin.properties

With --cluster a role holds in the whole cluster, for everything in it. A denying ACL beats every role.";

/// Which role, whose, on what.
#[derive(Args)]
struct Held {
    /// The role's name
    role: String,
    /// Whose: User:alice or Group:platform
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Principal,
    #[command(flatten)]
    resource: Resource,
    /// How the name is meant
    #[arg(long, value_enum, default_value_t = Pattern::Literal)]
    pattern: Pattern,
}

impl Held {
    fn binding(self, expires: Option<OffsetDateTime>) -> Result<Binding, UsageError> {
        let (resource_type, name) = self.resource.one()?;
        let on = (resource_type != ResourceType::Cluster).then(|| schloss_policy::Pattern {
            resource_type,
            pattern_type: self.pattern.into(),
            resource_name: name.to_owned(),
        });
        Ok(Binding { role: self.role, principal: self.principal, resource: on, expires })
    }
}

fn parse_grant(text: &str) -> Result<(ResourceType, Vec<Operation>), String> {
    let (kind, operations) =
        text.split_once('=').ok_or("expected TYPE=OPERATIONS, such as topic=read,describe")?;
    let kind = kind.parse::<ResourceType>().map_err(|error| error.to_string())?;
    let operations = operations.split(',').map(|word| word.trim().parse::<Operation>());
    Ok((kind, operations.collect::<Result<_, _>>().map_err(|error| error.to_string())?))
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::List { client } => {
            let (roles, bindings) = known(&client)?;
            list(&roles, &bindings, format)
        }
        Command::Describe { role, client } => {
            let (roles, bindings) = known(&client)?;
            describe(&role, &roles, &bindings, format)
        }
        Command::Create { role, grants, client } => {
            let mut all = Grants::new();
            for (kind, operations) in grants {
                all.entry(kind).or_default().extend(operations);
            }
            alter(&client, SecurityChange::SetRole { role, grants: all }, "it is so already", format)
        }
        Command::Delete { role, yes, client } => {
            confirm(yes, &format!("Role {role} will be removed."))?;
            alter(&client, SecurityChange::DeleteRole { role }, "there is no such role", format)
        }
        Command::Bind { held, until, client } => {
            alter(&client, SecurityChange::Bind(held.binding(until)?), "it is so already", format)
        }
        Command::Unbind { held, yes, client } => {
            let binding = held.binding(None)?;
            confirm(yes, &format!("This will end: {binding}."))?;
            alter(&client, SecurityChange::Unbind(binding), "there is no such binding", format)
        }
    }
}

fn alter(client: &ClientFile, wish: SecurityChange, none: &str, format: Format) -> anyhow::Result<()> {
    with_cluster(client, async |mut cluster| print_steps(&change(&mut cluster, &wish).await?, none, format))
}

fn known(client: &ClientFile) -> anyhow::Result<(Roles, Vec<Binding>)> {
    with_cluster(client, async |mut cluster| match ask(&mut cluster, &SecurityQuestion::Roles).await? {
        SecurityAnswer::Roles { roles, bindings } => Ok((roles, bindings)),
        other => Err(unexpected(&other)),
    })
}

#[derive(Serialize)]
struct Row {
    role: String,
    built_in: bool,
    bindings: usize,
    purpose: String,
}

fn list(roles: &Roles, bindings: &[Binding], format: Format) -> anyhow::Result<()> {
    let held = |name: &str| bindings.iter().filter(|binding| binding.role == name).count();
    let built_in = BUILT_IN.iter().map(|role| (role.name, true, role.purpose.to_owned()));
    let made = roles.iter().map(|(name, grants)| (name.as_str(), false, words(grants)));
    let rows: Vec<Row> = built_in
        .chain(made)
        .map(|(name, built_in, purpose)| Row {
            role: name.to_owned(),
            built_in,
            bindings: held(name),
            purpose,
        })
        .collect();
    output::rows(format, &["role", "bindings", "for"], &rows, |row| {
        vec![row.role.clone(), row.bindings.to_string(), row.purpose.clone()]
    })
}

fn describe(role: &str, roles: &Roles, bindings: &[Binding], format: Format) -> anyhow::Result<()> {
    let Some(grants) = grants_of(role, roles) else {
        bail!("there is no role {role}: 'schloss role list' shows which there are");
    };
    let held: Vec<&Binding> = bindings.iter().filter(|binding| binding.role == role).collect();
    let mut lines: Vec<String> =
        BuiltIn::named(role).into_iter().map(|role| role.purpose.to_owned()).collect();
    lines.extend(grants.iter().map(|(kind, operations)| format!("{kind}: {}", names(operations))));
    lines.extend(held.iter().map(|binding| format!("bound: {binding}")));
    output::value(format, &json!({ "role": role, "grants": grants, "bindings": held }), &lines.join("\n"))
}

fn words(grants: &Grants) -> String {
    let each = grants.iter().map(|(kind, operations)| format!("{kind}: {}", names(operations)));
    each.collect::<Vec<_>>().join("; ")
}

fn names<'a>(operations: impl IntoIterator<Item = &'a Operation>) -> String {
    operations.into_iter().map(|operation| operation.name()).collect::<Vec<_>>().join(", ")
}
