//! `schloss consume`.

use std::io::Write;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use schloss_client::{Cluster, ConsumedRecord, Consumer, ConsumerOptions, StartAt};
use serde_json::{Value, json};

use super::ClientFile;
use super::network::with_cluster;
use super::output::Format;

#[derive(Args)]
#[command(after_help = "Examples:
  schloss consume orders --from-beginning --max-messages 10 --client orders-consumer.properties
  schloss consume orders --group orders-app --output json --client orders-consumer.properties")]
pub(crate) struct Arguments {
    /// The topic
    topic: String,
    /// Begin with the first record instead of the next one
    #[arg(long)]
    from_beginning: bool,
    /// Share the partitions with the other members of this group, and go on where it stopped
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
    /// Stop after so many records
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    max_messages: Option<u64>,
    /// Stop when nothing came for so long, in milliseconds
    #[arg(long, value_name = "MS")]
    timeout_ms: Option<u64>,
    /// Print keys before values
    #[arg(long)]
    print_key: bool,
    #[command(flatten)]
    client: ClientFile,
}

pub(super) fn run(arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    with_cluster(&arguments.client, async |cluster| consume(cluster, arguments, format).await)
}

const POLL: Duration = Duration::from_millis(500);
const MAX_POLL_RECORDS: usize = 500;

async fn consume(cluster: Cluster, arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    let options = ConsumerOptions {
        start: if arguments.from_beginning { StartAt::Beginning } else { StartAt::End },
        // What was printed is committed, nothing else: the loop below does it.
        auto_commit: None,
        ..ConsumerOptions::default()
    };
    let topics = [arguments.topic.clone()];
    let mut consumer = match &arguments.group {
        Some(group) => Consumer::subscribe(cluster, group, &topics, options).await?,
        None => Consumer::assign(cluster, &topics, options).await?,
    };
    let result = tokio::select! {
        result = read(&mut consumer, arguments, format) => result,
        _ = tokio::signal::ctrl_c() => Ok(()),
    };
    // The group learns at once that this member is gone, also after an error.
    let closed = consumer.close().await;
    result?;
    Ok(closed?)
}

async fn read(consumer: &mut Consumer, arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    let mut left = arguments.max_messages.unwrap_or(u64::MAX);
    let mut idle = Duration::ZERO;
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(MAX_POLL_RECORDS).min(MAX_POLL_RECORDS);
        let records = consumer.poll(POLL, most).await?;
        if records.is_empty() {
            idle += POLL;
            if arguments.timeout_ms.is_some_and(|limit| idle >= Duration::from_millis(limit)) {
                return Ok(());
            }
            continue;
        }
        idle = Duration::ZERO;
        left = left.saturating_sub(records.len() as u64);
        print(&records, arguments, format)?;
        if arguments.group.is_some() {
            consumer.commit().await?;
        }
    }
    Ok(())
}

fn print(records: &[ConsumedRecord], arguments: &Arguments, format: Format) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for record in records {
        match format {
            Format::Json => writeln!(out, "{}", as_json(record))?,
            Format::Table => {
                if arguments.print_key {
                    out.write_all(record.key.as_deref().unwrap_or(b"null"))?;
                    out.write_all(b"\t")?;
                }
                out.write_all(record.value.as_deref().unwrap_or(b"null"))?;
                out.write_all(b"\n")?;
            }
        }
    }
    out.flush()?;
    Ok(())
}

fn as_json(record: &ConsumedRecord) -> Value {
    let headers: Vec<Value> = record
        .headers
        .iter()
        .map(|(key, value)| json!({ "key": key, "value": text(value.as_deref()) }))
        .collect();
    json!({
        "topic": &*record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": text(record.key.as_deref()),
        "value": text(record.value.as_deref()),
        "headers": headers,
    })
}

/// Text as it is; bytes that are no text as `{"base64": ...}`, so that nothing is lost.
fn text(bytes: Option<&[u8]>) -> Value {
    match bytes.map(|bytes| (bytes, std::str::from_utf8(bytes))) {
        None => Value::Null,
        Some((_, Ok(text))) => text.into(),
        Some((bytes, Err(_))) => json!({ "base64": BASE64_STANDARD.encode(bytes) }),
    }
}
