//! DeleteGroups: an empty group goes, with all its offsets; answered when that is on disk.

use futures_util::future::{BoxFuture, join_all};
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::delete_groups_request::DeleteGroupsRequest;
use schloss_wire::messages::delete_groups_response::{DeletableGroupResult, DeleteGroupsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::groups::{Groups, error_of};
use crate::reply::{later, text};

/// From here on a result says in words what is wrong.
const FIRST_WITH_MESSAGE: i16 = 3;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: DeleteGroupsRequest,
) -> BoxFuture<'static, Outcome> {
    let groups = broker.groups.clone();
    later(async move {
        let names = request.groups_names.into_iter();
        let deletions = names.map(|group_id| delete(&groups, group_id, caller.api_version));
        build!(DeleteGroupsResponse { results: join_all(deletions).await })
    })
}

async fn delete(groups: &Groups, group_id: StrBytes, version: i16) -> DeletableGroupResult {
    let deleted = groups.delete(group_id.as_str()).await;
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
