//! Transactions as producers and consumers see them.

mod admin;
mod compaction;
mod ends;
mod fencing;
mod offsets;
mod restarts;
mod simulation;

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use schloss_wire::messages::add_offsets_to_txn_request::AddOffsetsToTxnRequest;
use schloss_wire::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnRequest, AddPartitionsToTxnTopic,
};
use schloss_wire::messages::fetch_request::{FetchPartition, FetchRequest, FetchTopic};
use schloss_wire::messages::fetch_response::PartitionData;
use schloss_wire::messages::offset_fetch_request::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopics,
};
use schloss_wire::messages::produce_response::PartitionProduceResponse;
use schloss_wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequest, TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use schloss_wire::messages::{EndTxnRequest, InitProducerIdRequest};
use schloss_wire::records::BatchHeader;
use schloss_wire::{ErrorCode, Response, StrBytes, build};

use super::produce::{ALL, only, request};
use crate::control::Marker;
use crate::records::decode;
use crate::testing::{House, transactional};

const TOPIC: &str = "orders";
const GROUP: &str = "orders-app";
const OK: ErrorCode = ErrorCode::None;

/// Which protocol a client speaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Age {
    /// Partitions and groups are added by requests of their own; one epoch serves many transactions.
    Old,
    /// KIP-890.
    New,
}

const AGES: [Age; 2] = [Age::Old, Age::New];

impl Age {
    const fn produce(self) -> i16 {
        match self {
            Self::Old => 11,
            Self::New => 12,
        }
    }

    const fn end(self) -> i16 {
        match self {
            Self::Old => 4,
            Self::New => 5,
        }
    }

    const fn offset_commit(self) -> i16 {
        match self {
            Self::Old => 4,
            Self::New => 5,
        }
    }
}

/// A transactional producer.
#[derive(Clone, Debug)]
struct Producer {
    age: Age,
    id: String,
    producer_id: i64,
    epoch: i16,
    timeout_ms: i32,
    sequences: HashMap<(String, i32), i32>,
}

impl Producer {
    /// One that has its id and epoch.
    async fn start(house: &House, age: Age, id: &str) -> Self {
        let mut producer = Self {
            age,
            id: id.to_owned(),
            producer_id: -1,
            epoch: -1,
            timeout_ms: 60_000,
            sequences: HashMap::new(),
        };
        assert_eq!(producer.init(house).await, OK);
        producer
    }

    /// Asks for an id and epoch until no transaction is in the way.
    async fn init(&mut self, house: &House) -> ErrorCode {
        loop {
            match self.init_once(house).await {
                ErrorCode::ConcurrentTransactions => tokio::task::yield_now().await,
                code => return code,
            }
        }
    }

    async fn init_once(&mut self, house: &House) -> ErrorCode {
        let request = build!(InitProducerIdRequest {
            transactional_id: Some(StrBytes::from(self.id.as_str())),
            transaction_timeout_ms: self.timeout_ms,
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
        });
        let Response::InitProducerId(response) = house.ask(5, request).await else { panic!() };
        if response.error_code == 0 {
            self.go_on_with(response.producer_id, response.producer_epoch);
        }
        ErrorCode::from_code(response.error_code).unwrap()
    }

    fn go_on_with(&mut self, producer_id: i64, epoch: i16) {
        if (self.producer_id, self.epoch) != (producer_id, epoch) {
            (self.producer_id, self.epoch) = (producer_id, epoch);
            self.sequences.clear();
        }
    }

    async fn add_partition(&self, house: &House, topic: &str, partition: i32) -> ErrorCode {
        let topic =
            build!(AddPartitionsToTxnTopic { name: StrBytes::from(topic), partitions: vec![partition] });
        let request = build!(AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: StrBytes::from(self.id.as_str()),
            v3_and_below_producer_id: self.producer_id,
            v3_and_below_producer_epoch: self.epoch,
            v3_and_below_topics: vec![topic],
        });
        let Response::AddPartitionsToTxn(response) = house.ask(3, request).await else { panic!() };
        let result = &response.results_by_topic_v3_and_below[0].results_by_partition[0];
        ErrorCode::from_code(result.partition_error_code).unwrap()
    }

    async fn add_offsets(&self, house: &House) -> ErrorCode {
        let request = build!(AddOffsetsToTxnRequest {
            transactional_id: StrBytes::from(self.id.as_str()),
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            group_id: StrBytes::from(GROUP),
        });
        let Response::AddOffsetsToTxn(response) = house.ask(3, request).await else { panic!() };
        ErrorCode::from_code(response.error_code).unwrap()
    }

    /// A batch in the next sequence, sent alone.
    async fn produce(&self, house: &House, partition: i32, count: i32) -> PartitionProduceResponse {
        let sequence = self.sequences.get(&(TOPIC.to_owned(), partition)).copied().unwrap_or(0);
        let batch = transactional(count, self.producer_id, self.epoch, sequence);
        let mut request = request(TOPIC, partition, batch, ALL);
        request.transactional_id = Some(StrBytes::from(self.id.as_str()));
        only(house.ask(self.age.produce(), request).await)
    }

    /// Sends records as a client of its age does: offset of the first, or the error.
    async fn send(&mut self, house: &House, partition: i32, count: i32) -> Result<i64, ErrorCode> {
        if self.age == Age::Old {
            match self.add_partition(house, TOPIC, partition).await {
                ErrorCode::None => {}
                code => return Err(code),
            }
        }
        let sent = self.produce(house, partition, count).await;
        match ErrorCode::from_code(sent.error_code).unwrap() {
            ErrorCode::None => {
                *self.sequences.entry((TOPIC.to_owned(), partition)).or_default() += count;
                Ok(sent.base_offset)
            }
            code => Err(code),
        }
    }

    /// Commits an offset of a partition for the group, sent alone.
    async fn hold_only(&self, house: &House, partition: i32, offset: i64) -> ErrorCode {
        let partition = build!(TxnOffsetCommitRequestPartition {
            partition_index: partition,
            committed_offset: offset,
            committed_leader_epoch: -1,
        });
        let topic =
            build!(TxnOffsetCommitRequestTopic { name: StrBytes::from(TOPIC), partitions: vec![partition] });
        let request = build!(TxnOffsetCommitRequest {
            transactional_id: StrBytes::from(self.id.as_str()),
            group_id: StrBytes::from(GROUP),
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            generation_id_or_member_epoch: -1,
            group_instance_id: None,
            topics: vec![topic],
        });
        let answer = house.ask(self.age.offset_commit(), request).await;
        let Response::TxnOffsetCommit(response) = answer else { panic!() };
        ErrorCode::from_code(response.topics[0].partitions[0].error_code).unwrap()
    }

    /// Commits an offset as a client of its age does.
    async fn hold(&self, house: &House, partition: i32, offset: i64) -> ErrorCode {
        if self.age == Age::Old {
            match self.add_offsets(house).await {
                ErrorCode::None => {}
                code => return code,
            }
        }
        self.hold_only(house, partition, offset).await
    }

    /// Commits or aborts, and goes on with what it is told.
    async fn end(&mut self, house: &House, commit: bool) -> ErrorCode {
        let request = build!(EndTxnRequest {
            transactional_id: StrBytes::from(self.id.as_str()),
            producer_id: self.producer_id,
            producer_epoch: self.epoch,
            committed: commit,
        });
        let Response::EndTxn(response) = house.ask(self.age.end(), request).await else { panic!() };
        if response.error_code == 0 && self.age == Age::New {
            self.go_on_with(response.producer_id, response.producer_epoch);
        }
        ErrorCode::from_code(response.error_code).unwrap()
    }
}

async fn house() -> House {
    let house = House::new();
    house.topic(TOPIC, 2, &[]).await;
    house
}

async fn fetch(house: &House, partition: i32, from: i64, isolation_level: i8) -> PartitionData {
    let wanted = build!(FetchPartition { partition, fetch_offset: from, partition_max_bytes: 1 << 20 });
    let topic = build!(FetchTopic { topic: StrBytes::from(TOPIC), partitions: vec![wanted] });
    let request = build!(FetchRequest { max_bytes: 1 << 20, topics: vec![topic], isolation_level });
    let Response::Fetch(mut response) = house.ask(12, request).await else { panic!() };
    let found = response.responses.remove(0).partitions.remove(0);
    assert_eq!(found.error_code, 0);
    found
}

/// The batches of a fetch. Compaction leaves some without records.
fn split(mut records: Bytes) -> Vec<(BatchHeader, Bytes)> {
    let mut batches = Vec::new();
    while !records.is_empty() {
        let header = BatchHeader::parse(&records).unwrap();
        batches.push((header, records.split_to(header.total_bytes)));
    }
    batches
}

fn offsets_of(header: &BatchHeader, batch: &Bytes) -> Vec<i64> {
    let records = decode(batch).unwrap().records;
    records.iter().map(|record| header.base_offset + i64::from(record.offset_delta)).collect()
}

/// Offsets of all records that a consumer shows its user.
async fn read(house: &House, partition: i32, isolation_level: i8) -> BTreeSet<i64> {
    let (mut offsets, mut from) = (BTreeSet::new(), 0);
    let mut aborting: BTreeSet<i64> = BTreeSet::new();
    loop {
        let found = fetch(house, partition, from, isolation_level).await;
        let batches = split(found.records.unwrap());
        let Some((last, _)) = batches.last() else { return offsets };
        from = last.last_offset() + 1;
        // As `CompletedFetch` of the Java client does it.
        let mut aborted = found.aborted_transactions.unwrap_or_default();
        aborted.sort_by_key(|one| one.first_offset);
        let mut aborted = aborted.into_iter().peekable();
        for (header, bytes) in batches {
            while let Some(one) = aborted.next_if(|one| one.first_offset <= header.last_offset()) {
                aborting.insert(one.producer_id);
            }
            if header.is_control() {
                if Marker::decode(bytes).is_some_and(|marker| !marker.commit) {
                    aborting.remove(&header.producer_id);
                }
            } else if !(header.is_transactional() && aborting.contains(&header.producer_id)) {
                offsets.extend(offsets_of(&header, &bytes));
            }
        }
    }
}

async fn committed(house: &House, partition: i32) -> Vec<i64> {
    read(house, partition, 1).await.into_iter().collect()
}

async fn uncommitted(house: &House, partition: i32) -> Vec<i64> {
    read(house, partition, 0).await.into_iter().collect()
}

async fn stable(house: &House, partition: i32) -> i64 {
    fetch(house, partition, 0, 1).await.last_stable_offset
}

/// The group's offset of a partition: as it is, or only if no transaction may change it.
async fn group_offset(house: &House, partition: i32, require_stable: bool) -> Result<i64, ErrorCode> {
    let topic =
        build!(OffsetFetchRequestTopics { name: StrBytes::from(TOPIC), partition_indexes: vec![partition] });
    let group =
        build!(OffsetFetchRequestGroup { group_id: StrBytes::from(GROUP), topics: Some(vec![topic]) });
    let request = build!(OffsetFetchRequest { groups: vec![group], require_stable });
    let Response::OffsetFetch(response) = house.ask(9, request).await else { panic!() };
    let found = &response.groups[0].topics[0].partitions[0];
    match ErrorCode::from_code(found.error_code).unwrap() {
        ErrorCode::None => Ok(found.committed_offset),
        code => Err(code),
    }
}
