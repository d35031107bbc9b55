//! Allowed produce and fetch, summed per topic until they are due in the audit trail.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use schloss_audit::{Event, Traffic};
use schloss_policy::TopicNames;
use schloss_wire::messages::{FetchResponse, ProduceRequest, ProduceResponse};
use schloss_wire::records::{BATCH_HEADER_BYTES, BatchHeader};
use schloss_wire::{ScannedPartition, ScannedTopic, StrBytes, Uuid};
use time::OffsetDateTime;
use tokio::time::Instant;

/// Topics of one session that are summed apart; with more, the sums are written early.
const TOPICS_MAX: usize = 1024;

/// Which way the records went.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Direction {
    Produce,
    Fetch,
}

/// The sums of one session.
pub(crate) struct TrafficSums {
    sums: HashMap<(Direction, TopicKey), Sum>,
    since: Instant,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum TopicKey {
    Name(StrBytes),
    Id(Uuid),
}

struct Sum {
    topic: Arc<str>,
    traffic: Traffic,
}

/// What a produce request carries, taken down before the engine gets it; counted when the answer says which
/// partitions took it.
pub(crate) struct Carried(Vec<CarriedTopic>);

struct CarriedTopic {
    key: TopicKey,
    partitions: Vec<(i32, Amount)>,
}

#[derive(Clone, Copy, Default)]
struct Amount {
    records: u64,
    bytes: u64,
}

impl TrafficSums {
    pub(crate) fn new() -> Self {
        Self { sums: HashMap::new(), since: Instant::now() }
    }

    /// Counts the partitions of a produce request that were written; all of them if there is no answer.
    pub(crate) fn produced(
        &mut self,
        carried: Carried,
        answer: Option<&ProduceResponse>,
        names: &dyn TopicNames,
    ) {
        for topic in carried.0 {
            let written = |index: i32| {
                let Some(answer) = answer else { return true };
                answer
                    .responses
                    .iter()
                    .filter(|response| topic_key(&response.name, response.topic_id) == topic.key)
                    .flat_map(|response| &response.partition_responses)
                    .any(|partition| partition.index == index && partition.error_code == 0)
            };
            let mut amount = Amount::default();
            let mut any = false;
            for (index, partition) in &topic.partitions {
                if written(*index) {
                    amount.add(*partition);
                    any = true;
                }
            }
            if any {
                self.count(Direction::Produce, topic.key, 1, amount, names);
            }
        }
    }

    /// Counts what a fetch answer gives away.
    pub(crate) fn fetched(&mut self, answer: &FetchResponse, names: &dyn TopicNames) {
        for topic in &answer.responses {
            let mut amount = Amount::default();
            let mut any = false;
            for partition in topic.partitions.iter().filter(|partition| partition.error_code == 0) {
                any = true;
                if let Some(records) = &partition.records {
                    amount.add(Amount::of(records));
                }
            }
            if any {
                self.count(Direction::Fetch, topic_key(&topic.topic, topic.topic_id), 1, amount, names);
            }
        }
    }

    /// Counts one partition of a fetch answer that passes by as bytes.
    /// `is_first` of its topic in the answer.
    pub(crate) fn passed(
        &mut self,
        topic: &ScannedTopic,
        partition: ScannedPartition,
        is_first: bool,
        names: &dyn TopicNames,
    ) {
        if partition.error_code != 0 {
            return;
        }
        let key = match topic {
            ScannedTopic::Name(name) => TopicKey::Name(name.clone()),
            ScannedTopic::Id(id) => TopicKey::Id(*id),
        };
        let ScannedPartition { records, bytes, .. } = partition;
        self.count(Direction::Fetch, key, u64::from(is_first), Amount { records, bytes }, names);
    }

    /// Whether the sums have to be written now.
    pub(crate) fn is_due(&self, now: Instant, interval: Duration) -> bool {
        !self.sums.is_empty()
            && (self.sums.len() >= TOPICS_MAX || now.saturating_duration_since(self.since) >= interval)
    }

    /// Takes the sums out as events; who and from where is for the caller to add.
    pub(crate) fn take(&mut self) -> Vec<Event> {
        self.since = Instant::now();
        self.sums
            .drain()
            .map(|((direction, _), sum)| {
                let (method, operation) = match direction {
                    Direction::Produce => ("kafka.Produce", "Write"),
                    Direction::Fetch => ("kafka.Fetch", "Read"),
                };
                Event::traffic(method, sum.traffic).operation(operation).resource("Topic", &*sum.topic)
            })
            .collect()
    }

    fn count(
        &mut self,
        direction: Direction,
        key: TopicKey,
        requests: u64,
        amount: Amount,
        names: &dyn TopicNames,
    ) {
        let now = OffsetDateTime::now_utc();
        if self.sums.is_empty() {
            self.since = Instant::now();
        }
        let key = (direction, key);
        let sum = if self.sums.contains_key(&key) {
            self.sums.get_mut(&key)
        } else {
            let topic = key.1.name(names);
            let traffic = Traffic { requests: 0, records: 0, bytes: 0, from: now, to: now };
            Some(self.sums.entry((direction, key.1.detached())).or_insert(Sum { topic, traffic }))
        };
        let Some(sum) = sum else { return };
        sum.traffic.requests += requests;
        sum.traffic.records += amount.records;
        sum.traffic.bytes += amount.bytes;
        sum.traffic.to = now;
    }
}

impl Carried {
    pub(crate) fn by(request: &ProduceRequest) -> Self {
        let topics = request.topic_data.iter().map(|topic| CarriedTopic {
            key: topic_key(&topic.name, topic.topic_id),
            partitions: topic
                .partition_data
                .iter()
                .map(|partition| {
                    (
                        partition.index,
                        partition.records.as_ref().map_or_else(Amount::default, |r| Amount::of(r)),
                    )
                })
                .collect(),
        });
        Self(topics.collect())
    }
}

impl TopicKey {
    /// A copy that does not keep the frame it was read from in memory.
    fn detached(&self) -> Self {
        match self {
            Self::Name(name) => Self::Name(StrBytes::from(name.as_str())),
            Self::Id(id) => Self::Id(*id),
        }
    }

    fn name(&self, names: &dyn TopicNames) -> Arc<str> {
        match self {
            Self::Name(name) => Arc::from(name.as_str()),
            // The topic may have been deleted since; its id is what is left to tell.
            Self::Id(id) => {
                names.name_of(*id).unwrap_or_else(|| Arc::from(format!("{:02x?}", id.as_bytes())))
            }
        }
    }
}

impl Amount {
    /// What the batches say they hold. Lies don't get this far on the way in: the engine refuses them.
    fn of(batches: &[u8]) -> Self {
        let mut records = 0_u64;
        let mut rest = batches;
        while rest.len() >= BATCH_HEADER_BYTES {
            let Ok(header) = BatchHeader::parse(rest) else { break };
            records += u64::try_from(header.record_count).unwrap_or(0);
            rest = rest.get(header.total_bytes..).unwrap_or_default();
        }
        Self { records, bytes: batches.len() as u64 }
    }

    fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
    }
}

// From version 13 on topics come by id, before by name; the other is empty.
fn topic_key(name: &StrBytes, id: Uuid) -> TopicKey {
    if id.is_zero() { TopicKey::Name(name.clone()) } else { TopicKey::Id(id) }
}
