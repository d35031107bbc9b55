//! Writing to the topic, in transactions that fence one another.

use std::sync::Arc;
use std::time::Duration;

use schloss_client::{ClientError, Connection};
use schloss_wire::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use schloss_wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, InitProducerIdRequest, ListOffsetsRequest, ProduceRequest,
};
use schloss_wire::records::{Compression, Record, RecordBatch, RecordEncodeLimits, TimestampType};
use schloss_wire::{ErrorCode, RequestResponsePair, build};
use tokio::time::sleep;

use crate::book::Producer;
use crate::change::size;
use crate::tail::READ_COMMITTED;
use crate::upstream::{Upstream, broker_error};

// The versions before KIP-890's second part, where a client adds partitions itself: every broker since 1.0
// speaks them, and those of 4.x go on to do so.
const INIT_CEILING: i16 = 4;
const ADD_PARTITIONS_CEILING: i16 = 3;
const PRODUCE_CEILING: i16 = 11;
const END_CEILING: i16 = 4;
const LIST_OFFSETS_CEILING: i16 = 7;

/// After how long the coordinator aborts a transaction whose writer is gone and that nobody fences.
const TRANSACTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(8);
/// Most record bytes of one batch; below the default `max.message.bytes` of Kafka.
const BATCH_BYTES: usize = 900_000;
/// The coordinator is done with the transaction before within some milliseconds.
const CONCURRENT_BACKOFF: Duration = Duration::from_millis(10);
const CONCURRENT_ATTEMPTS: u32 = 200;
/// `ListOffsetsRequest.LATEST_TIMESTAMP` of Kafka.
const LATEST: i64 = -1;

/// The connections of the one writer of this process.
pub(crate) struct Writer {
    upstream: Arc<Upstream>,
    coordinator: Option<Connection>,
    leader: Option<Connection>,
}

/// Why records were not written.
pub(crate) enum WriteError {
    /// They were not, and it may go better the next time: we were fenced, or a broker is not ready.
    Lost(String),
    /// They were not, and never will be.
    Refused(ClientError),
    /// The end of the transaction was not confirmed.
    Unknown(String),
}

/// Where the topic ends.
pub(crate) struct End {
    /// The end of what is decided (last stable offset).
    pub(crate) stable: i64,
    /// The end of what is there (high watermark).
    pub(crate) end: i64,
}

impl Writer {
    pub(crate) const fn new(upstream: Arc<Upstream>) -> Self {
        Self { upstream, coordinator: None, leader: None }
    }

    pub(crate) fn topic(&self) -> &str {
        self.upstream.topic()
    }

    /// Takes the pen: from here on no other writer can write, and what they had begun is ended.
    pub(crate) async fn fence(&mut self) -> Result<Producer, ClientError> {
        let request = build!(InitProducerIdRequest {
            transactional_id: Some(self.upstream.wire_topic()),
            transaction_timeout_ms: i32::try_from(TRANSACTION_TIMEOUT.as_millis()).unwrap_or(i32::MAX),
            producer_id: -1,
            producer_epoch: -1,
        });
        for _ in 0..CONCURRENT_ATTEMPTS {
            let response = self.ask_coordinator(&request, INIT_CEILING).await?;
            match ErrorCode::from_code(response.error_code) {
                Some(ErrorCode::None) => return Ok((response.producer_id, response.producer_epoch)),
                Some(ErrorCode::ConcurrentTransactions) => sleep(CONCURRENT_BACKOFF).await,
                _ => return Err(self.failed(response.error_code, "taking the transactional id")),
            }
        }
        Err(self.failed(ErrorCode::RequestTimedOut.code(), "ending the transaction before"))
    }

    /// Where the topic ends now.
    pub(crate) async fn end(&mut self) -> Result<End, ClientError> {
        Ok(End { end: self.offset(0).await?, stable: self.offset(READ_COMMITTED).await? })
    }

    async fn offset(&mut self, isolation_level: i8) -> Result<i64, ClientError> {
        let partition =
            build!(ListOffsetsPartition { partition_index: 0, current_leader_epoch: -1, timestamp: LATEST });
        let topic =
            build!(ListOffsetsTopic { name: self.upstream.wire_topic(), partitions: vec![partition] });
        let request = build!(ListOffsetsRequest { replica_id: -1, isolation_level, topics: vec![topic] });
        let response = self.ask_leader(&request, LIST_OFFSETS_CEILING).await?;
        let found = response.topics.first().and_then(|topic| topic.partitions.first());
        let (code, offset) = found.map_or((ErrorCode::UnknownTopicOrPartition.code(), -1), |partition| {
            (partition.error_code, partition.offset)
        });
        if code != 0 {
            return Err(self.failed(code, "looking for the end"));
        }
        Ok(offset)
    }

    /// Writes records in one transaction.
    pub(crate) async fn write(&mut self, producer: Producer, records: Vec<Record>) -> Result<(), WriteError> {
        self.add_partition(producer).await?;
        let mut sequence = 0;
        for records in batches(records) {
            let count = i32::try_from(records.len()).unwrap_or(i32::MAX);
            self.produce(producer, sequence, records).await?;
            sequence += count;
        }
        self.commit(producer).await
    }

    async fn add_partition(&mut self, (producer_id, producer_epoch): Producer) -> Result<(), WriteError> {
        let topic = build!(AddPartitionsToTxnTopic { name: self.upstream.wire_topic(), partitions: vec![0] });
        let request = build!(AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.upstream.wire_topic(),
            v3_and_below_producer_id: producer_id,
            v3_and_below_producer_epoch: producer_epoch,
            v3_and_below_topics: vec![topic],
        });
        for _ in 0..CONCURRENT_ATTEMPTS {
            let response =
                self.ask_coordinator(&request, ADD_PARTITIONS_CEILING).await.map_err(WriteError::before)?;
            let result = response.results_by_topic_v3_and_below.first();
            let code = result
                .and_then(|topic| topic.results_by_partition.first())
                .map_or(response.error_code, |partition| partition.partition_error_code);
            if code == 0 {
                return Ok(());
            }
            if code != ErrorCode::ConcurrentTransactions.code() {
                return Err(WriteError::before(self.failed(code, "beginning a transaction")));
            }
            sleep(CONCURRENT_BACKOFF).await;
        }
        Err(WriteError::Lost("the transaction before did not end".to_owned()))
    }

    async fn produce(
        &mut self,
        producer: Producer,
        sequence: i32,
        records: Vec<Record>,
    ) -> Result<(), WriteError> {
        let batch = batch(producer, sequence, records);
        let bytes = batch.encode_to_bytes(RecordEncodeLimits::default()).map_err(|error| {
            WriteError::Refused(ClientError::Record(format!("can't encode the change: {error}")))
        })?;
        let partition = build!(PartitionProduceData { index: 0, records: Some(bytes) });
        let topic =
            build!(TopicProduceData { name: self.upstream.wire_topic(), partition_data: vec![partition] });
        let request = build!(ProduceRequest {
            transactional_id: Some(self.upstream.wire_topic()),
            acks: -1,
            timeout_ms: i32::try_from(ANSWER.as_millis()).unwrap_or(i32::MAX),
            topic_data: vec![topic],
        });
        let response = self.ask_leader(&request, PRODUCE_CEILING).await.map_err(WriteError::before)?;
        let found = response.responses.first().and_then(|topic| topic.partition_responses.first());
        match found.map_or(ErrorCode::UnknownServerError.code(), |partition| partition.error_code) {
            0 => Ok(()),
            code => Err(WriteError::before(self.failed(code, "writing a change"))),
        }
    }

    async fn commit(&mut self, (producer_id, producer_epoch): Producer) -> Result<(), WriteError> {
        let request = build!(EndTxnRequest {
            transactional_id: self.upstream.wire_topic(),
            producer_id,
            producer_epoch,
            committed: true,
        });
        let unknown = |error: ClientError| WriteError::Unknown(error.to_string());
        let response = self.ask_coordinator(&request, END_CEILING).await.map_err(unknown)?;
        match response.error_code {
            0 => Ok(()),
            code => Err(unknown(self.failed(code, "committing a change"))),
        }
    }

    async fn ask_coordinator<R: RequestResponsePair>(
        &mut self,
        request: &R,
        ceiling: i16,
    ) -> Result<R::Response, ClientError> {
        let mut connection = match self.coordinator.take().filter(|connection| !connection.is_spent()) {
            Some(connection) => connection,
            None => self.upstream.coordinator().await?,
        };
        let response = ask(&mut connection, request, ceiling).await?;
        self.coordinator = Some(connection);
        Ok(response)
    }

    async fn ask_leader<R: RequestResponsePair>(
        &mut self,
        request: &R,
        ceiling: i16,
    ) -> Result<R::Response, ClientError> {
        let mut connection = match self.leader.take().filter(|connection| !connection.is_spent()) {
            Some(connection) => connection,
            None => self.upstream.leader().await?,
        };
        let response = ask(&mut connection, request, ceiling).await?;
        self.leader = Some(connection);
        Ok(response)
    }

    /// An error of a broker. Whatever it was, the next attempt looks anew for who leads and coordinates.
    fn failed(&mut self, code: i16, doing: &str) -> ClientError {
        (self.coordinator, self.leader) = (None, None);
        broker_error(code, format!("{doing} (topic {})", self.upstream.topic()))
    }
}

impl WriteError {
    /// An error before the end of the transaction: it can't have been committed.
    fn before(error: ClientError) -> Self {
        if is_transient(&error) { Self::Lost(error.to_string()) } else { Self::Refused(error) }
    }
}

/// Whether it may go better the next time, also since somebody else took the pen.
pub(crate) fn is_transient(error: &ClientError) -> bool {
    let fenced = matches!(
        error.code(),
        Some(
            ErrorCode::InvalidProducerEpoch
                | ErrorCode::ProducerFenced
                | ErrorCode::InvalidTxnState
                | ErrorCode::InvalidProducerIdMapping
                | ErrorCode::UnknownProducerId
                | ErrorCode::OutOfOrderSequenceNumber
                | ErrorCode::ConcurrentTransactions
                | ErrorCode::TransactionAbortable
        )
    );
    fenced || error.is_retriable()
}

async fn ask<R: RequestResponsePair>(
    connection: &mut Connection,
    request: &R,
    ceiling: i16,
) -> Result<R::Response, ClientError> {
    let version = connection.version::<R>(ceiling)?;
    connection.call_within(request, version, ANSWER).await
}

/// Records in their order, in lists that each fit into a batch.
fn batches(records: Vec<Record>) -> Vec<Vec<Record>> {
    let mut batches: Vec<Vec<Record>> = Vec::new();
    let mut room = 0;
    for record in records {
        let bytes = size(&record);
        match batches.last_mut() {
            Some(batch) if bytes <= room => batch.push(record),
            _ => {
                batches.push(vec![record]);
                room = BATCH_BYTES;
            }
        }
        room = room.saturating_sub(bytes);
    }
    batches
}

fn batch(
    (producer_id, producer_epoch): Producer,
    base_sequence: i32,
    mut records: Vec<Record>,
) -> RecordBatch {
    for (delta, record) in (0..).zip(&mut records) {
        record.offset_delta = delta;
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
    RecordBatch {
        base_offset: 0,
        last_offset_delta: i32::try_from(records.len()).unwrap_or(i32::MAX) - 1,
        partition_leader_epoch: -1,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: true,
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: now,
        max_timestamp: now,
        producer_id,
        producer_epoch,
        base_sequence,
        records,
    }
}
