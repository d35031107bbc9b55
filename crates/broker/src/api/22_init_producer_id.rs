//! InitProducerId: a number for an idempotent producer, never given out twice.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::InitProducerIdRequest;
use schloss_wire::messages::init_producer_id_response::InitProducerIdResponse;
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::reply::{later, ready};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: InitProducerIdRequest,
) -> BoxFuture<'static, Outcome> {
    if let Some(transactional_id) = &request.transactional_id {
        // What clients take for final: a retry would not help before there are transactions.
        let code = if transactional_id.is_empty() {
            ErrorCode::InvalidRequest
        } else {
            ErrorCode::UnsupportedVersion
        };
        return ready(refused(code));
    }
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return ready(refused(ErrorCode::InvalidRequest));
    }
    // An id and epoch that a producer brings along count for transactions only (KIP-360): as in Kafka, an
    // idempotent producer always gets a new id, and bumps its epoch by itself.
    let metadata = Arc::clone(&broker.metadata);
    later(async move {
        match metadata.allocate_producer_id().await {
            Ok(producer_id) => build!(InitProducerIdResponse { producer_id, producer_epoch: 0 }),
            Err(error) => {
                tracing::error!(%error, "cannot reserve producer ids");
                refused(error.code())
            }
        }
    })
}

fn refused(code: ErrorCode) -> InitProducerIdResponse {
    build!(InitProducerIdResponse { error_code: code.code(), producer_id: -1, producer_epoch: -1 })
}
