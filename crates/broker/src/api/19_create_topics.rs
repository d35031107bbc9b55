//! CreateTopics: into the metadata, then onto the disk; answered when the topic can be written to.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{NewTopic, Refusal, Snapshot, TopicMeta, TopicRef, check_topic_name};
use schloss_wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreateTopicsRequest,
};
use schloss_wire::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult, CreateTopicsResponse,
};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use crate::broker::{Broker, BrokerConfig};
use crate::partitions::TopicLogs;
use crate::reply::{later, on_disk, refusal, text};
use crate::settings::{Setting, TOPIC_SETTINGS, TopicSettings};

/// There is one node, so there is one replica.
const REPLICATION_FACTOR: i16 = 1;
/// What a client sends that leaves a number to the broker.
const UNSET: i32 = -1;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: CreateTopicsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let topics = create(&broker, request.topics, request.validate_only).await.into_iter();
        let answer = |(name, topic)| answer(&broker.config, name, topic, request.validate_only);
        build!(CreateTopicsResponse { topics: topics.map(answer).collect() })
    })
}

/// Creates topics: one result for each name, in the order in which they are named first.
pub(crate) async fn create(
    broker: &Broker,
    topics: Vec<CreatableTopic>,
    validate_only: bool,
) -> Vec<(StrBytes, Result<Arc<TopicMeta>, Refusal>)> {
    let _topology = broker.topology.lock().await;
    let wishes = plan_all(broker, topics);
    create_all(broker, wishes, validate_only).await
}

/// Checks every topic asked for, as far as the metadata doesn't do that itself.
fn plan_all(broker: &Broker, topics: Vec<CreatableTopic>) -> Vec<(StrBytes, Result<NewTopic, Refusal>)> {
    let snapshot = broker.metadata.snapshot();
    let mut mentions: HashMap<StrBytes, usize> = HashMap::new();
    for topic in &topics {
        *mentions.entry(topic.name.clone()).or_default() += 1;
    }
    let mut partitions = broker.partitions.count();
    let mut wishes = Vec::with_capacity(topics.len());
    for asked in topics {
        let wish = match mentions.remove(&asked.name) {
            // It was answered where it was named first.
            None => continue,
            Some(1) => plan(&snapshot, &broker.config, &asked, &mut partitions),
            Some(_) => {
                Err(refusal(ErrorCode::InvalidRequest, "the topic is named more than once in the request"))
            }
        };
        wishes.push((asked.name, wish));
    }
    wishes
}

fn plan(
    snapshot: &Snapshot,
    node: &BrokerConfig,
    asked: &CreatableTopic,
    partitions_so_far: &mut usize,
) -> Result<NewTopic, Refusal> {
    let name = asked.name.as_str();
    check_topic_name(name)?;
    if snapshot.topic(name).is_some() {
        // Kafka says so before it looks at the rest.
        return Err(refusal(ErrorCode::TopicAlreadyExists, format_args!("Topic '{name}' already exists.")));
    }
    let mut configs = BTreeMap::new();
    for config in &asked.configs {
        let Some(value) = &config.value else {
            let message = format!("null is no value for {}", config.name.as_str().escape_debug());
            return Err(refusal(ErrorCode::InvalidConfig, message));
        };
        configs.insert(config.name.as_str().to_owned(), value.as_str().trim().to_owned());
    }
    TopicSettings::check(&configs).map_err(|message| refusal(ErrorCode::InvalidConfig, message))?;
    let partitions = if asked.assignments.is_empty() {
        partitions_by_number(asked, node)?
    } else {
        partitions_by_assignment(asked, node)?
    };
    check_room(node, *partitions_so_far, partitions)?;
    *partitions_so_far += usize::try_from(partitions).unwrap_or(0);
    Ok(NewTopic { name: name.to_owned(), partitions, configs })
}

fn partitions_by_number(asked: &CreatableTopic, node: &BrokerConfig) -> Result<i32, Refusal> {
    match asked.replication_factor {
        REPLICATION_FACTOR | -1 => {}
        factor => {
            return Err(refusal(
                ErrorCode::InvalidReplicationFactor,
                format_args!("replication factor {factor} cannot be reached: there is 1 broker, use 1 or -1"),
            ));
        }
    }
    match asked.num_partitions {
        UNSET => Ok(node.default_partitions),
        count @ 1.. => Ok(count),
        _ => {
            let message = "the number of partitions must be larger than 0, or -1 for the default";
            Err(refusal(ErrorCode::InvalidPartitions, message))
        }
    }
}

fn partitions_by_assignment(asked: &CreatableTopic, node: &BrokerConfig) -> Result<i32, Refusal> {
    if asked.replication_factor != -1 || asked.num_partitions != UNSET {
        let message = "with a manual assignment, partitions and replication factor must be -1";
        return Err(refusal(ErrorCode::InvalidRequest, message));
    }
    let mut indexes: Vec<i32> = asked.assignments.iter().map(|one| one.partition_index).collect();
    indexes.sort_unstable();
    if !(0..).zip(&indexes).all(|(expected, index)| expected == *index) {
        let message = "partitions of a manual assignment must be numbered from 0, each of them once";
        return Err(refusal(ErrorCode::InvalidReplicaAssignment, message));
    }
    let brokers = asked.assignments.iter().map(|CreatableReplicaAssignment { broker_ids, .. }| broker_ids);
    brokers.into_iter().try_for_each(|brokers| check_assignment(brokers, node))?;
    i32::try_from(indexes.len()).map_err(|_| refusal(ErrorCode::InvalidPartitions, "too many partitions"))
}

/// Checks the replicas that a client chose for one partition.
pub(crate) fn check_assignment(brokers: &[i32], node: &BrokerConfig) -> Result<(), Refusal> {
    if brokers == [node.node_id] {
        return Ok(());
    }
    let message =
        format_args!("broker {} is the only one, so it alone can hold a partition", node.node_id).to_string();
    Err(refusal(ErrorCode::InvalidReplicaAssignment, message))
}

/// Checks that `more` partitions are within what this node holds at most.
pub(crate) fn check_room(node: &BrokerConfig, existing: usize, more: i32) -> Result<(), Refusal> {
    let wanted = existing.saturating_add(usize::try_from(more).unwrap_or(usize::MAX));
    if wanted <= node.max_partitions {
        return Ok(());
    }
    let limit = node.max_partitions;
    let message =
        format!("the broker would hold {wanted} partitions, its limit is {limit} (log.max_partitions)");
    Err(refusal(ErrorCode::PolicyViolation, message))
}

/// Creates what is planned, first in the metadata and then on disk.
async fn create_all(
    broker: &Broker,
    wishes: Vec<(StrBytes, Result<NewTopic, Refusal>)>,
    validate_only: bool,
) -> Vec<(StrBytes, Result<Arc<TopicMeta>, Refusal>)> {
    let planned: Vec<NewTopic> = wishes.iter().filter_map(|(_, wish)| wish.as_ref().ok().cloned()).collect();
    let recorded = broker.metadata.create_topics(planned, validate_only).await.map_err(|error| {
        tracing::error!(%error, "cannot record new topics");
        refusal(error.code(), "the metadata can't be written")
    });
    let mut recorded = recorded.map(Vec::into_iter);
    let mut outcomes = Vec::with_capacity(wishes.len());
    for (name, wish) in wishes {
        let outcome = match (wish, &mut recorded) {
            (Err(refused), _) => Err(refused),
            (Ok(_), Err(refused)) => Err(refused.clone()),
            (Ok(_), Ok(recorded)) => recorded
                .next()
                .unwrap_or_else(|| Err(refusal(ErrorCode::UnknownServerError, "the topic was not created"))),
        };
        let outcome = match outcome {
            Ok(topic) if !validate_only => make_partitions(broker, topic).await,
            outcome => outcome,
        };
        outcomes.push((name, outcome));
    }
    outcomes
}

/// Makes the partitions of a topic that the metadata has; takes the topic back if that fails. A crash before
/// this is made up for at the start.
async fn make_partitions(broker: &Broker, topic: Arc<TopicMeta>) -> Result<Arc<TopicMeta>, Refusal> {
    let owner = broker.clone();
    let logs = TopicLogs::of(&topic, topic.partitions, &broker.config);
    let made = on_disk(move || {
        let created = owner.partitions.create(&logs, 0)?;
        owner.partitions.publish(created);
        Ok::<_, crate::directories::DirectoryError>(())
    });
    let code = match made.await {
        Ok(Ok(())) => return Ok(topic),
        Ok(Err(error)) => {
            tracing::error!(%error, topic = %topic.name, "cannot create the partitions of a topic");
            ErrorCode::KafkaStorageError
        }
        Err(code) => code,
    };
    if let Err(error) = broker.metadata.delete_topics(vec![TopicRef::Id(topic.id)]).await {
        tracing::error!(%error, topic = %topic.name, "cannot take back a topic without partitions");
    }
    Err(refusal(code, "the topic's logs can't be created"))
}

fn answer(
    node: &BrokerConfig,
    name: StrBytes,
    topic: Result<Arc<TopicMeta>, Refusal>,
    validate_only: bool,
) -> CreatableTopicResult {
    match topic {
        Ok(topic) => {
            let settings = TopicSettings::new(&topic.configs, node);
            let config = |setting: &Setting| {
                let (value, source) = settings.effective(setting);
                build!(CreatableTopicConfigs {
                    name: StrBytes::from(setting.name),
                    value: text(value),
                    config_source: source.code(),
                })
            };
            build!(CreatableTopicResult {
                name,
                topic_id: if validate_only { Uuid::ZERO } else { topic.id },
                error_message: None,
                num_partitions: topic.partitions,
                replication_factor: REPLICATION_FACTOR,
                configs: Some(TOPIC_SETTINGS.iter().map(config).collect()),
            })
        }
        Err(refused) => build!(CreatableTopicResult {
            name,
            error_code: refused.code.code(),
            error_message: text(refused.message),
        }),
    }
}
