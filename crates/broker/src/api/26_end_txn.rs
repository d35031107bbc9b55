//! EndTxn: commits or aborts a producer's transaction; answered when that is decided for good.

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::{EndTxnRequest, EndTxnResponse};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::producers::TransactionVersion;
use crate::reply::later;
use crate::transactions::Claimant;

/// From here on clients understand PRODUCER_FENCED.
const FENCED_SINCE_VERSION: i16 = 2;
/// KIP-890: from here on the producer gets a new epoch with every end.
const TRANSACTIONS_V2_SINCE_VERSION: i16 = 5;
/// What stands for no producer id and no epoch.
const NO_PRODUCER: i64 = -1;
const NO_EPOCH: i16 = -1;

pub(crate) fn call(broker: &Broker, caller: Caller, request: EndTxnRequest) -> BoxFuture<'static, Outcome> {
    let transactions = broker.transactions.clone();
    later(async move {
        let producer = Claimant {
            transactional_id: &request.transactional_id,
            producer_id: request.producer_id,
            epoch: request.producer_epoch,
        };
        let version = if caller.api_version >= TRANSACTIONS_V2_SINCE_VERSION {
            TransactionVersion::V2
        } else {
            TransactionVersion::V1
        };
        let ended = transactions.end(producer, request.committed, version).await;
        let (producer_id, producer_epoch) = match (&ended, version) {
            (Ok(producer), TransactionVersion::V2) => *producer,
            _ => (NO_PRODUCER, NO_EPOCH),
        };
        let code = match ended {
            Ok(_) => ErrorCode::None,
            Err(ErrorCode::ProducerFenced) if caller.api_version < FENCED_SINCE_VERSION => {
                ErrorCode::InvalidProducerEpoch
            }
            Err(code) => code,
        };
        build!(EndTxnResponse { error_code: code.code(), producer_id, producer_epoch })
    })
}
