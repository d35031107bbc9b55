//! CreatePartitions: a topic gets more partitions; it never gets fewer.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{Refusal, TopicMeta};
use schloss_wire::messages::create_partitions_request::{CreatePartitionsRequest, CreatePartitionsTopic};
use schloss_wire::messages::create_partitions_response::{
    CreatePartitionsResponse, CreatePartitionsTopicResult,
};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::api::create_topics::{check_assignment, check_room};
use crate::broker::Broker;
use crate::partitions::TopicLogs;
use crate::reply::{later, on_disk, refusal, text};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: CreatePartitionsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let _topology = broker.topology.lock().await;
        let mut mentions: HashMap<StrBytes, usize> = HashMap::new();
        for topic in &request.topics {
            *mentions.entry(topic.name.clone()).or_default() += 1;
        }
        let mut results = Vec::with_capacity(request.topics.len());
        let mut planned = 0;
        for wanted in request.topics {
            let outcome = if mentions.get(&wanted.name).is_some_and(|count| *count > 1) {
                Err(refusal(ErrorCode::InvalidRequest, "the topic is named more than once in the request"))
            } else {
                match check(&broker, &wanted, planned).await {
                    Ok(topic) if request.validate_only => {
                        planned += usize::try_from(wanted.count - topic.partitions).unwrap_or(0);
                        Ok(())
                    }
                    Ok(topic) => grow(&broker, topic, wanted.count).await,
                    Err(refused) => Err(refused),
                }
            };
            results.push(answer(wanted.name, outcome));
        }
        build!(CreatePartitionsResponse { results })
    })
}

/// Checks a wish, and returns the topic as it is now.
async fn check(
    broker: &Broker,
    wanted: &CreatePartitionsTopic,
    planned: usize,
) -> Result<Arc<TopicMeta>, Refusal> {
    let name = wanted.name.as_str();
    let topic = broker.metadata.snapshot().topic(name).cloned();
    change(broker, name, wanted.count, true).await?;
    let topic =
        topic.ok_or_else(|| refusal(ErrorCode::UnknownTopicOrPartition, "the topic does not exist"))?;
    let more = wanted.count.saturating_sub(topic.partitions);
    check_room(&broker.config, broker.partitions.count() + planned, more)?;
    if let Some(assignments) = &wanted.assignments {
        if i32::try_from(assignments.len()) != Ok(more) {
            let message = format!("{more} partition(s) are added but {} assigned", assignments.len());
            return Err(refusal(ErrorCode::InvalidReplicaAssignment, message));
        }
        for assignment in assignments {
            check_assignment(&assignment.broker_ids, &broker.config)?;
        }
    }
    Ok(topic)
}

/// Makes the partitions on disk, then names them in the metadata, then lets clients reach them.
async fn grow(broker: &Broker, topic: Arc<TopicMeta>, partitions: i32) -> Result<(), Refusal> {
    let owner = broker.clone();
    let logs = TopicLogs::of(&topic, partitions, &broker.config);
    let present = usize::try_from(topic.partitions).unwrap_or(0);
    let created = match on_disk(move || owner.partitions.create(&logs, present)).await {
        Ok(Ok(created)) => created,
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot create partitions");
            return Err(refusal(ErrorCode::KafkaStorageError, "the partitions' logs can't be created"));
        }
        Err(code) => return Err(refusal(code, "the partitions were not created")),
    };
    let changed = change(broker, &topic.name, partitions, false).await;
    if changed.is_ok() {
        broker.partitions.publish(created);
    } else {
        let owner = broker.clone();
        let _ = on_disk(move || owner.partitions.abandon(created)).await;
    }
    changed
}

async fn change(broker: &Broker, topic: &str, partitions: i32, validate_only: bool) -> Result<(), Refusal> {
    let wish = vec![(topic.to_owned(), partitions)];
    match broker.metadata.create_partitions(wish, validate_only).await {
        Ok(outcomes) => outcomes.into_iter().try_for_each(|outcome| outcome.map(drop)),
        Err(error) => {
            tracing::error!(%error, "cannot record new partitions");
            Err(refusal(error.code(), "the metadata can't be written"))
        }
    }
}

fn answer(name: StrBytes, outcome: Result<(), Refusal>) -> CreatePartitionsTopicResult {
    match outcome {
        Ok(()) => build!(CreatePartitionsTopicResult { name, error_message: None }),
        Err(refused) => build!(CreatePartitionsTopicResult {
            name,
            error_code: refused.code.code(),
            error_message: text(refused.message),
        }),
    }
}
