//! What the tests on a real cluster share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

pub(crate) mod forged;
pub(crate) mod proxy;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use schloss_client::{ClientConfig, Cluster, Connection, Insecure};
use schloss_identity::{Mechanism, ScramCredential};
use schloss_keys::SealingKey;
use schloss_metadata::Snapshot;
use schloss_metadata_topic::{SharedMetadata, TopicLedgerConfig, open};
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use schloss_wire::messages::fetch_request::{FetchPartition, FetchTopic};
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::messages::{
    AddPartitionsToTxnRequest, EndTxnRequest, FetchRequest, FindCoordinatorRequest, InitProducerIdRequest,
    ProduceRequest,
};
use schloss_wire::records::{
    Compression, Record, RecordBatch, RecordDecodeLimits, RecordEncodeLimits, TimestampType,
};
use schloss_wire::{Principal, StrBytes, build};

const WAIT: Duration = Duration::from_secs(20);

pub(crate) fn client() -> ClientConfig {
    let file = std::env::var("SCHLOSS_TEST_CLIENT").expect("SCHLOSS_TEST_CLIENT names a client file");
    ClientConfig::from_file_with(file, Insecure::Allow).unwrap()
}

pub(crate) async fn cluster() -> Cluster {
    Cluster::connect(client()).await.unwrap()
}

pub(crate) fn unique() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("__schloss_test_{}", now.as_nanos())
}

pub(crate) fn config(topic: &str, key: &SealingKey) -> TopicLedgerConfig {
    TopicLedgerConfig {
        client: Arc::new(client()),
        topic: topic.to_owned(),
        key: key.clone(),
        super_users: vec![Principal::user("admin")],
        ignore_forged: false,
    }
}

/// A gateway on a new topic.
pub(crate) async fn open_new() -> (SharedMetadata, SealingKey, String) {
    let (topic, key) = (unique(), SealingKey::generate().unwrap());
    let gateway = open(config(&topic, &key)).await.unwrap();
    (gateway, key, topic)
}

pub(crate) fn acl(user: &str) -> Acl {
    Acl {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        resource_name: "orders".to_owned(),
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation: Operation::Read,
        permission: Permission::Allow,
    }
}

pub(crate) fn credential(iterations: u32) -> ScramCredential {
    let salt = b"0123456789abcdef".to_vec();
    ScramCredential::from_salted_password(Mechanism::ScramSha512, iterations, salt, &[7; 64]).unwrap()
}

/// Users and ACLs as text.
pub(crate) fn names(snapshot: &Snapshot) -> String {
    let users =
        snapshot.users().map(|(name, user)| format!("{name} {:?}\n", user.mechanisms().collect::<Vec<_>>()));
    let acls = snapshot.acls().iter().map(|acl| format!("{acl}\n"));
    users.chain(acls).collect()
}

pub(crate) async fn eventually(there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !there() {
        assert!(begun.elapsed() < WAIT, "it never came to be");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Someone with access to the topic who is no gateway.
pub(crate) struct Raw {
    topic: String,
    id: StrBytes,
    leader: Connection,
    coordinator: Connection,
    producer: (i64, i16),
}

impl Raw {
    pub(crate) async fn connect(topic: &str) -> Self {
        let id = format!("raw-{}", unique());
        let mut cluster = cluster().await;
        let leads = cluster.fresh_topic(topic).await.unwrap().partitions[0].leader.unwrap();
        let leader = cluster.brokers().into_iter().find(|broker| broker.id == leads).unwrap().address;
        let mut leader = Connection::connect(&client(), &leader).await.unwrap();
        let find = build!(FindCoordinatorRequest { key_type: 1, key: StrBytes::from(id.as_str()) });
        let coordinator = loop {
            let found = leader.call_at(&find, 3).await.unwrap();
            if found.error_code == 0 {
                let address = format!("{}:{}", found.host, found.port);
                break Connection::connect(&client(), &address).await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        Self {
            topic: topic.to_owned(),
            id: StrBytes::from(id.as_str()),
            leader,
            coordinator,
            producer: (-1, -1),
        }
    }

    fn topic(&self) -> StrBytes {
        StrBytes::from(self.topic.as_str())
    }

    /// All bytes of the topic, up to eight megabytes.
    pub(crate) async fn all(&mut self) -> Bytes {
        let mut all = Vec::new();
        let mut from = 0;
        loop {
            let partition =
                build!(FetchPartition { partition: 0, fetch_offset: from, partition_max_bytes: 8 << 20 });
            let topic = build!(FetchTopic { topic: self.topic(), partitions: vec![partition] });
            let request = build!(FetchRequest { max_bytes: 8 << 20, session_epoch: -1, topics: vec![topic] });
            let response = self.leader.call_at(&request, 11).await.unwrap();
            let bytes = response.responses[0].partitions[0].records.clone().unwrap_or_default();
            if bytes.is_empty() {
                return all.into();
            }
            all.extend_from_slice(&bytes);
            for batch in batches(bytes) {
                from = batch.base_offset + i64::from(batch.last_offset_delta) + 1;
            }
        }
    }

    pub(crate) async fn records(&mut self) -> Vec<Record> {
        let batches = batches(self.all().await);
        batches.into_iter().filter(|batch| !batch.is_control).flat_map(|batch| batch.records).collect()
    }

    pub(crate) async fn begin(&mut self) {
        let request = build!(InitProducerIdRequest {
            transactional_id: Some(self.id.clone()),
            transaction_timeout_ms: 60_000,
            producer_id: -1,
            producer_epoch: -1
        });
        self.producer = loop {
            let response = self.coordinator.call_at(&request, 4).await.unwrap();
            if response.error_code == 0 {
                break (response.producer_id, response.producer_epoch);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let topic = build!(AddPartitionsToTxnTopic { name: self.topic(), partitions: vec![0] });
        let request = build!(AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: self.id.clone(),
            v3_and_below_producer_id: self.producer.0,
            v3_and_below_producer_epoch: self.producer.1,
            v3_and_below_topics: vec![topic],
        });
        let response = self.coordinator.call_at(&request, 3).await.unwrap();
        let result = &response.results_by_topic_v3_and_below[0].results_by_partition[0];
        assert_eq!(result.partition_error_code, 0);
    }

    /// Writes in the transaction that was begun.
    pub(crate) async fn write(&mut self, mut records: Vec<Record>) {
        for (delta, record) in (0..).zip(&mut records) {
            record.offset_delta = delta;
        }
        let batch = RecordBatch {
            base_offset: 0,
            last_offset_delta: i32::try_from(records.len()).unwrap() - 1,
            partition_leader_epoch: -1,
            compression: Compression::None,
            timestamp_type: TimestampType::CreateTime,
            is_transactional: true,
            is_control: false,
            has_delete_horizon: false,
            base_timestamp: 1,
            max_timestamp: 1,
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            base_sequence: 0,
            records,
        };
        let bytes = batch.encode_to_bytes(RecordEncodeLimits::default()).unwrap();
        let partition = build!(PartitionProduceData { index: 0, records: Some(bytes) });
        let topic = build!(TopicProduceData { name: self.topic(), partition_data: vec![partition] });
        let request = build!(ProduceRequest {
            transactional_id: Some(self.id.clone()),
            acks: -1,
            timeout_ms: 10_000,
            topic_data: vec![topic],
        });
        let response = self.leader.call_at(&request, 9).await.unwrap();
        assert_eq!(response.responses[0].partition_responses[0].error_code, 0);
    }

    pub(crate) async fn end(&mut self, committed: bool) {
        let request = build!(EndTxnRequest {
            transactional_id: self.id.clone(),
            producer_id: self.producer.0,
            producer_epoch: self.producer.1,
            committed,
        });
        assert_eq!(self.coordinator.call_at(&request, 3).await.unwrap().error_code, 0);
    }
}

fn batches(mut bytes: Bytes) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    while !bytes.is_empty() {
        batches.push(RecordBatch::decode(&mut bytes, RecordDecodeLimits::default()).unwrap());
    }
    batches
}
