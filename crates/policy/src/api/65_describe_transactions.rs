//! DescribeTransactions: DESCRIBE on every transactional id; its topics are those with DESCRIBE.

use schloss_wire::messages::describe_transactions_response::TransactionState;
use schloss_wire::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, conclude, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: DescribeTransactionsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe, see_topic] = table::DESCRIBE_TRANSACTIONS;
    let denied = take_denied(&mut request.transactional_ids, |id| describe.refusal(judge, id));
    let left = Left::after(&request.transactional_ids, &denied);
    conclude(request, left, judge, move |response: &mut DescribeTransactionsResponse, judge| {
        for transaction in &mut response.transaction_states {
            transaction.topics.retain(|topic| see_topic.shows(judge, &topic.topic));
        }
        response.transaction_states.extend(denied.iter().map(|(id, code)| refuse_id(id, *code)));
    })
}

pub(super) fn refuse(request: &DescribeTransactionsRequest, code: ErrorCode) -> DescribeTransactionsResponse {
    let transaction_states = request.transactional_ids.iter().map(|id| refuse_id(id, code)).collect();
    build!(DescribeTransactionsResponse { transaction_states })
}

fn refuse_id(id: &StrBytes, code: ErrorCode) -> TransactionState {
    build!(TransactionState { error_code: code.code(), transactional_id: id.clone() })
}
