//! One fetch from one broker, as a task of its own that brings its connection back.

use std::sync::Arc;
use std::time::Duration;

use schloss_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use schloss_wire::messages::{FetchRequest, FetchResponse};
use schloss_wire::{StrBytes, build};

use super::decode::{Decoded, decode};
use super::record::ConsumerOptions;
use crate::config::ClientConfig;
use crate::connection::Connection;
use crate::error::ClientError;

/// Version 13 names topics by id alone; names work everywhere.
const FETCH_CEILING: i16 = 12;
/// A fetch outside of a fetch session (KIP-227).
const NO_SESSION_EPOCH: i32 = -1;

/// A partition to fetch, with the offset to begin at.
#[derive(Clone)]
pub(super) struct Wanted {
    pub(super) topic: Arc<str>,
    pub(super) index: i32,
    pub(super) from: i64,
}

/// What came back for one partition: records, or the broker's error code.
pub(super) struct Fetched {
    pub(super) wanted: Wanted,
    pub(super) outcome: Result<Decoded, i16>,
}

/// What came back from one broker.
pub(super) struct Landed {
    pub(super) node: i32,
    /// Of which assignment this is; an older one is of no use any more.
    pub(super) epoch: u64,
    pub(super) connection: Option<Connection>,
    pub(super) result: Result<Vec<Fetched>, ClientError>,
}

pub(super) struct Fetch {
    pub(super) node: i32,
    pub(super) address: String,
    pub(super) epoch: u64,
    pub(super) connection: Option<Connection>,
    pub(super) config: Arc<ClientConfig>,
    pub(super) options: ConsumerOptions,
    pub(super) wanted: Vec<Wanted>,
}

impl Fetch {
    pub(super) async fn run(mut self) -> Landed {
        let result = self.exchange().await;
        let connection = self.connection.take().filter(|connection| !connection.is_spent());
        Landed { node: self.node, epoch: self.epoch, connection, result }
    }

    async fn exchange(&mut self) -> Result<Vec<Fetched>, ClientError> {
        if self.connection.as_ref().is_none_or(Connection::is_spent) {
            self.connection = Some(Connection::connect(&self.config, &self.address).await?);
        }
        let Some(connection) = &mut self.connection else { return Ok(Vec::new()) };
        let version = connection.version::<FetchRequest>(FETCH_CEILING)?;
        let within: Duration = self.config.request_timeout + self.options.fetch_wait;
        let request = request(&self.wanted, &self.options);
        let response = connection.call_within(&request, version, within).await?;
        self.sort(response)
    }

    fn sort(&self, response: FetchResponse) -> Result<Vec<Fetched>, ClientError> {
        if response.error_code != 0 {
            return Err(ClientError::Broker {
                code: response.error_code,
                doing: format!("fetching from {}", self.address),
                message: None,
            });
        }
        let mut fetched = Vec::new();
        for topic in response.responses {
            for partition in topic.partitions {
                let index = partition.partition_index;
                let wanted = self
                    .wanted
                    .iter()
                    .find(|wanted| wanted.index == index && &*wanted.topic == topic.topic.as_str());
                let Some(wanted) = wanted else { continue };
                let outcome = if partition.error_code == 0 {
                    let bytes = partition.records.unwrap_or_default();
                    let most = self.options.max_decompressed_bytes;
                    Ok(decode(&wanted.topic, index, bytes, wanted.from, most)?)
                } else {
                    Err(partition.error_code)
                };
                fetched.push(Fetched { wanted: wanted.clone(), outcome });
            }
        }
        Ok(fetched)
    }
}

/// The request in the order of `wanted`: partitions of a topic that stand together share an entry.
fn request(wanted: &[Wanted], options: &ConsumerOptions) -> FetchRequest {
    let mut topics: Vec<FetchTopic> = Vec::new();
    for Wanted { topic, index, from } in wanted {
        let partition = build!(FetchPartition {
            partition: *index,
            fetch_offset: *from,
            partition_max_bytes: options.partition_max_bytes,
        });
        match topics.last_mut() {
            Some(last) if last.topic.as_str() == &**topic => last.partitions.push(partition),
            _ => topics
                .push(build!(FetchTopic { topic: StrBytes::from(&**topic), partitions: vec![partition] })),
        }
    }
    build!(FetchRequest {
        max_wait_ms: i32::try_from(options.fetch_wait.as_millis()).unwrap_or(i32::MAX),
        min_bytes: 1,
        max_bytes: options.fetch_max_bytes,
        session_epoch: NO_SESSION_EPOCH,
        topics,
    })
}
