//! `schloss produce`.

use std::io::IsTerminal;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use schloss_client::{Cluster, Compression, DeliveryReport, Producer, ProducerOptions, ProducerRecord};
use serde_json::json;
use tokio::io::{AsyncBufReadExt, BufReader};

use super::ClientFile;
use super::exit::UsageError;
use super::network::with_cluster;
use super::output::{self, Format};

#[derive(Args)]
#[command(after_help = "Examples:
  echo 'first order' | schloss produce orders --client orders-producer.properties
  schloss produce orders --key-separator : --client orders-producer.properties < orders.txt")]
pub(crate) struct Arguments {
    /// The topic
    topic: String,
    /// What parts key from value in each line; without it a line is a value
    #[arg(long, value_name = "TEXT")]
    key_separator: Option<String>,
    /// Compression of batches
    #[arg(long, value_enum, default_value_t = Codec::None)]
    compression: Codec,
    #[command(flatten)]
    client: ClientFile,
}

#[derive(Clone, Copy, ValueEnum)]
enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl From<Codec> for Compression {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::None => Self::None,
            Codec::Gzip => Self::Gzip,
            Codec::Snappy => Self::Snappy,
            Codec::Lz4 => Self::Lz4,
            Codec::Zstd => Self::Zstd,
        }
    }
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    if arguments.key_separator.as_deref() == Some("") {
        return Err(UsageError("--key-separator is empty".to_owned()).into());
    }
    with_cluster(&arguments.client, async |cluster| {
        let report = produce(cluster, arguments).await?;
        let facts = json!({
            "topic": arguments.topic,
            "delivered": report.delivered,
            "failed": report.failed,
        });
        if let Some(error) = report.error {
            let note = format!("{} record(s) delivered, {} not", report.delivered, report.failed);
            return Err(anyhow::Error::new(error).context(note));
        }
        match format {
            Format::Json => output::json(&facts),
            Format::Table => {
                eprintln!("{} record(s) delivered to {}", report.delivered, arguments.topic);
                Ok(())
            }
        }
    })
}

async fn produce(mut cluster: Cluster, arguments: &Arguments) -> anyhow::Result<DeliveryReport> {
    // Asked for first, so that a topic that is not there or not ours is told before anything is typed.
    cluster.topic(&arguments.topic).await?;
    let options = ProducerOptions { compression: arguments.compression.into(), ..ProducerOptions::default() };
    let mut producer = Producer::new(cluster, options).await?;
    let progress = progress_bar();
    let mut lines = BufReader::new(tokio::io::stdin()).split(b'\n');
    let mut number = 0_u64;
    while let Some(mut line) = lines.next_segment().await? {
        number += 1;
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        let record = record(arguments, line).with_context(|| format!("line {number} of standard input"))?;
        if producer.send(record).await.is_err() {
            // The report says what failed and how much of what went before was delivered.
            break;
        }
        progress.set_position(producer.report().delivered);
    }
    let report = producer.close().await;
    progress.finish_and_clear();
    Ok(report)
}

fn record(arguments: &Arguments, line: Vec<u8>) -> anyhow::Result<ProducerRecord> {
    let Some(separator) = arguments.key_separator.as_deref().map(str::as_bytes) else {
        return Ok(ProducerRecord::new(arguments.topic.clone(), line));
    };
    let at = line
        .windows(separator.len())
        .position(|window| window == separator)
        .ok_or_else(|| anyhow!("has no '{}' to part key from value", String::from_utf8_lossy(separator)))?;
    let value = line[at + separator.len()..].to_vec();
    Ok(ProducerRecord::new(arguments.topic.clone(), value).with_key(line[..at].to_vec()))
}

/// A spinner for people who pipe a file in; nothing for scripts, nor where lines are typed.
fn progress_bar() -> ProgressBar {
    const TICK: Duration = Duration::from_millis(100);
    if std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {human_pos} records delivered, {per_sec}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}
