//! DeleteTopics: out of the metadata first, then off the disk.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{Refusal, Snapshot, TopicMeta, TopicRef};
use schloss_wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};
use schloss_wire::messages::delete_topics_response::{DeletableTopicResult, DeleteTopicsResponse};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use crate::broker::Broker;
use crate::reply::{later, on_disk, refusal, text};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DeleteTopicsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let _topology = broker.topology.lock().await;
        // Versions before 6 have a list of names.
        let by_name = |name| build!(DeleteTopicState { name: Some(name) });
        let named = request.topic_names.into_iter().map(by_name);
        let wanted: Vec<DeleteTopicState> = request.topics.into_iter().chain(named).collect();
        let mut found = find_all(&broker.metadata.snapshot(), &wanted);
        if let Err(refused) = delete(&broker, &found).await {
            for outcome in found.iter_mut().filter(|outcome| outcome.is_ok()) {
                *outcome = Err(refused.clone());
            }
        }
        let responses = wanted.into_iter().zip(found).map(|(wanted, found)| answer(wanted, found));
        build!(DeleteTopicsResponse { responses: responses.collect() })
    })
}

fn find_all(snapshot: &Snapshot, wanted: &[DeleteTopicState]) -> Vec<Result<Arc<TopicMeta>, Refusal>> {
    let mut found: Vec<_> = wanted.iter().map(|wanted| find(snapshot, wanted)).collect();
    // A topic may be named twice, also once by name and once by id.
    let mut mentions: HashMap<Uuid, usize> = HashMap::new();
    for topic in found.iter().flatten() {
        *mentions.entry(topic.id).or_default() += 1;
    }
    for outcome in &mut found {
        if outcome.as_ref().is_ok_and(|topic| mentions.get(&topic.id).is_some_and(|count| *count > 1)) {
            let message = "the topic is named more than once in the request";
            *outcome = Err(refusal(ErrorCode::InvalidRequest, message));
        }
    }
    found
}

fn find(snapshot: &Snapshot, wanted: &DeleteTopicState) -> Result<Arc<TopicMeta>, Refusal> {
    let missing = |code| refusal(code, "the topic does not exist");
    match (&wanted.name, wanted.topic_id.is_zero()) {
        (Some(name), true) => {
            snapshot.topic(name.as_str()).cloned().ok_or_else(|| missing(ErrorCode::UnknownTopicOrPartition))
        }
        (None, false) => {
            snapshot.topic_by_id(wanted.topic_id).cloned().ok_or_else(|| missing(ErrorCode::UnknownTopicId))
        }
        (Some(_), false) => {
            Err(refusal(ErrorCode::InvalidRequest, "a topic can be named or given by its id, not both"))
        }
        (None, true) => Err(refusal(ErrorCode::InvalidRequest, "neither a topic's name nor its id is given")),
    }
}

async fn delete(broker: &Broker, found: &[Result<Arc<TopicMeta>, Refusal>]) -> Result<(), Refusal> {
    let topics: Vec<Arc<TopicMeta>> = found.iter().flatten().cloned().collect();
    if topics.is_empty() {
        return Ok(());
    }
    let ids = topics.iter().map(|topic| TopicRef::Id(topic.id)).collect();
    // Under the lock nobody else deletes, so what was found is found again.
    broker.metadata.delete_topics(ids).await.map_err(|error| {
        tracing::error!(%error, "cannot record that topics are deleted");
        refusal(error.code(), "the metadata can't be written")
    })?;
    let owner = broker.clone();
    let remove = move || topics.iter().for_each(|topic| owner.partitions.delete(&topic.name, topic.id));
    // The topics are gone whatever becomes of their files, so an error here is none for the client.
    let _ = on_disk(remove).await;
    let snapshot = broker.metadata.snapshot();
    broker.groups.retain_topics(|id| snapshot.topic_by_id(id).is_some());
    broker.shares.retain_topics(|id| snapshot.topic_by_id(id).is_some());
    Ok(())
}

fn answer(wanted: DeleteTopicState, found: Result<Arc<TopicMeta>, Refusal>) -> DeletableTopicResult {
    match found {
        Ok(topic) => {
            build!(DeletableTopicResult { name: Some(StrBytes::from(&*topic.name)), topic_id: topic.id })
        }
        Err(refused) => build!(DeletableTopicResult {
            name: wanted.name,
            topic_id: wanted.topic_id,
            error_code: refused.code.code(),
            error_message: text(refused.message),
        }),
    }
}
