//! Produce: checks batches, appends them in the order they come, and answers when they are as safe as asked.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_log::LogError;
use schloss_metadata::{Refusal, TopicMeta};
use schloss_wire::messages::ProduceRequest;
use schloss_wire::messages::produce_response::{
    PartitionProduceResponse, ProduceResponse, TopicProduceResponse,
};
use schloss_wire::records::BatchHeader;
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};
use tokio::time::Instant;

use crate::broker::Broker;
use crate::incoming::check_incoming;
use crate::log_errors::code_of;
use crate::partition::WriteError;
use crate::producers::{ProducerError, TransactionVersion};
use crate::reply::{now_ms, ready, refusal, text};
use crate::settings::TopicSettings;
use crate::transactions::{Claimant, Place};

/// KIP-890: from here on a batch makes its partition part of the transaction.
const TRANSACTIONS_V2_SINCE_VERSION: i16 = 12;
/// KIP-890: from here on clients understand that a transaction can only be aborted.
const ABORTABLE_SINCE_VERSION: i16 = 11;

/// What the producer waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Acks {
    /// `acks=0`: no answer at all.
    Nothing,
    /// `acks=1`: the batch has its place in the log.
    Leader,
    /// `acks=all`: the batch is on disk.
    All,
}

impl Acks {
    const fn from_wire(acks: i16) -> Option<Self> {
        match acks {
            0 => Some(Self::Nothing),
            1 => Some(Self::Leader),
            -1 => Some(Self::All),
            _ => None,
        }
    }
}

/// Appends before it returns; the future only waits for the disk.
pub(crate) fn call(broker: &Broker, caller: Caller, request: ProduceRequest) -> BoxFuture<'static, Outcome> {
    let version = caller.api_version;
    let Some(acks) = Acks::from_wire(request.acks) else {
        return ready(refused(request, ErrorCode::InvalidRequiredAcks, "acks must be 0, 1 or all"));
    };
    let timeout = Duration::from_millis(u64::try_from(request.timeout_ms).unwrap_or(0));
    let snapshot = broker.metadata.snapshot();
    let writer =
        Writer { broker, transactional_id: request.transactional_id, version, acks, now_ms: now_ms() };
    let mut response = ProduceResponse::default();
    let mut flushes = Vec::new();
    let mut failed = false;
    for (topic_index, data) in request.topic_data.into_iter().enumerate() {
        let by_id = !data.topic_id.is_zero();
        let topic =
            if by_id { snapshot.topic_by_id(data.topic_id) } else { snapshot.topic(data.name.as_str()) };
        let missing = if by_id { ErrorCode::UnknownTopicId } else { ErrorCode::UnknownTopicOrPartition };
        let mut partition_responses = Vec::with_capacity(data.partition_data.len());
        for (partition_index, part) in data.partition_data.into_iter().enumerate() {
            let outcome = topic
                .ok_or_else(|| refusal(missing, "the topic does not exist"))
                .and_then(|topic| writer.write(topic, part.index, part.records));
            partition_responses.push(match outcome {
                Ok((answer, flush)) => {
                    flushes.extend(flush.map(|flush| (topic_index, partition_index, flush)));
                    answer
                }
                Err(refusal) => {
                    failed = true;
                    error(part.index, refusal.code, Some(&refusal.message))
                }
            });
        }
        let topic =
            build!(TopicProduceResponse { name: data.name, topic_id: data.topic_id, partition_responses });
        response.responses.push(topic);
    }
    match acks {
        Acks::Nothing if failed => std::future::ready(Outcome::Close).boxed(),
        Acks::Nothing => std::future::ready(Outcome::NoReply).boxed(),
        Acks::Leader | Acks::All if flushes.is_empty() => ready(response),
        Acks::Leader | Acks::All => {
            let deadline = Instant::now() + timeout;
            async move {
                for (topic, partition, flush) in flushes {
                    let flushed = tokio::time::timeout_at(deadline, flush).await;
                    let place = response.responses.get_mut(topic);
                    let place = place.and_then(|topic| topic.partition_responses.get_mut(partition));
                    if let (Some(place), Some(refusal)) = (place, not_flushed(flushed)) {
                        *place = error(place.index, refusal.code, Some(&refusal.message));
                    }
                }
                Outcome::Reply(response.into())
            }
            .boxed()
        }
    }
}

/// What all partitions of a request have in common.
struct Writer<'a> {
    broker: &'a Broker,
    transactional_id: Option<StrBytes>,
    version: i16,
    acks: Acks,
    /// In milliseconds since the epoch.
    now_ms: i64,
}

impl Writer<'_> {
    /// Appends one partition's records; returns the answer and, for `acks=all`, what to wait for before it.
    fn write(
        &self,
        topic: &TopicMeta,
        index: i32,
        records: Option<Bytes>,
    ) -> Result<(PartitionProduceResponse, Option<impl Future<Output = Result<(), LogError>> + use<>>), Refusal>
    {
        let partition = self
            .broker
            .partitions
            .get(topic.id, index)
            .map_err(|code| refusal(code, "the partition does not exist or its log can't be used"))?;
        let settings = TopicSettings::new(&topic.configs, &self.broker.config);
        if self.acks == Acks::All && settings.min_in_sync_replicas() > 1 {
            let message = "min.insync.replicas of the topic asks for more replicas than the one there is";
            return Err(refusal(ErrorCode::NotEnoughReplicas, message));
        }
        let (header, batch) = check_incoming(records, self.version, &settings, self.now_ms)?;
        let enrol = || self.enrol(&header, (topic.id, index));
        let written = partition
            .append(header, batch, self.now_ms, self.transaction_version(), enrol)
            .map_err(not_written)?;
        let flush = (self.acks == Acks::All).then(|| partition.log.wait_flushed(written.last_offset + 1));
        let answer = build!(PartitionProduceResponse {
            index,
            base_offset: written.base_offset,
            log_append_time_ms: written.log_append_time,
            log_start_offset: partition.log.start_offset(),
        });
        Ok((answer, flush))
    }

    const fn transaction_version(&self) -> TransactionVersion {
        if self.version >= TRANSACTIONS_V2_SINCE_VERSION {
            TransactionVersion::V2
        } else {
            TransactionVersion::V1
        }
    }

    /// Makes the partition part of the producer's transaction, or, for older clients, sees that it is.
    fn enrol(&self, header: &BatchHeader, partition: (Uuid, i32)) -> Result<(), ErrorCode> {
        let producer = Claimant {
            transactional_id: self.transactional_id.as_deref().unwrap_or_default(),
            producer_id: header.producer_id,
            epoch: header.producer_epoch,
        };
        let transactions = &self.broker.transactions;
        let enrolled = match self.transaction_version() {
            // The batch itself says that the partition takes part, so nobody has to wait for the ticket: what a
            // crash takes back of the coordinator's journal is found again in the partition.
            TransactionVersion::V2 => transactions.add(producer, &[partition], &[]).map(|_| ()),
            TransactionVersion::V1 => {
                transactions.verify(producer, &Place::Partition(partition.0, partition.1))
            }
        };
        enrolled.map_err(|code| self.in_version(code))
    }

    /// What clients of this version understand.
    const fn in_version(&self, code: ErrorCode) -> ErrorCode {
        let v2 = self.version >= TRANSACTIONS_V2_SINCE_VERSION;
        match code {
            ErrorCode::ProducerFenced => ErrorCode::InvalidProducerEpoch,
            ErrorCode::TransactionAbortable if self.version < ABORTABLE_SINCE_VERSION => {
                ErrorCode::InvalidTxnState
            }
            // Retried by every client, and without asking for metadata first.
            ErrorCode::CoordinatorNotAvailable => ErrorCode::NotEnoughReplicas,
            ErrorCode::ConcurrentTransactions if !v2 => ErrorCode::NotEnoughReplicas,
            code => code,
        }
    }
}

fn not_written(error: WriteError) -> Refusal {
    match error {
        WriteError::Producer(error) => {
            let code = match error {
                ProducerError::StaleEpoch { .. } => ErrorCode::InvalidProducerEpoch,
                ProducerError::OutsideTransaction { .. } => ErrorCode::InvalidTxnState,
                ProducerError::StaleCoordinator { .. } => ErrorCode::TransactionCoordinatorFenced,
                ProducerError::NewEpochNotFromZero { .. } | ProducerError::OutOfOrder { .. } => {
                    ErrorCode::OutOfOrderSequenceNumber
                }
            };
            refusal(code, error)
        }
        WriteError::Transaction(code) => {
            refusal(code, "the partition is not part of an open transaction of this producer")
        }
        WriteError::Log(error) => not_stored(&error),
    }
}

fn not_stored(error: &LogError) -> Refusal {
    let code = code_of(error);
    let message = match code {
        ErrorCode::UnknownTopicOrPartition => "the topic was deleted",
        ErrorCode::RecordListTooLarge => "the record batch is larger than segment.bytes",
        _ => "the partition's log can't be written",
    };
    refusal(code, message)
}

fn not_flushed(flushed: Result<Result<(), LogError>, tokio::time::error::Elapsed>) -> Option<Refusal> {
    match flushed {
        Ok(Ok(())) => None,
        Ok(Err(error)) => Some(not_stored(&error)),
        Err(_) => {
            let message = "the records are written but were not on disk within the request's timeout";
            Some(refusal(ErrorCode::RequestTimedOut, message))
        }
    }
}

fn error(index: i32, code: ErrorCode, message: Option<&str>) -> PartitionProduceResponse {
    build!(PartitionProduceResponse {
        index,
        error_code: code.code(),
        base_offset: -1,
        error_message: message.and_then(text),
    })
}

fn refused(request: ProduceRequest, code: ErrorCode, message: &str) -> ProduceResponse {
    let topic = |data: schloss_wire::messages::produce_request::TopicProduceData| {
        let parts = data.partition_data.iter();
        build!(TopicProduceResponse {
            name: data.name,
            topic_id: data.topic_id,
            partition_responses: parts.map(|part| error(part.index, code, Some(message))).collect(),
        })
    };
    build!(ProduceResponse { responses: request.topic_data.into_iter().map(topic).collect() })
}
