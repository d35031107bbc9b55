//! The task behind a producer: sorts records into partitions, sends what is due, settles what comes back.

mod settle;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use schloss_wire::messages::produce_request::{PartitionProduceData, TopicProduceData};
use schloss_wire::messages::{InitProducerIdRequest, ProduceRequest};
use schloss_wire::{StrBytes, build};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::batch::{Batch, ProducerId, Waiter};
use super::lane::{Lane, Load, Outcome};
use super::partition::Partition;
use super::partitioner::{Sticky, partition_of_key};
use super::record::{ProducerOptions, ProducerRecord};
use super::tally::Tally;
use crate::cluster::{Cluster, RETRY_BACKOFF, TopicInfo};
use crate::error::{ClientError, Need};

/// `acks=all`.
const ALL_REPLICAS: i16 = -1;
/// Records taken from the channel before batches are looked at again.
const TAKE_AT_ONCE: usize = 1024;
/// Sent in InitProducerId, where it only means something with transactions.
const TRANSACTION_TIMEOUT_MS: i32 = 60_000;

/// What the producer asks of the task.
pub(super) enum Command {
    Send { record: ProducerRecord, permit: OwnedSemaphorePermit, waiter: Option<Waiter> },
    Flush(oneshot::Sender<()>),
}

struct Topic {
    partitions: Vec<Partition>,
    sticky: Sticky,
    /// Ask for its leaders again before anything else is sent.
    stale: bool,
}

struct Route {
    loads: mpsc::Sender<Load>,
    address: String,
    under_way: usize,
}

pub(super) struct Sender {
    cluster: Cluster,
    options: ProducerOptions,
    tally: Arc<Tally>,
    topics: HashMap<Arc<str>, Topic>,
    routes: HashMap<i32, Route>,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    outcome_sender: mpsc::UnboundedSender<Outcome>,
    id: Option<ProducerId>,
    flushes: Vec<oneshot::Sender<()>>,
    closed: bool,
}

impl Sender {
    pub(super) fn new(cluster: Cluster, options: ProducerOptions, tally: Arc<Tally>) -> Self {
        let (outcome_sender, outcomes) = mpsc::unbounded_channel();
        Self {
            cluster,
            options,
            tally,
            topics: HashMap::new(),
            routes: HashMap::new(),
            outcomes,
            outcome_sender,
            id: None,
            flushes: Vec::new(),
            closed: false,
        }
    }

    /// Runs until the producer is gone and everything is settled.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        loop {
            let wake = self.wake();
            tokio::select! {
                command = commands.recv(), if !self.closed => match command {
                    Some(command) => {
                        self.take(command).await;
                        for _ in 1..TAKE_AT_ONCE {
                            let Ok(command) = commands.try_recv() else { break };
                            self.take(command).await;
                        }
                    }
                    None => self.closed = true,
                },
                Some(outcome) = self.outcomes.recv() => self.settle(outcome),
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => {}
            }
            self.dispatch().await;
            if self.is_idle() {
                for flush in self.flushes.drain(..) {
                    let _gone = flush.send(());
                }
                if self.closed {
                    return;
                }
            }
        }
    }

    fn is_idle(&self) -> bool {
        self.partitions().all(Partition::is_empty)
    }

    fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.topics.values().flat_map(|topic| &topic.partitions)
    }

    fn wake(&self) -> Option<Instant> {
        self.partitions().filter_map(|partition| partition.wake(self.options.linger)).min()
    }

    async fn take(&mut self, command: Command) {
        match command {
            Command::Flush(done) => self.flushes.push(done),
            Command::Send { record, permit, waiter } => {
                let batch_bytes = self.options.batch_bytes;
                let placed = match self.tally.failure() {
                    Some(error) => Err(error),
                    None => self.place(&record).await,
                };
                match placed {
                    Ok(partition) => {
                        let open = partition.open_for(record.size(), batch_bytes);
                        open.push(record, now_ms(), permit, waiter);
                    }
                    Err(error) => {
                        self.tally.failed(1, &error);
                        if let Some(waiter) = waiter {
                            let _gone = waiter.send(Err(error));
                        }
                    }
                }
            }
        }
    }

    /// The partition that a record goes to. Looks the topic up and takes a producer id the first time.
    async fn place(&mut self, record: &ProducerRecord) -> Result<&mut Partition, ClientError> {
        if !self.topics.contains_key(record.topic.as_str()) {
            let info = self.look_up(&record.topic).await?;
            if self.options.idempotent && self.id.is_none() {
                self.id = Some(self.init_producer_id(&record.topic).await?);
            }
            let name: Arc<str> = record.topic.as_str().into();
            let mut topic = Topic { partitions: Vec::new(), sticky: Sticky::new(), stale: false };
            topic.update(&name, &info);
            self.topics.insert(name, topic);
        }
        let batch_bytes = self.options.batch_bytes;
        let Some(topic) = self.topics.get_mut(record.topic.as_str()) else {
            return Err(no_partition(&record.topic, record.partition.unwrap_or(0), 0));
        };
        let count = topic.partitions.len();
        let index = match (record.partition, &record.key) {
            (Some(index), _) => usize::try_from(index).unwrap_or(usize::MAX),
            (None, Some(key)) => partition_of_key(key, count),
            (None, None) => topic.sticky.next(record.size(), batch_bytes, count),
        };
        topic
            .partitions
            .get_mut(index)
            .ok_or_else(|| no_partition(&record.topic, record.partition.unwrap_or(0), count))
    }

    /// A topic's partitions, asked for until the delivery time is over.
    async fn look_up(&mut self, topic: &str) -> Result<TopicInfo, ClientError> {
        let deadline = Instant::now() + self.options.delivery_timeout;
        loop {
            match self.cluster.fresh_topic(topic).await {
                Err(
                    error @ (ClientError::Connect { .. }
                    | ClientError::Closed { .. }
                    | ClientError::Timeout { .. }),
                ) if Instant::now() < deadline => {
                    tracing::debug!(%error, topic, "metadata is asked for again");
                    tokio::time::sleep(RETRY_BACKOFF).await;
                }
                other => return other,
            }
        }
    }

    async fn init_producer_id(&mut self, topic: &str) -> Result<ProducerId, ClientError> {
        let request = build!(InitProducerIdRequest {
            transactional_id: None,
            transaction_timeout_ms: TRANSACTION_TIMEOUT_MS,
        });
        let deadline = Instant::now() + self.options.delivery_timeout;
        loop {
            let response = self.cluster.call_any(&request).await?;
            // Kafka grants an id to whoever may write to any topic (KIP-679): who is denied lacks just that.
            let need = Need::topic("WRITE", topic);
            match self.cluster.check(response.error_code, None, &need, || "getting a producer id".to_owned())
            {
                Ok(()) => return Ok((response.producer_id, response.producer_epoch)),
                Err(error) if error.is_retriable() && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
            tokio::time::sleep(RETRY_BACKOFF).await;
        }
    }

    /// Sends what is due.
    async fn dispatch(&mut self) {
        let now = Instant::now();
        let at_once = self.closed || !self.flushes.is_empty();
        let linger = self.options.linger;
        for partition in self.topics.values_mut().flat_map(|topic| &mut topic.partitions) {
            partition.close_if_due(now, linger, at_once);
        }
        if self.partitions().any(|partition| partition.is_overdue(now, self.options.delivery_timeout)) {
            self.fail(&ClientError::Timeout {
                address: "the cluster".to_owned(),
                doing: "delivering records".to_owned(),
                after: self.options.delivery_timeout,
            });
        }
        self.refresh_stale().await;
        while let Some((node, batches)) = self.next_load() {
            if let Err((error, batches)) = self.send_load(node, batches) {
                for batch in batches {
                    self.lose(batch, &error);
                }
            }
        }
    }

    async fn refresh_stale(&mut self) {
        let due =
            |topic: &Topic| topic.stale && topic.partitions.iter().any(|partition| partition.may_send(1));
        let names: Vec<Arc<str>> =
            self.topics.iter().filter(|(_, topic)| due(topic)).map(|(name, _)| Arc::clone(name)).collect();
        for name in names {
            let answer = self.cluster.fresh_topic(&name).await;
            let Some(topic) = self.topics.get_mut(&name) else { continue };
            match answer {
                Ok(info) => topic.update(&name, &info),
                Err(error) if error.is_retriable() => {
                    let now = Instant::now();
                    topic.partitions.iter_mut().for_each(|partition| partition.put_off(now));
                }
                Err(error) => self.fail(&error),
            }
        }
    }

    /// The next broker that can take a request, with one batch of each partition that has one for it.
    fn next_load(&mut self) -> Option<(i32, Vec<Batch>)> {
        let most = if self.options.idempotent { self.options.max_in_flight } else { 1 };
        let (mut target, mut bytes, mut batches) = (None, 0, Vec::new());
        for topic in self.topics.values_mut().filter(|topic| !topic.stale) {
            for partition in topic.partitions.iter_mut().filter(|partition| partition.may_send(most)) {
                let Some(leader) = partition.leader else {
                    topic.stale = true;
                    partition.put_off(Instant::now());
                    continue;
                };
                let busy = |route: &Route| route.under_way >= self.options.max_in_flight;
                if target.unwrap_or(leader) != leader || self.routes.get(&leader).is_some_and(busy) {
                    continue;
                }
                let more = partition.next_bytes();
                if bytes > 0 && bytes + more > self.options.max_request_bytes {
                    continue;
                }
                target = Some(leader);
                bytes += more;
                batches.extend(partition.take_next());
            }
        }
        target.map(|node| (node, batches))
    }

    fn send_load(&mut self, node: i32, mut batches: Vec<Batch>) -> Result<(), (ClientError, Vec<Batch>)> {
        let request = match self.request(&mut batches) {
            Ok(request) => request,
            Err(error) => return Err((error, batches)),
        };
        let Some(address) = self.cluster.address(node).map(str::to_owned) else {
            for batch in batches {
                self.send_again(batch);
            }
            return Ok(());
        };
        if self.routes.get(&node).is_none_or(|route| route.address != address) {
            self.routes.insert(node, self.open_route(node, address));
        }
        let Some(route) = self.routes.get_mut(&node) else { return Ok(()) };
        match route.loads.try_send(Load { request, batches }) {
            Ok(()) => route.under_way += 1,
            Err(mpsc::error::TrySendError::Full(load) | mpsc::error::TrySendError::Closed(load)) => {
                for batch in load.batches {
                    self.send_again(batch);
                }
            }
        }
        Ok(())
    }

    fn open_route(&self, node: i32, address: String) -> Route {
        let (loads, receiver) = mpsc::channel(self.options.max_in_flight.max(1));
        let lane = Lane {
            node,
            address: address.clone(),
            config: self.cluster.shared_config(),
            outcomes: self.outcome_sender.clone(),
        };
        tokio::spawn(lane.run(receiver));
        Route { loads, address, under_way: 0 }
    }

    fn request(&self, batches: &mut [Batch]) -> Result<ProduceRequest, ClientError> {
        let mut topics: HashMap<Arc<str>, Vec<PartitionProduceData>> = HashMap::new();
        for batch in batches {
            let records: Bytes = batch.encoded(self.id, self.options.compression)?;
            let data = build!(PartitionProduceData { index: batch.partition, records: Some(records) });
            topics.entry(Arc::clone(&batch.topic)).or_default().push(data);
        }
        let topic_data = topics.into_iter().map(|(name, partition_data)| {
            build!(TopicProduceData { name: StrBytes::from(&*name), partition_data })
        });
        Ok(build!(ProduceRequest {
            acks: ALL_REPLICAS,
            timeout_ms: self.cluster.timeout_ms(),
            topic_data: topic_data.collect(),
        }))
    }
}

impl Topic {
    /// Takes leaders and new partitions over.
    fn update(&mut self, name: &Arc<str>, info: &TopicInfo) {
        self.stale = false;
        for (index, partition) in info.partitions.iter().enumerate() {
            match self.partitions.get_mut(index) {
                Some(known) => known.leader = partition.leader,
                None => {
                    let fresh = Partition::new(Arc::clone(name), partition.index, partition.leader);
                    self.partitions.push(fresh);
                }
            }
        }
    }
}

fn no_partition(topic: &str, partition: i32, count: usize) -> ClientError {
    ClientError::Usage(format!("topic {topic} has no partition {partition}: it has {count}, counted from 0"))
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
