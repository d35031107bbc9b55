//! DeleteShareGroupOffsets: a share group that nobody is in forgets topics; answered when that is on disk.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::DeleteShareGroupOffsetsRequest;
use schloss_wire::messages::delete_share_group_offsets_request::DeleteShareGroupOffsetsRequestTopic;
use schloss_wire::messages::delete_share_group_offsets_response::{
    DeleteShareGroupOffsetsResponse, DeleteShareGroupOffsetsResponseTopic,
};
use schloss_wire::{ErrorCode, Uuid, build};

use crate::broker::Broker;
use crate::groups::Refused;
use crate::reply::{later, text};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DeleteShareGroupOffsetsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let deleted = delete(&broker, &request).await;
        deleted.unwrap_or_else(|refused| {
            build!(DeleteShareGroupOffsetsResponse {
                error_code: refused.code.code(),
                error_message: text(refused.message),
            })
        })
    })
}

async fn delete(
    broker: &Broker,
    request: &DeleteShareGroupOffsetsRequest,
) -> Result<DeleteShareGroupOffsetsResponse, Refused> {
    broker.groups.check_deserted_share(&request.group_id)?;
    let snapshot = broker.metadata.snapshot();
    let id =
        |topic: &DeleteShareGroupOffsetsRequestTopic| snapshot.topic(&topic.topic_name).map(|found| found.id);
    let ids: Vec<Uuid> = request.topics.iter().filter_map(id).collect();
    let forgotten = broker.shares.forget(&request.group_id, &ids).await;
    forgotten.map_err(|code| Refused::new(code, "the offsets can't be deleted now"))?;
    let answer = |topic: &DeleteShareGroupOffsetsRequestTopic| {
        let refused = id(topic).is_none();
        build!(DeleteShareGroupOffsetsResponseTopic {
            topic_name: topic.topic_name.clone(),
            topic_id: id(topic).unwrap_or(Uuid::ZERO),
            error_code: if refused { ErrorCode::UnknownTopicOrPartition.code() } else { 0 },
            error_message: if refused { text("there is no such topic") } else { None },
        })
    };
    let responses = request.topics.iter().map(answer).collect();
    Ok(build!(DeleteShareGroupOffsetsResponse { error_message: None, responses }))
}
