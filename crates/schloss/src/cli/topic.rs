//! `schloss topic`.

use std::collections::BTreeMap;

use anyhow::Context;
use clap::{Args, Subcommand};
use schloss_client::{Cluster, NewTopic};
use serde::Serialize;
use serde_json::json;

use super::ClientFile;
use super::confirm::confirm;
use super::network::with_cluster;
use super::output::{self, Format};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Create a topic
    #[command(after_help = "Examples:
  schloss topic create orders --partitions 6 --client admin.properties
  schloss topic create audit --config retention.ms=604800000 --client admin.properties")]
    Create {
        /// Its name
        topic: String,
        /// Number of partitions [default: the cluster's]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
        partitions: Option<i32>,
        /// Number of replicas of each [default: the cluster's]
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..))]
        replication: Option<i16>,
        /// A setting of the topic, such as retention.ms=60000; may be given several times
        #[arg(long = "config", value_name = "KEY=VALUE", value_parser = key_value)]
        configs: Vec<(String, String)>,
        #[command(flatten)]
        client: ClientFile,
    },
    /// List the topics that one may see
    #[command(after_help = "Example:
  schloss topic list --client admin.properties")]
    List {
        #[command(flatten)]
        client: ClientFile,
    },
    /// Show a topic, its partitions and its settings
    #[command(after_help = "Example:
  schloss topic describe orders --client admin.properties")]
    Describe {
        /// Its name
        topic: String,
        #[command(flatten)]
        client: ClientFile,
    },
    /// Delete a topic and its records
    #[command(after_help = "Example:
  schloss topic delete orders --yes --client admin.properties")]
    Delete {
        /// Its name
        topic: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        client: ClientFile,
    },
}

fn key_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE, such as retention.ms=60000".to_owned()),
    }
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Create { topic, partitions, replication, configs, client } => {
            let new =
                NewTopic { name: topic, partitions, replication, configs: BTreeMap::from_iter(configs) };
            with_cluster(&client, async |mut cluster| {
                cluster.create_topic(&new).await?;
                output::value(format, &json!({ "created": new.name }), &format!("created topic {}", new.name))
            })
        }
        Command::List { client } => with_cluster(&client, async |cluster| list(cluster, format).await),
        Command::Describe { topic, client } => {
            with_cluster(&client, async |cluster| describe(cluster, &topic, format).await)
        }
        Command::Delete { topic, yes, client } => {
            confirm(yes, &format!("Topic {topic} and all its records will be gone."))?;
            with_cluster(&client, async |mut cluster| {
                cluster.delete_topic(&topic).await?;
                output::value(format, &json!({ "deleted": topic }), &format!("deleted topic {topic}"))
            })
        }
    }
}

#[derive(Serialize)]
struct Row {
    name: String,
    partitions: usize,
    replication: usize,
}

async fn list(mut cluster: Cluster, format: Format) -> anyhow::Result<()> {
    let rows: Vec<Row> = cluster
        .list_topics()
        .await?
        .into_iter()
        .map(|topic| Row {
            partitions: topic.partitions.len(),
            replication: topic.partitions.first().map_or(0, |partition| partition.replicas.len()),
            name: topic.name,
        })
        .collect();
    output::rows(format, &["topic", "partitions", "replication"], &rows, |row| {
        vec![row.name.clone(), row.partitions.to_string(), row.replication.to_string()]
    })
}

async fn describe(mut cluster: Cluster, name: &str, format: Format) -> anyhow::Result<()> {
    let topic = cluster.fresh_topic(name).await?;
    // Seeing a topic does not imply seeing its settings, and is useful without.
    let configs = cluster.describe_topic_configs(name).await;
    let own: BTreeMap<_, _> = configs
        .iter()
        .flatten()
        .filter(|entry| entry.own)
        .map(|entry| (entry.name.clone(), entry.value.clone()))
        .collect();
    if format == Format::Json {
        let partitions: Vec<_> = topic
            .partitions
            .iter()
            .map(|partition| {
                json!({
                    "partition": partition.index,
                    "leader": partition.leader,
                    "replicas": partition.replicas,
                })
            })
            .collect();
        let error = configs.err().map(|error| error.to_string());
        return output::json(&json!({
            "name": topic.name,
            "partitions": partitions,
            "configs": own,
            "configs_error": error,
        }));
    }
    output::line(&format!("{name}: {} partition(s)", topic.partitions.len()))?;
    for partition in &topic.partitions {
        let leader = partition.leader.map_or_else(|| "none".to_owned(), |leader| leader.to_string());
        output::line(&format!(
            "  partition {}  leader {leader}  replicas {:?}",
            partition.index, partition.replicas
        ))?;
    }
    for (key, value) in &own {
        output::line(&format!("  {key}={}", value.as_deref().unwrap_or("(hidden)")))?;
    }
    configs
        .map(drop)
        .context("the settings can't be shown")
        .or_else(|error| output::line(&format!("  {error:#}")))
}
