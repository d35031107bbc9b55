//! The first topic, made by the first administrator.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, bail};
use schloss_client::{ClientConfig, Connection};
use schloss_wire::messages::CreateTopicsRequest;
use schloss_wire::messages::create_topics_request::CreatableTopic;
use schloss_wire::{ErrorCode, build};

use super::setup::{ADMIN, TOPIC};

const PARTITIONS: i32 = 3;
const TIMEOUT_MS: i32 = 10_000;

/// Asks the broker at `address` for the topic, with the client file of the administrator.
///
/// # Errors
/// The file does not work, or the broker refused.
pub(super) async fn make(root: &Path, address: SocketAddr) -> anyhow::Result<()> {
    let config = ClientConfig::from_file(root.join(format!("clients/{ADMIN}.properties")))?;
    let mut connection = Connection::connect(&config, &address.to_string()).await?;
    let topic =
        build!(CreatableTopic { name: TOPIC.into(), num_partitions: PARTITIONS, replication_factor: -1 });
    let request = build!(CreateTopicsRequest { topics: vec![topic], timeout_ms: TIMEOUT_MS });
    let response = connection.call(&request).await?;
    let result = response.topics.first().context("the answer holds no topic")?;
    match ErrorCode::from_code(result.error_code) {
        // A start that was cut off may have come as far as this.
        Some(ErrorCode::None | ErrorCode::TopicAlreadyExists) => Ok(()),
        _ => bail!("topic {TOPIC} can't be made: {}", ErrorCode::describe(result.error_code)),
    }
}
