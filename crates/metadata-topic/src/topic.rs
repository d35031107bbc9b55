//! The topic itself: made right, or found right.

use std::collections::BTreeMap;

use schloss_client::{ClientError, Cluster, NewTopic};
use schloss_wire::ErrorCode;

use crate::error::OpenError;

/// What the name of the topic begins with; the gate hides such topics from clients.
pub(crate) const TOPIC_PREFIX: &str = "__schloss_";
/// Most replicas that are asked for.
const REPLICAS: usize = 3;

/// Finds the topic, or makes it.
///
/// # Errors
/// It can't be made, or is there and not fit.
pub(crate) async fn ensure(cluster: &mut Cluster, topic: &str) -> Result<(), OpenError> {
    let found = match cluster.fresh_topic(topic).await {
        Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {
            match cluster.create_topic(&new_topic(topic, cluster.brokers().len())).await {
                Ok(()) => return Ok(()),
                // Another gateway was faster.
                Err(error) if error.code() == Some(ErrorCode::TopicAlreadyExists) => {}
                Err(error) => return Err(error.into()),
            }
            known_by_now(cluster, topic).await?
        }
        found => found?,
    };
    let wrong = |problem: String, remedy: &'static str| {
        Err(OpenError::Topic { topic: topic.to_owned(), problem, remedy })
    };
    if found.partitions.len() != 1 {
        return wrong(
            format!("has {} partitions, not 1", found.partitions.len()),
            "its changes would have no order: name another topic, or delete this one if nothing of yours is in it",
        );
    }
    let configs = cluster.describe_topic_configs(topic).await?;
    let policy = configs.iter().find(|config| config.name == "cleanup.policy");
    let policy = policy.and_then(|config| config.value.as_deref()).unwrap_or("unknown");
    if policy != "compact" {
        return wrong(
            format!("has cleanup.policy={policy}, not compact"),
            "it would lose users and ACLs after its retention: set cleanup.policy=compact with kafka-configs.sh \
             if it has not lost any yet, else name another topic",
        );
    }
    Ok(())
}

/// Waits for a topic that exists to be known to the broker that is asked.
async fn known_by_now(cluster: &mut Cluster, topic: &str) -> Result<schloss_client::TopicInfo, ClientError> {
    const ATTEMPTS: u32 = 20;
    let mut found = cluster.fresh_topic(topic).await;
    for _ in 0..ATTEMPTS {
        match &found {
            Err(error) if error.code() == Some(ErrorCode::UnknownTopicOrPartition) => {}
            _ => break,
        }
        found = cluster.fresh_topic(topic).await;
    }
    found
}

fn new_topic(name: &str, brokers: usize) -> NewTopic {
    let replicas = brokers.clamp(1, REPLICAS);
    let mut configs = BTreeMap::from(
        [
            ("cleanup.policy", "compact"),
            ("unclean.leader.election.enable", "false"),
            ("max.message.bytes", "1048588"),
            // A writer that lost the answer looks for its records: they must not be compacted away till then.
            ("min.compaction.lag.ms", "300000"),
            // Small segments, or nothing would ever be compacted: the newest one never is.
            ("segment.bytes", "16777216"),
            ("segment.ms", "86400000"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    if replicas == REPLICAS {
        configs.insert("min.insync.replicas".to_owned(), "2".to_owned());
    }
    NewTopic {
        name: name.to_owned(),
        partitions: Some(1),
        replication: i16::try_from(replicas).ok(),
        configs,
    }
}
