//! ListTransactions: everybody sees the transactional ids that they may DESCRIBE.

use schloss_wire::messages::{ListTransactionsRequest, ListTransactionsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::allow_with;
use crate::admission::Verdict;
use crate::table;

pub(super) fn admit(request: ListTransactionsRequest) -> Verdict {
    let [see] = table::LIST_TRANSACTIONS;
    allow_with(request, move |response: &mut ListTransactionsResponse, judge| {
        response.transaction_states.retain(|transaction| see.shows(judge, &transaction.transactional_id));
    })
}

pub(super) fn refuse(code: ErrorCode) -> ListTransactionsResponse {
    build!(ListTransactionsResponse { error_code: code.code() })
}
