//! ListTransactions: transactional ids by state, producer, duration and name.

use futures_util::future::BoxFuture;
use regex::{Regex, RegexBuilder};
use schloss_gate::{Caller, Outcome};
use schloss_wire::messages::list_transactions_request::ListTransactionsRequest;
use schloss_wire::messages::list_transactions_response::{
    ListTransactionsResponse, TransactionState as TransactionLine,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::Broker;
use crate::groups::wire;
use crate::reply::ready;
use crate::transactions::{TransactionFilter, TransactionState};

/// Most bytes that a pattern may take once it is compiled. Matching takes time in proportion to it.
const MAX_PATTERN_BYTES: usize = 1 << 20;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: ListTransactionsRequest,
) -> BoxFuture<'static, Outcome> {
    let pattern = match request.transactional_id_pattern.as_deref().map(compile).transpose() {
        Ok(pattern) => pattern,
        Err(code) => return ready(build!(ListTransactionsResponse { error_code: code.code() })),
    };
    let (mut states, mut unknown_state_filters) = (Vec::new(), Vec::new());
    for name in request.state_filters {
        match TransactionState::from_name(&name) {
            Some(state) => states.push(state),
            None => unknown_state_filters.push(name),
        }
    }
    let nothing_known = states.is_empty() && !unknown_state_filters.is_empty();
    let filter = TransactionFilter {
        states,
        producer_ids: request.producer_id_filters,
        longer_than_ms: Some(request.duration_filter).filter(|duration| *duration >= 0),
        pattern,
    };
    let found = if nothing_known { Vec::new() } else { broker.transactions.list(&filter) };
    let line = |one: crate::transactions::TransactionListing| {
        build!(TransactionLine {
            transactional_id: wire(&one.transactional_id),
            producer_id: one.producer_id,
            transaction_state: wire(one.state.name()),
        })
    };
    ready(build!(ListTransactionsResponse {
        unknown_state_filters,
        transaction_states: found.into_iter().map(line).collect(),
    }))
}

/// A pattern that has to match an id as a whole.
fn compile(pattern: &str) -> Result<Regex, ErrorCode> {
    let build = |pattern: &str| {
        let built = RegexBuilder::new(pattern).size_limit(MAX_PATTERN_BYTES).build();
        built.map_err(|_| ErrorCode::InvalidRegularExpression)
    };
    // On its own first: with the anchors around it, one with a wrong bracket could look right.
    build(pattern)?;
    build(&format!(r"\A(?:{pattern})\z"))
}
