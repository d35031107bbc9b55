//! Making, widening and deleting topics.

use std::collections::BTreeMap;

use schloss_wire::messages::create_partitions_request::CreatePartitionsTopic;
use schloss_wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use schloss_wire::messages::delete_topics_request::DeleteTopicState;
use schloss_wire::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use schloss_wire::{StrBytes, build};

use super::Cluster;
use crate::error::{ClientError, Need};

/// The version of DeleteTopics that takes ids or names in one structure.
const TOPIC_STATE_VERSION: i16 = 6;

/// A topic to be made.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; `None` leaves it to the broker.
    pub partitions: Option<i32>,
    /// Number of replicas; `None` leaves it to the broker.
    pub replication: Option<i16>,
    /// Settings, such as `retention.ms`.
    pub configs: BTreeMap<String, String>,
}

impl Cluster {
    /// Makes a topic.
    ///
    /// # Errors
    /// It exists, its settings are refused, or the user lacks `CREATE`.
    pub async fn create_topic(&mut self, topic: &NewTopic) -> Result<(), ClientError> {
        let configs = topic.configs.iter().map(|(name, value)| {
            build!(CreatableTopicConfig {
                name: StrBytes::from(name.as_str()),
                value: Some(StrBytes::from(value.as_str())),
            })
        });
        let creatable = build!(CreatableTopic {
            name: StrBytes::from(topic.name.as_str()),
            // -1 is the broker's default since 2.4 (KIP-464).
            num_partitions: topic.partitions.unwrap_or(-1),
            replication_factor: topic.replication.unwrap_or(-1),
            configs: configs.collect(),
        });
        let request = build!(CreateTopicsRequest { topics: vec![creatable], timeout_ms: self.timeout_ms() });
        let first = |topics: &[schloss_wire::messages::create_topics_response::CreatableTopicResult]| {
            topics.first().map_or(NO_RESULT, |result| result.error_code)
        };
        let response = self.call_controller(&request, |response| first(&response.topics)).await?;
        let message = response.topics.first().and_then(|result| result.error_message.as_deref());
        let name = &topic.name;
        self.check(first(&response.topics), message, &Need::topic("CREATE", name), || {
            format!("creating topic {name}")
        })
    }

    /// Deletes a topic with all its records.
    ///
    /// # Errors
    /// It does not exist, or the user lacks `DELETE`.
    pub async fn delete_topic(&mut self, name: &str) -> Result<(), ClientError> {
        let timeout_ms = self.timeout_ms();
        let node = match self.view.controller {
            Some(controller) => controller,
            None => self.nodes().first().copied().unwrap_or(-1),
        };
        let version = self.node(node).await?.version::<DeleteTopicsRequest>(i16::MAX)?;
        let request = if version >= TOPIC_STATE_VERSION {
            let state = build!(DeleteTopicState { name: Some(StrBytes::from(name)) });
            build!(DeleteTopicsRequest { topics: vec![state], timeout_ms })
        } else {
            build!(DeleteTopicsRequest { topic_names: vec![StrBytes::from(name)], timeout_ms })
        };
        let response = self
            .call_controller(&request, |response| {
                response.responses.first().map_or(NO_RESULT, |result| result.error_code)
            })
            .await?;
        self.view.forget_topic(name);
        let result = response.responses.first();
        let message = result.and_then(|result| result.error_message.as_deref());
        let code = result.map_or(NO_RESULT, |result| result.error_code);
        self.check(code, message, &Need::topic("DELETE", name), || format!("deleting topic {name}"))
    }

    /// Raises the number of partitions of a topic to `total`.
    ///
    /// # Errors
    /// It has as many or more, does not exist, or the user lacks `ALTER`.
    pub async fn create_partitions(&mut self, name: &str, total: i32) -> Result<(), ClientError> {
        let topic =
            build!(CreatePartitionsTopic { name: StrBytes::from(name), count: total, assignments: None });
        let request = build!(CreatePartitionsRequest { topics: vec![topic], timeout_ms: self.timeout_ms() });
        let response = self
            .call_controller(&request, |response| {
                response.results.first().map_or(NO_RESULT, |result| result.error_code)
            })
            .await?;
        self.view.forget_topic(name);
        let result = response.results.first();
        let message = result.and_then(|result| result.error_message.as_deref());
        let code = result.map_or(NO_RESULT, |result| result.error_code);
        self.check(code, message, &Need::topic("ALTER", name), || {
            format!("adding partitions to topic {name}")
        })
    }

    pub(crate) fn timeout_ms(&self) -> i32 {
        i32::try_from(self.config.request_timeout.as_millis()).unwrap_or(i32::MAX)
    }
}

/// What stands for an answer that lacks its only result: UNKNOWN_SERVER_ERROR.
pub(super) const NO_RESULT: i16 = -1;
