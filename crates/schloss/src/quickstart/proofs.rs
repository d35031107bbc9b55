//! The self-check: five things that must be so, each shown with the audit record that it left.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use schloss_audit::{Audit, CloudEvent, DecisionFilter, EventKind, Query, query};
use schloss_client::{ClientConfig, ClientError, Connection};
use schloss_identity::{Mechanism, Password};
use schloss_wire::messages::{self, fetch_request, produce_request};
use schloss_wire::records::{
    Compression, Record, RecordBatch, RecordDecodeLimits, RecordEncodeLimits, TimestampType,
};
use schloss_wire::{ErrorCode, build};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::setup::{CONSUMER, PRODUCER, TOPIC};
use crate::audit_line;

/// Runs the proofs against the broker at `address` and prints each.
///
/// # Errors
/// The first proof that failed.
pub(super) async fn prove(
    root: &Path,
    address: SocketAddr,
    audit_directory: &Path,
    audit: &Audit,
) -> anyhow::Result<()> {
    let bench = Bench { root, address: address.to_string(), audit_directory, audit };
    println!("Self-check over TLS and SCRAM-SHA-512");
    let (offset, value) = bench.show("a producer with an ACL can write", bench.producer_writes()).await?;
    bench.show("a consumer with an ACL reads it back", bench.consumer_reads(offset, &value)).await?;
    bench.show("the producer is denied reading", bench.producer_is_denied_reading(offset)).await?;
    bench.show("a wrong password is refused", bench.wrong_password_is_refused()).await?;
    bench.show("a plain-text connection is refused", bench.plain_text_is_refused()).await
}

struct Bench<'a> {
    root: &'a Path,
    address: String,
    audit_directory: &'a Path,
    audit: &'a Audit,
}

/// What a proof found, and which audit record must be there now.
struct Proof<T> {
    found: String,
    record: Query,
    value: T,
}

/// Longest wait for an audit record; summed ones are written when their session ends.
const RECORD_WAIT: Duration = Duration::from_secs(5);
const RECORD_POLL: Duration = Duration::from_millis(5);

impl Bench<'_> {
    async fn show<T>(
        &self,
        claim: &str,
        proof: impl Future<Output = anyhow::Result<Proof<T>>>,
    ) -> anyhow::Result<T> {
        let since = OffsetDateTime::now_utc();
        let outcome = async {
            let proof = proof.await?;
            let record = self.audit_record(Query { since: Some(since), ..proof.record }).await?;
            anyhow::Ok((proof.found, record, proof.value))
        };
        match outcome.await {
            Ok((found, record, value)) => {
                println!("  proved  {claim}: {found}");
                println!("          audit: {}", audit_line::describe(&record));
                Ok(value)
            }
            Err(error) => {
                println!("  FAILED  {claim}: {error:#}");
                Err(error.context(format!("the self-check failed: {claim}")))
            }
        }
    }

    async fn audit_record(&self, wanted: Query) -> anyhow::Result<CloudEvent> {
        let end = Instant::now() + RECORD_WAIT;
        loop {
            self.audit.flush().await;
            if let Some(record) = query(self.audit_directory, &wanted)?.last() {
                return Ok(record?.event);
            }
            ensure!(Instant::now() < end, "it left no audit record");
            tokio::time::sleep(RECORD_POLL).await;
        }
    }

    async fn connect(&self, account: &str) -> anyhow::Result<Connection> {
        Ok(Connection::connect(&self.client(account)?, &self.address).await?)
    }

    /// The account's client file, as its user would take it.
    fn client(&self, account: &str) -> anyhow::Result<ClientConfig> {
        Ok(ClientConfig::from_file(self.root.join(format!("clients/{account}.properties")))?)
    }

    async fn producer_writes(&self) -> anyhow::Result<Proof<(i64, Bytes)>> {
        let value = Bytes::from(format!("written by {PRODUCER} at {}", OffsetDateTime::now_utc()));
        let mut connection = self.connect(PRODUCER).await?;
        let request = build!(messages::ProduceRequest {
            acks: -1,
            timeout_ms: 5_000,
            topic_data: vec![build!(produce_request::TopicProduceData {
                name: TOPIC.into(),
                partition_data: vec![build!(produce_request::PartitionProduceData {
                    records: Some(batch(value.clone())?),
                })],
            })],
        });
        let version = connection.version::<messages::ProduceRequest>(NAMED_PRODUCE)?;
        let response = connection.call_at(&request, version).await?;
        let partition = response
            .responses
            .first()
            .and_then(|topic| topic.partition_responses.first())
            .context("the answer holds no partition")?;
        expect(partition.error_code, ErrorCode::None)?;
        Ok(Proof {
            found: format!("{TOPIC}-0 offset {}", partition.base_offset),
            record: record(PRODUCER, "Write", TOPIC, DecisionFilter::Allowed),
            value: (partition.base_offset, value),
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
            record: record(CONSUMER, "Read", TOPIC, DecisionFilter::Allowed),
            value: (),
        })
    }

    async fn producer_is_denied_reading(&self, offset: i64) -> anyhow::Result<Proof<()>> {
        let (code, records) = self.fetch(PRODUCER, offset).await?;
        expect(code, ErrorCode::TopicAuthorizationFailed)?;
        ensure!(records.is_none_or(|records| records.is_empty()), "records came with the denial");
        Ok(Proof {
            found: ErrorCode::describe(code),
            record: record(PRODUCER, "Read", TOPIC, DecisionFilter::Denied),
            value: (),
        })
    }

    async fn fetch(&self, account: &str, offset: i64) -> anyhow::Result<(i16, Option<Bytes>)> {
        let mut connection = self.connect(account).await?;
        let request = build!(messages::FetchRequest {
            replica_id: -1,
            max_wait_ms: 1_000,
            min_bytes: 1,
            max_bytes: 1 << 20,
            session_epoch: -1,
            topics: vec![build!(fetch_request::FetchTopic {
                topic: TOPIC.into(),
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

    async fn wrong_password_is_refused(&self) -> anyhow::Result<Proof<()>> {
        let config =
            self.client(PRODUCER)?.with_scram(Mechanism::ScramSha512, PRODUCER, Password::generate());
        match Connection::connect(&config, &self.address).await {
            Err(ClientError::Authentication { .. }) => Ok(Proof {
                found: ErrorCode::SaslAuthenticationFailed.name().to_owned(),
                record: Query {
                    principal: Some(format!("User:{PRODUCER}")),
                    kind: Some(EventKind::Authentication),
                    decision: Some(DecisionFilter::Denied),
                    ..Query::default()
                },
                value: (),
            }),
            Err(other) => Err(other.into()),
            Ok(_) => bail!("it was let in"),
        }
    }

    async fn plain_text_is_refused(&self) -> anyhow::Result<Proof<()>> {
        /// An ApiVersions request, version 0, with correlation id 1 and no client id.
        const PLAIN_REQUEST: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff];
        let mut stream = TcpStream::connect(&self.address).await?;
        stream.write_all(&PLAIN_REQUEST).await?;
        let mut answer = Vec::new();
        // A reset tells as much as an orderly end: nothing came back.
        let _ = stream.read_to_end(&mut answer).await;
        ensure!(answer.is_empty(), "{} bytes came back in plain text", answer.len());
        Ok(Proof {
            found: "closed without an answer".to_owned(),
            record: Query {
                kind: Some(EventKind::Connection),
                decision: Some(DecisionFilter::Denied),
                ..Query::default()
            },
            value: (),
        })
    }
}

/// The last versions that name topics instead of giving their ids.
const NAMED_PRODUCE: i16 = 12;
const NAMED_FETCH: i16 = 12;

fn expect(code: i16, expected: ErrorCode) -> anyhow::Result<()> {
    ensure!(
        code == expected.code(),
        "the broker answered {} where {expected} was due",
        ErrorCode::describe(code)
    );
    Ok(())
}

fn record(account: &str, operation: &str, resource: &str, decision: DecisionFilter) -> Query {
    Query {
        principal: Some(format!("User:{account}")),
        operation: Some(operation.to_owned()),
        resource: Some(resource.to_owned()),
        decision: Some(decision),
        ..Query::default()
    }
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
