//! `schloss group`.

use anyhow::bail;
use clap::{Args, Subcommand};
use schloss_metadata::security::{SecurityAnswer, SecurityChange, SecurityQuestion};
use schloss_policy::Groups;
use schloss_wire::Principal;
use serde_json::json;

use super::ClientFile;
use super::confirm::confirm;
use super::network::with_cluster;
use super::output::{self, Format};
use super::security::{ask, change, print_steps, unexpected};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List local groups
    #[command(after_help = "Example:
  schloss group list --client admin.properties")]
    List {
        #[command(flatten)]
        client: ClientFile,
    },
    /// Show who is in a group
    #[command(after_help = "Example:
  schloss group describe platform --client admin.properties")]
    Describe {
        /// The group's name, without Group:
        group: String,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Make a group, or add members to one
    #[command(after_help = ADD_EXAMPLES)]
    Add {
        /// The group's name, without Group:
        group: String,
        /// Who becomes a member: User:alice; may be given several times
        #[arg(long = "member", value_name = "PRINCIPAL")]
        members: Vec<Principal>,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Remove members from a group, or the group itself; its ACLs and roles stay
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove {
        /// The group's name, without Group:
        group: String,
        /// Who is a member no more; may be given several times [default: the whole group goes]
        #[arg(long = "member", value_name = "PRINCIPAL")]
        members: Vec<Principal>,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

const ADD_EXAMPLES: &str = "Examples:
  schloss group add platform --member User:alice --member User:bob --client admin.properties
  schloss acl add --allow-principal Group:platform --operation read --topic orders --client admin.properties

A change is in force with the next request of every open connection.";

const REMOVE_EXAMPLES: &str = "Examples:
  schloss group remove platform --member User:bob --yes --client admin.properties
  schloss group remove platform --yes --client admin.properties";

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::List { client } => {
            let groups = groups(&client)?;
            if groups.is_empty() && format == Format::Table {
                return output::line("there is no group");
            }
            if format == Format::Json {
                return output::json(&groups);
            }
            let rows: Vec<(String, usize)> =
                groups.into_iter().map(|(name, members)| (name, members.len())).collect();
            output::rows(format, &["group", "members"], &rows, |(name, members)| {
                vec![name.clone(), members.to_string()]
            })
        }
        Command::Describe { group, client } => {
            let Some(members) = groups(&client)?.remove(&group) else {
                bail!("there is no group {group}: 'schloss group list' shows which there are");
            };
            let text = members.iter().map(Principal::to_string).collect::<Vec<_>>().join("\n");
            let text = if text.is_empty() { "nobody is in it".to_owned() } else { text };
            output::value(format, &json!({ "group": group, "members": members }), &text)
        }
        Command::Add { group, members, client } => {
            let wish = SecurityChange::AddToGroup { group, members: members.into_iter().collect() };
            with_cluster(&client, async |mut cluster| {
                print_steps(&change(&mut cluster, &wish).await?, "all of them are members already", format)
            })
        }
        Command::Remove { group, members, yes, client } => {
            let wish = if members.is_empty() {
                confirm(yes, &format!("Group {group} will be removed; what its ACLs and roles allow goes."))?;
                SecurityChange::DeleteGroup { group }
            } else {
                confirm(yes, &format!("Members of group {group} will lose what it allows."))?;
                SecurityChange::RemoveFromGroup { group, members: members.into_iter().collect() }
            };
            with_cluster(&client, async |mut cluster| {
                print_steps(&change(&mut cluster, &wish).await?, "none of them is a member", format)
            })
        }
    }
}

fn groups(client: &ClientFile) -> anyhow::Result<Groups> {
    with_cluster(client, async |mut cluster| match ask(&mut cluster, &SecurityQuestion::Groups).await? {
        SecurityAnswer::Groups(groups) => Ok(groups),
        other => Err(unexpected(&other)),
    })
}
