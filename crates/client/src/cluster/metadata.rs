//! Who is in the cluster and who leads what, as the Metadata API says.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use schloss_wire::messages::metadata_request::MetadataRequestTopic;
use schloss_wire::messages::metadata_response::MetadataResponseTopic;
use schloss_wire::messages::{MetadataRequest, MetadataResponse};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use super::{Cluster, RETRY_BACKOFF};
use crate::connection::{Connection, join_address};
use crate::error::{ClientError, Need};

/// The first version that can ask not to create a topic by asking for it.
const NO_AUTO_CREATE_VERSION: i16 = 4;
/// Version 11 dropped the cluster's operations; nothing that is used here.
const CEILING: i16 = 12;
/// How long a topic that was just created may be unknown to the broker that is asked.
const UNKNOWN_TOPIC_PATIENCE: Duration = Duration::from_millis(500);

/// A broker.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BrokerInfo {
    /// Its id.
    pub id: i32,
    /// The `host:port` it advertises.
    pub address: String,
    /// The rack it stands in (`broker.rack`), if it says so.
    pub rack: Option<String>,
}

/// A topic.
#[derive(Clone, Debug, PartialEq)]
pub struct TopicInfo {
    /// Its name.
    pub name: String,
    /// Its id; zero from brokers before 2.8.
    pub id: Uuid,
    /// Whether it is the cluster's own, such as `__consumer_offsets`.
    pub internal: bool,
    /// Its partitions in order.
    pub partitions: Vec<PartitionInfo>,
}

/// A partition.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PartitionInfo {
    /// Its index.
    pub index: i32,
    /// The broker that leads it; `None` while it has none.
    pub leader: Option<i32>,
    /// Epoch of that leader, -1 if unknown.
    pub leader_epoch: i32,
    /// Brokers that hold it.
    pub replicas: Vec<i32>,
    /// Those that are in sync.
    pub in_sync: Vec<i32>,
}

/// What is known of the cluster.
#[derive(Clone, Default)]
pub(super) struct View {
    pub(super) cluster_id: Option<String>,
    pub(super) controller: Option<i32>,
    brokers: HashMap<i32, BrokerInfo>,
    topics: HashMap<String, TopicInfo>,
}

impl View {
    pub(super) fn brokers(&self) -> Vec<BrokerInfo> {
        let mut brokers: Vec<BrokerInfo> = self.brokers.values().cloned().collect();
        brokers.sort_by_key(|broker| broker.id);
        brokers
    }

    pub(super) fn address(&self, node: i32) -> Option<&str> {
        self.brokers.get(&node).map(|broker| broker.address.as_str())
    }

    /// Takes over a broker's address; its rack stays what it was.
    pub(super) fn add_broker(&mut self, id: i32, host: &str, port: i32) {
        let rack = self.brokers.remove(&id).and_then(|known| known.rack);
        self.brokers.insert(id, BrokerInfo { id, address: join_address(host, port), rack });
    }

    pub(super) fn forget_topic(&mut self, name: &str) {
        self.topics.remove(name);
    }

    /// Asks over one connection and takes the answer over; see [`Cluster::refresh`].
    pub(super) async fn update_all(
        &mut self,
        connection: &mut Connection,
        topics: Option<&[&str]>,
    ) -> Result<MetadataResponse, ClientError> {
        let version = connection.version::<MetadataRequest>(CEILING)?;
        let mut request = request(topics);
        request.allow_auto_topic_creation = version < NO_AUTO_CREATE_VERSION;
        let response = connection.call_at(&request, version).await?;
        self.take(&response);
        Ok(response)
    }

    fn take(&mut self, response: &MetadataResponse) {
        if let Some(id) = &response.cluster_id {
            self.cluster_id = Some(id.to_string());
        }
        self.controller = (response.controller_id >= 0).then_some(response.controller_id);
        if !response.brokers.is_empty() {
            self.brokers.clear();
        }
        for broker in &response.brokers {
            let (id, address) = (broker.node_id, join_address(&broker.host, broker.port));
            let rack = broker.rack.as_ref().filter(|rack| !rack.is_empty()).map(ToString::to_string);
            self.brokers.insert(id, BrokerInfo { id, address, rack });
        }
        for topic in &response.topics {
            let Some(name) = &topic.name else { continue };
            match topic_info(topic) {
                Some(info) => self.topics.insert(name.to_string(), info),
                None => self.topics.remove(name.as_str()),
            };
        }
    }
}

impl Cluster {
    /// Asks for metadata anew: of all topics, of these, or (an empty list) of the brokers alone.
    pub(crate) async fn refresh(&mut self, topics: Option<&[&str]>) -> Result<MetadataResponse, ClientError> {
        let mut last = None;
        let mut view = self.view.clone();
        for node in self.nodes() {
            let answer = match self.node(node).await {
                Ok(connection) => view.update_all(connection, topics).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(response) => {
                    self.view = view;
                    return Ok(response);
                }
                Err(error) if error.is_retriable() => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        match self.bootstrap().await {
            Ok(mut connection) => self.view.update_all(&mut connection, topics).await,
            Err(error) => Err(last.unwrap_or(error)),
        }
    }

    /// Asks who is in the cluster now; brokers that left are gone from the answer, and from
    /// [`Cluster::brokers`].
    ///
    /// # Errors
    /// No broker answers.
    pub async fn refresh_brokers(&mut self) -> Result<Vec<BrokerInfo>, ClientError> {
        self.refresh(Some(&[])).await?;
        Ok(self.brokers())
    }

    /// A topic with its partitions, from the cache if it was asked for before.
    ///
    /// # Errors
    /// It does not exist, or the user may not describe it.
    pub async fn topic(&mut self, name: &str) -> Result<TopicInfo, ClientError> {
        match self.view.topics.get(name) {
            Some(known) => Ok(known.clone()),
            None => self.fresh_topic(name).await,
        }
    }

    /// A topic with its partitions, asked for anew; waits a while for one that is just being made.
    ///
    /// # Errors
    /// As [`Cluster::topic`].
    pub async fn fresh_topic(&mut self, name: &str) -> Result<TopicInfo, ClientError> {
        let begun = Instant::now();
        loop {
            let response = self.refresh(Some(&[name])).await?;
            let error = match self.one_topic(&response, name) {
                Ok(topic) => return Ok(topic),
                Err(error) => error,
            };
            let patience = match error.code() {
                Some(ErrorCode::UnknownTopicOrPartition) => UNKNOWN_TOPIC_PATIENCE,
                _ if error.is_retriable() => self.config.request_timeout,
                _ => return Err(error),
            };
            if begun.elapsed() > patience {
                return Err(error);
            }
            tokio::time::sleep(RETRY_BACKOFF).await;
        }
    }

    fn one_topic(&self, response: &MetadataResponse, name: &str) -> Result<TopicInfo, ClientError> {
        let found = response
            .topics
            .iter()
            .find(|topic| topic.name.as_ref().is_some_and(|found| found.as_str() == name));
        let code = found.map_or(ErrorCode::UnknownTopicOrPartition.code(), |topic| topic.error_code);
        let hint = (code == ErrorCode::UnknownTopicOrPartition.code())
            .then(|| format!("there is no topic {name}; create it: schloss topic create {name}"));
        self.check(code, hint.as_deref(), &Need::topic("DESCRIBE", name), || {
            format!("looking up topic {name}")
        })?;
        self.view
            .topics
            .get(name)
            .cloned()
            .ok_or_else(|| ClientError::Usage(format!("topic {name} vanished")))
    }

    /// All topics that the user may describe, by name.
    ///
    /// # Errors
    /// The cluster can't be asked.
    pub async fn list_topics(&mut self) -> Result<Vec<TopicInfo>, ClientError> {
        let response = self.refresh(None).await?;
        let mut topics: Vec<TopicInfo> = response.topics.iter().filter_map(topic_info).collect();
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(topics)
    }
}

fn request(topics: Option<&[&str]>) -> MetadataRequest {
    let topics = topics.map(|names| {
        names.iter().map(|name| build!(MetadataRequestTopic { name: Some(StrBytes::from(*name)) })).collect()
    });
    build!(MetadataRequest { topics })
}

/// A topic of a response; `None` if it holds an error instead.
fn topic_info(topic: &MetadataResponseTopic) -> Option<TopicInfo> {
    if topic.error_code != 0 {
        return None;
    }
    let mut partitions: Vec<PartitionInfo> = topic
        .partitions
        .iter()
        .map(|partition| PartitionInfo {
            index: partition.partition_index,
            leader: (partition.leader_id >= 0).then_some(partition.leader_id),
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.clone(),
            in_sync: partition.isr_nodes.clone(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.index);
    let name = topic.name.as_ref()?.to_string();
    Some(TopicInfo { name, id: topic.topic_id, internal: topic.is_internal, partitions })
}
