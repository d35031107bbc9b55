//! Reading the topic from its beginning to its end, and on.

use std::sync::Arc;
use std::time::Duration;

use schloss_client::{ClientError, Connection};
use schloss_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use schloss_wire::messages::fetch_response::PartitionData;
use schloss_wire::messages::{FetchRequest, FetchResponse};
use schloss_wire::{ErrorCode, build};
use thiserror::Error;

use crate::codec::Codec;
use crate::transactions::{Assembler, BadLog, Outcome};
use crate::upstream::{Upstream, broker_error};

/// Version 13 names topics by id alone; names work everywhere.
const FETCH_CEILING: i16 = 12;
/// Most bytes of one fetch.
const FETCH_BYTES: i32 = 8 * 1024 * 1024;
/// A fetch outside of a fetch session (KIP-227).
const NO_SESSION_EPOCH: i32 = -1;
/// `IsolationLevel.READ_COMMITTED` of Kafka.
pub(crate) const READ_COMMITTED: i8 = 1;
/// How long an answer may take, beside the time that the broker waits for records.
const ANSWER: Duration = Duration::from_secs(10);

/// A place in the topic from which it is read on.
pub(crate) struct Tail {
    upstream: Arc<Upstream>,
    codec: Arc<Codec>,
    connection: Option<Connection>,
    assembler: Assembler,
    position: i64,
}

/// What one fetch gave.
pub(crate) struct Piece {
    pub(crate) outcomes: Vec<Outcome>,
    /// The offset to read on from.
    pub(crate) position: i64,
    /// The end of what is decided (last stable offset).
    pub(crate) stable: i64,
    /// The end of what is there (high watermark).
    pub(crate) end: i64,
}

impl Piece {
    /// Whether this is all that there is.
    pub(crate) const fn is_last(&self) -> bool {
        self.position >= self.end
    }

    /// Whether a transaction that is still open hides the rest.
    pub(crate) const fn is_held_up(&self) -> bool {
        self.position >= self.stable && self.stable < self.end
    }
}

#[derive(Debug, Error)]
pub(crate) enum TailError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    BadLog(#[from] BadLog),
    /// The topic begins later or ends earlier than where we are.
    #[error("the topic does not hold offset {0} any more: it was made anew, or records were deleted from it")]
    OutOfRange(i64),
}

impl Tail {
    pub(crate) fn new(upstream: Arc<Upstream>, codec: Arc<Codec>) -> Self {
        Self { upstream, codec, connection: None, assembler: Assembler::default(), position: 0 }
    }

    /// Reads on, and waits up to `wait` for something new. `change` is the number of the last change read.
    pub(crate) async fn fetch(&mut self, change: u64, wait: Duration) -> Result<Piece, TailError> {
        let mut connection = match self.connection.take().filter(|connection| !connection.is_spent()) {
            Some(connection) => connection,
            None => self.upstream.leader().await?,
        };
        let version = connection.version::<FetchRequest>(FETCH_CEILING)?;
        let response = connection.call_within(&self.request(wait), version, wait + ANSWER).await?;
        let doing = || format!("reading topic {}", self.upstream.topic());
        let Some(partition) = only(response)? else {
            return Err(broker_error(ErrorCode::UnknownTopicOrPartition.code(), doing()).into());
        };
        match ErrorCode::from_code(partition.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::OffsetOutOfRange) => return Err(TailError::OutOfRange(self.position)),
            _ => return Err(broker_error(partition.error_code, doing()).into()),
        }
        self.connection = Some(connection);
        let bytes = partition.records.unwrap_or_default();
        let outcomes = self.assembler.read(&self.codec, change, bytes, &mut self.position)?;
        Ok(Piece {
            outcomes,
            position: self.position,
            stable: partition.last_stable_offset,
            end: partition.high_watermark,
        })
    }

    fn request(&self, wait: Duration) -> FetchRequest {
        let partition = build!(FetchPartition {
            partition: 0,
            fetch_offset: self.position,
            partition_max_bytes: FETCH_BYTES,
        });
        let topic = build!(FetchTopic { topic: self.upstream.wire_topic(), partitions: vec![partition] });
        build!(FetchRequest {
            max_wait_ms: i32::try_from(wait.as_millis()).unwrap_or(i32::MAX),
            min_bytes: 1,
            max_bytes: FETCH_BYTES,
            isolation_level: READ_COMMITTED,
            session_epoch: NO_SESSION_EPOCH,
            topics: vec![topic],
        })
    }
}

fn only(response: FetchResponse) -> Result<Option<PartitionData>, ClientError> {
    if response.error_code != 0 {
        return Err(broker_error(response.error_code, "reading the metadata topic".to_owned()));
    }
    Ok(response.responses.into_iter().next().and_then(|topic| topic.partitions.into_iter().next()))
}
