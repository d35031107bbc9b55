//! `schloss quota`, in the words of `kafka-configs`.

use std::collections::BTreeMap;

use clap::{Args, Subcommand};
use schloss_client::QuotaEntity;
use serde::Serialize;
use serde_json::json;

use super::ClientFile;
use super::confirm::confirm;
use super::exit::UsageError;
use super::network::with_cluster;
use super::output::{self, Format};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List quotas: all of them, or those for whom they are set
    #[command(after_help = LIST_EXAMPLES)]
    List {
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Set quotas of a user, a client id, both, or an address
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// Which and how much, such as producer_byte_rate=1048576
        #[arg(value_name = "QUOTA=VALUE", required = true, value_parser = assignment)]
        quotas: Vec<(String, f64)>,
        #[command(flatten)]
        whom: Whom,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Remove quotas of a user, a client id, both, or an address
    #[command(after_help = REMOVE_EXAMPLES)]
    Remove {
        /// Which [default: all of them]
        #[arg(value_name = "QUOTA")]
        quotas: Vec<String>,
        #[command(flatten)]
        whom: Whom,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

const LIST_EXAMPLES: &str = "Examples:
  schloss quota list --client admin.properties
  schloss quota list --user alice --output json --client admin.properties
  schloss quota list --default-user --client admin.properties";

const SET_EXAMPLES: &str = "Examples:
  schloss quota set --user alice producer_byte_rate=1048576 consumer_byte_rate=2097152 --client admin.properties
  schloss quota set --default-user request_percentage=50 --client admin.properties
  schloss quota set --user alice --client-id loader controller_mutation_rate=5 --client admin.properties
  schloss quota set --default-ip connection_creation_rate=20 --client admin.properties

Bytes, partitions and connections are a second's; request_percentage is of one thread. The most special quota holds:
user and client id before user before client id, each by name before its default.";

const REMOVE_EXAMPLES: &str = "Examples:
  schloss quota remove --user alice producer_byte_rate --yes --client admin.properties
  schloss quota remove --default-ip --yes --client admin.properties";

/// For whom.
#[derive(Args)]
struct Whom {
    /// A user, without User:
    #[arg(long, value_name = "NAME", conflicts_with_all = ["default_user", "ip", "default_ip"])]
    user: Option<String>,
    /// Each user that has no quota by name
    #[arg(long, conflicts_with_all = ["ip", "default_ip"])]
    default_user: bool,
    /// Clients that call themselves so
    #[arg(long, value_name = "ID", conflicts_with_all = ["default_client_id", "ip", "default_ip"])]
    client_id: Option<String>,
    /// Each client id that has no quota by name
    #[arg(long, conflicts_with_all = ["ip", "default_ip"])]
    default_client_id: bool,
    /// An address
    #[arg(long, value_name = "ADDRESS", conflicts_with = "default_ip")]
    ip: Option<String>,
    /// Each address that has no quota by name
    #[arg(long)]
    default_ip: bool,
}

impl Whom {
    fn entity(self) -> QuotaEntity {
        let parts = [
            ("user", self.user, self.default_user),
            ("client-id", self.client_id, self.default_client_id),
            ("ip", self.ip, self.default_ip),
        ];
        let named = parts.into_iter().filter(|(_, name, default)| name.is_some() || *default);
        named.map(|(kind, name, _)| (kind.to_owned(), name)).collect()
    }

    fn one(self) -> Result<QuotaEntity, UsageError> {
        let entity = self.entity();
        if entity.is_empty() {
            let message = "say for whom, such as --user alice, --default-client-id or --ip 10.0.0.7";
            return Err(UsageError(message.to_owned()));
        }
        Ok(entity)
    }
}

fn assignment(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected QUOTA=VALUE")?;
    let value = value.parse().map_err(|_| format!("'{value}' is not a number"))?;
    Ok((name.to_owned(), value))
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::List { whom, client } => with_cluster(&client, async |mut cluster| {
            let entries = cluster.describe_quotas(&whom.entity()).await?;
            let rows: Vec<Row> = entries.into_iter().flat_map(Row::of).collect();
            if rows.is_empty() && format == Format::Table {
                return output::line("no quota is set");
            }
            output::rows(format, &["for", "quota", "value"], &rows, |row| {
                vec![row.shown.clone(), row.quota.clone(), row.value.to_string()]
            })
        }),
        Command::Set { quotas, whom, client } => {
            let entity = whom.one()?;
            let changes: Vec<_> = quotas.into_iter().map(|(name, value)| (name, Some(value))).collect();
            with_cluster(&client, async |mut cluster| {
                cluster.alter_quotas(&entity, &changes).await?;
                let text = format!("set {} quota(s) of {}", changes.len(), shown(&entity));
                output::value(format, &json!({ "set": changes.len() }), &text)
            })
        }
        Command::Remove { quotas, whom, yes, client } => {
            let entity = whom.one()?;
            confirm(yes, &format!("Quotas of {} will be removed.", shown(&entity)))?;
            with_cluster(&client, async |mut cluster| {
                let found = cluster.describe_quotas(&entity).await?;
                let there = found.into_iter().filter(|entry| entry.entity == entity);
                let there = there.flat_map(|entry| entry.quotas).map(|(name, _)| name);
                let gone: Vec<_> = there
                    .filter(|name| quotas.is_empty() || quotas.contains(name))
                    .map(|name| (name, None))
                    .collect();
                if !gone.is_empty() {
                    cluster.alter_quotas(&entity, &gone).await?;
                }
                let text = format!("removed {} quota(s) of {}", gone.len(), shown(&entity));
                output::value(format, &json!({ "removed": gone.len() }), &text)
            })
        }
    }
}

#[derive(Serialize)]
struct Row {
    /// Names by type; none is the default.
    entity: BTreeMap<String, Option<String>>,
    quota: String,
    value: f64,
    #[serde(skip)]
    shown: String,
}

impl Row {
    fn of(entry: schloss_client::QuotaEntry) -> impl Iterator<Item = Self> {
        let shown = shown(&entry.entity);
        let entity: BTreeMap<_, _> = entry.entity.into_iter().collect();
        let row = move |(quota, value)| Self { entity: entity.clone(), quota, value, shown: shown.clone() };
        entry.quotas.into_iter().map(row)
    }
}

fn shown(entity: &QuotaEntity) -> String {
    let parts: Vec<String> = entity
        .iter()
        .map(|(kind, name)| format!("{kind} {}", name.as_deref().unwrap_or("<default>")))
        .collect();
    parts.join(", ")
}
