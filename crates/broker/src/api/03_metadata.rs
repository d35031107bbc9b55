//! Metadata

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::ErrorCode;
use schloss_wire::messages::MetadataRequest;

use crate::broker::Broker;
use crate::reply::ready;

pub(crate) fn call(_broker: &Broker, caller: Caller, request: MetadataRequest) -> BoxFuture<'static, Outcome> {
    ready(schloss_policy::refuse(&request.into(), caller.api_version, ErrorCode::UnknownServerError, None))
}
