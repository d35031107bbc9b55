//! What administrators see of transactions.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_wire::{ErrorCode, Uuid};

use super::coordinator::Transactions;
use super::transaction::{Transaction, TransactionState};
use crate::reply::now_ms;

/// One line of a list of transactions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TransactionListing {
    pub(crate) transactional_id: Arc<str>,
    pub(crate) producer_id: i64,
    pub(crate) state: TransactionState,
}

/// A transactional id in full.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct TransactionDescription {
    pub(crate) state: TransactionState,
    pub(crate) timeout_ms: i32,
    /// In milliseconds since the epoch; -1 if nothing was begun.
    pub(crate) started_ms: i64,
    pub(crate) producer_id: i64,
    pub(crate) epoch: i16,
    /// Partitions of each topic.
    pub(crate) topics: BTreeMap<Uuid, Vec<i32>>,
}

/// Which transactions are to be listed.
#[derive(Default)]
pub(crate) struct TransactionFilter {
    /// In one of these states; in any if there is none.
    pub(crate) states: Vec<TransactionState>,
    /// With one of these producer ids; with any if there is none.
    pub(crate) producer_ids: Vec<i64>,
    /// Begun longer ago than this, in milliseconds.
    pub(crate) longer_than_ms: Option<i64>,
    /// Whose id matches as a whole.
    pub(crate) pattern: Option<regex::Regex>,
}

impl TransactionFilter {
    fn lets_through(&self, id: &str, transaction: &Transaction, now_ms: i64) -> bool {
        let lasts = now_ms.saturating_sub(transaction.started_ms);
        (self.states.is_empty() || self.states.contains(&transaction.state))
            && (self.producer_ids.is_empty() || self.producer_ids.contains(&transaction.producer_id))
            && self.longer_than_ms.is_none_or(|longer| lasts > longer)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
    }
}

impl Transactions {
    /// The transactional ids that the filter lets through, in order.
    pub(crate) fn list(&self, filter: &TransactionFilter) -> Vec<TransactionListing> {
        let (state, now) = (self.inner.state.lock(), now_ms());
        let wanted =
            state.known.iter().filter(|(id, known)| filter.lets_through(id, &known.transaction, now));
        let mut found: Vec<_> = wanted
            .map(|(id, known)| TransactionListing {
                transactional_id: Arc::clone(id),
                producer_id: known.transaction.producer_id,
                state: known.transaction.state,
            })
            .collect();
        drop(state);
        found.sort_by(|one, other| one.transactional_id.cmp(&other.transactional_id));
        found
    }

    /// A transactional id.
    pub(crate) fn describe(&self, id: &str) -> Result<TransactionDescription, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::InvalidRequest);
        }
        let state = self.inner.state.lock();
        let known = state.known.get(id).ok_or(ErrorCode::TransactionalIdNotFound)?;
        let transaction = &known.transaction;
        let mut topics: BTreeMap<Uuid, Vec<i32>> = BTreeMap::new();
        for (topic, index) in &transaction.partitions {
            topics.entry(*topic).or_default().push(*index);
        }
        Ok(TransactionDescription {
            state: transaction.state,
            timeout_ms: transaction.timeout_ms,
            started_ms: transaction.started_ms,
            producer_id: transaction.producer_id,
            epoch: transaction.epoch,
            topics,
        })
    }
}
