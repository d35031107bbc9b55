//! ListPartitionReassignments: none is ever in progress.

use futures_util::future::BoxFuture;
use schloss_gate::Outcome;
use schloss_wire::build;
use schloss_wire::messages::ListPartitionReassignmentsResponse;

use crate::reply::ready;

pub(crate) fn call() -> BoxFuture<'static, Outcome> {
    ready(build!(ListPartitionReassignmentsResponse { error_message: None }))
}
