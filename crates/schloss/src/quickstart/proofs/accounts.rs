//! Each account can do what it may, and nothing else.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use bytes::Bytes;
use schloss_audit::DecisionFilter;
use schloss_client::{ClientConfig, Connection};
use schloss_wire::messages::{self, fetch_request, produce_request};
use schloss_wire::records::{
    Compression, Record, RecordBatch, RecordDecodeLimits, RecordEncodeLimits, TimestampType,
};
use schloss_wire::{ErrorCode, StrBytes, build};
use time::OffsetDateTime;

use super::super::accounts::{CONSUMER, PRODUCER};
use super::{Bench, Proof, expect, record};

/// How long a topic that was just made may be without a leader, or its leader without knowing of it.
const LEADER_WAIT: Duration = Duration::from_secs(10);
const LEADER_POLL: Duration = Duration::from_millis(50);
/// The last versions that name topics instead of giving their ids.
const NAMED_PRODUCE: i16 = 12;
const NAMED_FETCH: i16 = 12;

/// Runs the proofs, and prints each.
///
/// # Errors
/// The first proof that failed.
pub(in super::super) async fn prove(bench: &Bench<'_>) -> anyhow::Result<()> {
    let (offset, value) = bench.show("a producer with an ACL can write", bench.producer_writes()).await?;
    bench.show("a consumer with an ACL reads it back", bench.consumer_reads(offset, &value)).await?;
    bench.show("the producer is denied reading", bench.producer_is_denied_reading(offset)).await
}

impl Bench<'_> {
    /// A connection to the leader of the topic's first partition.
    async fn leader(&self, account: &str) -> anyhow::Result<Connection> {
        let end = Instant::now() + LEADER_WAIT;
        let mut cluster = self.cluster(account).await?;
        loop {
            let topic = cluster.fresh_topic(&self.place.topic).await?;
            let leader = topic.partitions.first().and_then(|partition| partition.leader);
            let broker = cluster.brokers().into_iter().find(|broker| Some(broker.id) == leader);
            if let Some(broker) = broker {
                let config: ClientConfig = self.client(account)?;
                return Ok(Connection::connect(&config, &broker.address).await?);
            }
            ensure!(Instant::now() < end, "topic {} has no leader", self.place.topic);
            tokio::time::sleep(LEADER_POLL).await;
        }
    }

    fn topic(&self) -> StrBytes {
        self.place.topic.as_str().into()
    }

    async fn producer_writes(&self) -> anyhow::Result<Proof<(i64, Bytes)>> {
        let value = Bytes::from(format!("written by {PRODUCER} at {}", OffsetDateTime::now_utc()));
        let request = build!(messages::ProduceRequest {
            acks: -1,
            timeout_ms: 5_000,
            topic_data: vec![build!(produce_request::TopicProduceData {
                name: self.topic(),
                partition_data: vec![build!(produce_request::PartitionProduceData {
                    records: Some(batch(value.clone())?),
                })],
            })],
        });
        let end = Instant::now() + LEADER_WAIT;
        let offset = loop {
            let mut connection = self.leader(PRODUCER).await?;
            let version = connection.version::<messages::ProduceRequest>(NAMED_PRODUCE)?;
            let response = connection.call_at(&request, version).await?;
            let partition = response
                .responses
                .first()
                .and_then(|topic| topic.partition_responses.first())
                .context("the answer holds no partition")?;
            // A leader may learn of its topic after us.
            if !is_early(partition.error_code) || Instant::now() > end {
                expect(partition.error_code, ErrorCode::None)?;
                break partition.base_offset;
            }
            tokio::time::sleep(LEADER_POLL).await;
        };
        let topic = &self.place.topic;
        Ok(Proof {
            found: format!("{topic}-0 offset {offset}"),
            record: record(PRODUCER, "Write", topic, DecisionFilter::Allowed),
            value: (offset, value),
        })
    }

    async fn consumer_reads(&self, offset: i64, value: &Bytes) -> anyhow::Result<Proof<()>> {
        let (code, records) = self.fetch(CONSUMER, offset).await?;
        expect(code, ErrorCode::None)?;
        let mut records = records.context("the answer holds no records")?;
        let batch = RecordBatch::decode(&mut records, RecordDecodeLimits::default())?;
        let read = batch.records.first().and_then(|record| record.value.as_ref());
        ensure!(read == Some(value), "another value came back");
        Ok(Proof {
            found: format!("\"{}\"", String::from_utf8_lossy(value)),
            record: record(CONSUMER, "Read", &self.place.topic, DecisionFilter::Allowed),
            value: (),
        })
    }

    async fn producer_is_denied_reading(&self, offset: i64) -> anyhow::Result<Proof<()>> {
        let (code, records) = self.fetch(PRODUCER, offset).await?;
        expect(code, ErrorCode::TopicAuthorizationFailed)?;
        ensure!(records.is_none_or(|records| records.is_empty()), "records came with the denial");
        Ok(Proof {
            found: ErrorCode::describe(code),
            record: record(PRODUCER, "Read", &self.place.topic, DecisionFilter::Denied),
            value: (),
        })
    }

    async fn fetch(&self, account: &str, offset: i64) -> anyhow::Result<(i16, Option<Bytes>)> {
        let mut connection = self.leader(account).await?;
        let request = build!(messages::FetchRequest {
            replica_id: -1,
            max_wait_ms: 1_000,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![build!(fetch_request::FetchTopic {
                topic: self.topic(),
                partitions: vec![build!(fetch_request::FetchPartition {
                    fetch_offset: offset,
                    current_leader_epoch: -1,
                    log_start_offset: -1,
                    partition_max_bytes: 1 << 20,
                })],
            })],
        });
        let version = connection.version::<messages::FetchRequest>(NAMED_FETCH)?;
        let response = connection.call_at(&request, version).await?;
        let partition = response
            .responses
            .into_iter()
            .next()
            .and_then(|topic| topic.partitions.into_iter().next())
            .context("the answer holds no partition")?;
        Ok((partition.error_code, partition.records))
    }
}

fn is_early(code: i16) -> bool {
    let early = [
        ErrorCode::UnknownTopicOrPartition,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::NotEnoughReplicas,
        ErrorCode::NotEnoughReplicasAfterAppend,
    ];
    early.iter().any(|error| error.code() == code)
}

fn batch(value: Bytes) -> anyhow::Result<Bytes> {
    let now = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000)?;
    let batch = RecordBatch {
        base_offset: 0,
        last_offset_delta: 0,
        partition_leader_epoch: -1,
        compression: Compression::None,
        timestamp_type: TimestampType::CreateTime,
        is_transactional: false,
        is_control: false,
        has_delete_horizon: false,
        base_timestamp: now,
        max_timestamp: now,
        producer_id: -1,
        producer_epoch: -1,
        base_sequence: -1,
        records: vec![Record {
            attributes: 0,
            timestamp_delta: 0,
            offset_delta: 0,
            key: Some(Bytes::from_static(b"schloss-self-check")),
            value: Some(value),
            headers: Vec::new(),
        }],
    };
    Ok(batch.encode_to_bytes(RecordEncodeLimits::default())?)
}
