//! AddOffsetsToTxn: a group's offsets take part in a producer's transaction. Producers of the newer kind do
//! without: their commits say so (KIP-890).

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::groups::{MAX_GROUP_ID_BYTES, shared};
use crate::reply::later;
use crate::transactions::Claimant;

/// From here on clients understand PRODUCER_FENCED.
const FENCED_SINCE_VERSION: i16 = 2;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: AddOffsetsToTxnRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let code = match add(&broker, &request).await {
            Err(ErrorCode::ProducerFenced) if caller.api_version < FENCED_SINCE_VERSION => {
                ErrorCode::InvalidProducerEpoch
            }
            added => added.err().unwrap_or(ErrorCode::None),
        };
        build!(AddOffsetsToTxnResponse { error_code: code.code() })
    })
}

async fn add(broker: &Broker, request: &AddOffsetsToTxnRequest) -> Result<(), ErrorCode> {
    if request.group_id.len() > MAX_GROUP_ID_BYTES {
        return Err(ErrorCode::InvalidGroupId);
    }
    let producer = Claimant {
        transactional_id: &request.transactional_id,
        producer_id: request.producer_id,
        epoch: request.producer_epoch,
    };
    broker.transactions.add_durably(producer, &[], &[shared(&request.group_id)]).await
}
