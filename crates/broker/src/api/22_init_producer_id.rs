//! InitProducerId: a number for a producer, never given out twice, and for transactional ones an epoch that fences
//! whoever came before.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::InitProducerIdRequest;
use schloss_wire::messages::init_producer_id_response::InitProducerIdResponse;
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::reply::later;

/// What stands for no producer id and no epoch.
const NO_PRODUCER: i64 = -1;
const NO_EPOCH: i16 = -1;
/// From here on clients understand PRODUCER_FENCED.
const FENCED_SINCE_VERSION: i16 = 4;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: InitProducerIdRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        match init(&broker, &request).await {
            Ok((producer_id, producer_epoch)) => {
                build!(InitProducerIdResponse { producer_id, producer_epoch })
            }
            Err(ErrorCode::ProducerFenced) if caller.api_version < FENCED_SINCE_VERSION => {
                refused(ErrorCode::InvalidProducerEpoch)
            }
            Err(code) => refused(code),
        }
    })
}

async fn init(broker: &Broker, request: &InitProducerIdRequest) -> Result<(i64, i16), ErrorCode> {
    let (id, epoch) = (request.producer_id, request.producer_epoch);
    if (id == NO_PRODUCER) != (epoch == NO_EPOCH) {
        return Err(ErrorCode::InvalidRequest);
    }
    if let Some(transactional_id) = &request.transactional_id {
        let expected = (id != NO_PRODUCER).then_some((id, epoch));
        return broker.transactions.init(transactional_id, request.transaction_timeout_ms, expected).await;
    }
    // An id and epoch that a producer brings along count for transactions only (KIP-360): as in Kafka, an
    // idempotent producer always gets a new id, and bumps its epoch by itself.
    match broker.metadata.allocate_producer_id().await {
        Ok(producer_id) => Ok((producer_id, 0)),
        Err(error) => {
            tracing::error!(%error, "cannot reserve producer ids");
            Err(error.code())
        }
    }
}

fn refused(code: ErrorCode) -> InitProducerIdResponse {
    build!(InitProducerIdResponse {
        error_code: code.code(),
        producer_id: NO_PRODUCER,
        producer_epoch: NO_EPOCH,
    })
}
