//! FindCoordinator: which node looks after a group or a transactional id; there is one node.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::find_coordinator_request::FindCoordinatorRequest;
use schloss_wire::messages::find_coordinator_response::{Coordinator, FindCoordinatorResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::{Advertised, Broker};
use crate::groups::wire;
use crate::reply::{ready, text};

/// KIP-699: from here on a request asks for several keys, and each has an answer of its own.
const FIRST_WITH_BATCHES: i16 = 4;

/// Kinds of keys.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// What belongs into an answer when there is no coordinator.
const NO_NODE: i32 = -1;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: FindCoordinatorRequest,
) -> BoxFuture<'static, Outcome> {
    let found = find(broker, &caller, request.key_type);
    let node_id = broker.config.node_id;
    if caller.api_version >= FIRST_WITH_BATCHES {
        let answer = |key| to_coordinator(key, node_id, &found);
        let coordinators = request.coordinator_keys.into_iter().map(answer).collect();
        return ready(build!(FindCoordinatorResponse { coordinators }));
    }
    let Coordinator { error_code, error_message, node_id, host, port, .. } =
        to_coordinator(request.key, node_id, &found);
    ready(build!(FindCoordinatorResponse { error_code, error_message, node_id, host, port }))
}

type Refused = (ErrorCode, &'static str);

fn find<'a>(broker: &'a Broker, caller: &Caller, key_type: i8) -> Result<&'a Advertised, Refused> {
    match key_type {
        GROUP | TRANSACTION => broker
            .advertised(&caller.listener)
            .ok_or((ErrorCode::CoordinatorNotAvailable, "no address is advertised for this listener")),
        _ => Err((ErrorCode::InvalidRequest, "this broker coordinates groups and transactions only")),
    }
}

fn to_coordinator(key: StrBytes, node_id: i32, found: &Result<&Advertised, Refused>) -> Coordinator {
    match found {
        Ok(advertised) => build!(Coordinator {
            key,
            node_id,
            host: wire(&advertised.host),
            port: i32::from(advertised.port),
        }),
        Err((code, message)) => build!(Coordinator {
            key,
            node_id: NO_NODE,
            port: NO_NODE,
            error_code: code.code(),
            error_message: text(message),
        }),
    }
}
