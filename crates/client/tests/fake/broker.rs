//! A broker in memory, of one node and one topic, that misbehaves when told to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use schloss_client::{ClientConfig, Cluster};
use schloss_wire::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use schloss_wire::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use schloss_wire::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use schloss_wire::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use schloss_wire::messages::{
    FetchRequest, FetchResponse, InitProducerIdResponse, ListOffsetsRequest, ListOffsetsResponse,
    MetadataResponse, ProduceRequest, ProduceResponse,
};
use schloss_wire::records::{BatchHeader, check_batch, patched_prefix};
use schloss_wire::{Request, StrBytes, build};

use super::{Act, Asked, Fake, after_versions};

pub(crate) const TOPIC: &str = "orders";

/// What happens to a produce request instead of the ordinary.
#[derive(Clone, Copy)]
pub(crate) enum Mishap {
    /// Nothing is stored, every partition is answered with this code.
    Refuse(i16),
    /// It is stored, and the connection breaks before the answer.
    LoseAnswer,
    /// The connection breaks before anything is stored.
    LoseRequest,
}

#[derive(Default)]
pub(crate) struct State {
    /// Batches of each partition with their base offsets.
    pub(crate) partitions: Vec<Vec<(i64, Bytes)>>,
    pub(crate) mishaps: VecDeque<Mishap>,
    pub(crate) init_producer_error: i16,
    pub(crate) produces: usize,
    /// Error of the next fetches.
    pub(crate) fetch_errors: VecDeque<i16>,
    address: String,
}

#[derive(Clone)]
pub(crate) struct Broker {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) config: ClientConfig,
}

impl Broker {
    pub(crate) async fn start(partitions: usize) -> Self {
        let state = State { partitions: vec![Vec::new(); partitions], ..State::default() };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        let fake = Fake::plain(move || {
            let state = Arc::clone(&shared);
            after_versions(move |asked| state.lock().unwrap().answer(asked))
        })
        .await;
        state.lock().unwrap().address.clone_from(&fake.address);
        Self { state, config: fake.config() }
    }

    pub(crate) async fn cluster(&self) -> Cluster {
        Cluster::connect(self.config.clone()).await.unwrap()
    }

    /// Values of a partition, in order of their offsets.
    pub(crate) fn values(&self, partition: usize) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let mut values = Vec::new();
        for (_, batch) in &state.partitions[partition] {
            let batch =
                schloss_wire::records::RecordBatch::decode(&mut batch.clone(), Default::default()).unwrap();
            for record in batch.records {
                values.push(String::from_utf8(record.value.unwrap().to_vec()).unwrap());
            }
        }
        values
    }
}

impl State {
    fn answer(&mut self, asked: &Asked) -> Act {
        match asked.request() {
            Request::Metadata(_) => Act::Answer(self.metadata().into()),
            Request::InitProducerId(_) => Act::Answer(
                build!(InitProducerIdResponse {
                    error_code: self.init_producer_error,
                    producer_id: 4000,
                    producer_epoch: 0,
                })
                .into(),
            ),
            Request::Produce(request) => self.produce(&request),
            Request::ListOffsets(request) => Act::Answer(self.list_offsets(&request).into()),
            Request::Fetch(request) => self.fetch(&request),
            _ => Act::Close,
        }
    }

    fn metadata(&self) -> MetadataResponse {
        let (host, port) = self.address.rsplit_once(':').unwrap();
        let partitions = (0..self.partitions.len()).map(|index| {
            build!(MetadataResponsePartition {
                partition_index: i32::try_from(index).unwrap(),
                leader_id: 1,
                replica_nodes: vec![1],
                isr_nodes: vec![1],
            })
        });
        let topic = build!(MetadataResponseTopic {
            name: Some(StrBytes::from(TOPIC)),
            partitions: partitions.collect()
        });
        build!(MetadataResponse {
            brokers: vec![build!(MetadataResponseBroker {
                node_id: 1,
                host: StrBytes::from(host),
                port: port.parse().unwrap(),
            })],
            controller_id: 1,
            topics: vec![topic],
        })
    }

    fn produce(&mut self, request: &ProduceRequest) -> Act {
        self.produces += 1;
        assert_eq!(request.acks, -1);
        let mishap = self.mishaps.pop_front();
        if matches!(mishap, Some(Mishap::LoseRequest)) {
            return Act::Close;
        }
        let mut responses = Vec::new();
        for topic in &request.topic_data {
            let partitions = topic.partition_data.iter().map(|data| {
                let (error_code, base_offset) = match mishap {
                    Some(Mishap::Refuse(code)) => (code, -1),
                    _ => self.append(usize::try_from(data.index).unwrap(), data.records.as_ref().unwrap()),
                };
                build!(PartitionProduceResponse { index: data.index, error_code, base_offset })
            });
            let partition_responses = partitions.collect();
            responses.push(build!(TopicProduceResponse { name: topic.name.clone(), partition_responses }));
        }
        if matches!(mishap, Some(Mishap::LoseAnswer)) {
            return Act::Close;
        }
        Act::Answer(build!(ProduceResponse { responses }).into())
    }

    /// Stores a batch as Kafka does: a repeated one is recognised, one out of sequence is refused.
    fn append(&mut self, partition: usize, batch: &Bytes) -> (i16, i64) {
        let header = check_batch(batch).expect("a good batch");
        assert_eq!(header.total_bytes, batch.len(), "one batch for each partition");
        let log = &mut self.partitions[partition];
        let mut end = 0;
        let mut expected = 0;
        for (base, stored) in log.iter() {
            let stored = BatchHeader::parse(stored).unwrap();
            end = base + i64::from(stored.record_count);
            expected = stored.base_sequence + stored.record_count;
            if header.is_idempotent() && stored.base_sequence == header.base_sequence {
                return (0, *base);
            }
        }
        if header.is_idempotent() && header.base_sequence != expected {
            return (45, -1);
        }
        let prefix = patched_prefix(batch, end, 0).unwrap();
        let mut stored = BytesMut::from(&batch[..]);
        stored[..prefix.len()].copy_from_slice(&prefix);
        log.push((end, stored.freeze()));
        (0, end)
    }

    fn end(&self, partition: i32) -> i64 {
        let log = &self.partitions[usize::try_from(partition).unwrap()];
        log.last()
            .map_or(0, |(base, batch)| base + i64::from(BatchHeader::parse(batch).unwrap().record_count))
    }

    fn list_offsets(&self, request: &ListOffsetsRequest) -> ListOffsetsResponse {
        let topics = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let offset = if partition.timestamp == -2 { 0 } else { self.end(partition.partition_index) };
                build!(ListOffsetsPartitionResponse { partition_index: partition.partition_index, offset })
            });
            build!(ListOffsetsTopicResponse { name: topic.name.clone(), partitions: partitions.collect() })
        });
        build!(ListOffsetsResponse { topics: topics.collect() })
    }

    fn fetch(&mut self, request: &FetchRequest) -> Act {
        let error = self.fetch_errors.pop_front().unwrap_or(0);
        let responses = request.topics.iter().map(|topic| {
            let partitions = topic.partitions.iter().map(|partition| {
                let index = usize::try_from(partition.partition).unwrap();
                let from = partition.fetch_offset;
                let out_of_range = from < 0 || from > self.end(partition.partition);
                let mut records = BytesMut::new();
                for (base, batch) in &self.partitions[index] {
                    let last = base + i64::from(BatchHeader::parse(batch).unwrap().last_offset_delta);
                    if last >= from && error == 0 {
                        records.extend_from_slice(batch);
                    }
                }
                build!(PartitionData {
                    partition_index: partition.partition,
                    error_code: if out_of_range { 1 } else { error },
                    records: Some(records.freeze()),
                })
            });
            build!(FetchableTopicResponse { topic: topic.topic.clone(), partitions: partitions.collect() })
        });
        Act::Answer(build!(FetchResponse { responses: responses.collect() }).into())
    }
}
