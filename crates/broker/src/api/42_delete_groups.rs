//! DeleteGroups: an empty group goes, with all its offsets or what it shares; answered when that is on disk.

use futures_util::future::{BoxFuture, join_all};
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::delete_groups_request::DeleteGroupsRequest;
use schloss_wire::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::groups::error_of;
use crate::reply::{later, text};

/// From here on a result says in words what is wrong.
const FIRST_WITH_MESSAGE: i16 = 3;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: DeleteGroupsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let names = request.groups_names.into_iter();
        let deletions = names.map(|group_id| delete(&broker, group_id, caller.api_version));
        build!(DeleteGroupsResponse { results: join_all(deletions).await })
    })
}

async fn delete(broker: &Broker, group_id: StrBytes, version: i16) -> DeletableGroupResult {
    let is_share = broker.groups.is_share(group_id.as_str());
    let mut deleted = broker.groups.delete(group_id.as_str()).await;
    if deleted.is_ok() && is_share {
        deleted = broker.shares.delete_group(group_id.as_str()).await;
    }
    let message = deleted.err().filter(|_| version >= FIRST_WITH_MESSAGE).and_then(explain);
    build!(DeletableGroupResult { group_id, error_code: error_of(deleted), error_message: message })
}

fn explain(code: ErrorCode) -> Option<StrBytes> {
    match code {
        ErrorCode::NonEmptyGroup => text("the group has members: stop its consumers, then delete it"),
        ErrorCode::GroupIdNotFound => text("the group does not exist"),
        _ => None,
    }
}
