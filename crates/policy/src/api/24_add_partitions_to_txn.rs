//! AddPartitionsToTxn: of clients, WRITE on the transactional id and on every topic; of brokers,
//! CLUSTER_ACTION.

use schloss_wire::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use schloss_wire::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use schloss_wire::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, allow, conclude_split, reserved_refusal};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::table;

/// First version with many transactions, which is for brokers only (KIP-890).
const BROKERS_ONLY: i16 = 4;

pub(super) fn admit(
    request: AddPartitionsToTxnRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    if version < BROKERS_ONLY {
        admit_client(request, judge, topics)
    } else {
        admit_broker(request, version, judge, topics)
    }
}

fn admit_client(
    request: AddPartitionsToTxnRequest,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [write, write_topic, _] = table::ADD_PARTITIONS_TO_TXN;
    let asked = &request.v3_and_below_topics;
    let refused = match write.refusal(judge, &request.v3_and_below_transactional_id) {
        Some(code) => Some(refuse_topics(asked, code)),
        None => refuse_all_if_one_is(asked, topics, |name| write_topic.refusal(judge, name)),
    };
    match refused {
        Some(results_by_topic_v3_and_below) => {
            Verdict::Refused(build!(AddPartitionsToTxnResponse { results_by_topic_v3_and_below }).into())
        }
        None => allow(request),
    }
}

fn admit_broker(
    mut request: AddPartitionsToTxnRequest,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [_, _, act] = table::ADD_PARTITIONS_TO_TXN;
    if let Some(code) = act.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(&request, version, code).into());
    }
    let mut refused = Vec::new();
    request.transactions.retain(|transaction| {
        let topic_results =
            refuse_all_if_one_is(&transaction.topics, topics, |name| reserved_refusal(judge, name));
        let Some(topic_results) = topic_results else { return true };
        let transactional_id = transaction.transactional_id.clone();
        refused.push(build!(AddPartitionsToTxnResult { transactional_id, topic_results }));
        false
    });
    let left = Left::after(&request.transactions, &refused);
    conclude_split(request, left, judge, move |response: &mut AddPartitionsToTxnResponse, _| {
        response.results_by_transaction.extend(refused);
    })
}

/// A transaction gets all of its topics or none. Those that it would have got, and missing ones, are told apart
/// by errors of their own.
fn refuse_all_if_one_is(
    asked: &[AddPartitionsToTxnTopic],
    topics: &dyn TopicNames,
    mut error_of: impl FnMut(&str) -> Option<ErrorCode>,
) -> Option<Vec<AddPartitionsToTxnTopicResult>> {
    let codes: Vec<_> = asked.iter().map(|topic| error_of(&topic.name)).collect();
    let refuse = |(topic, code): (&AddPartitionsToTxnTopic, &Option<ErrorCode>)| {
        let otherwise = || match topics.exists(&topic.name) {
            true => ErrorCode::OperationNotAttempted,
            false => ErrorCode::UnknownTopicOrPartition,
        };
        refuse_topic(topic, code.unwrap_or_else(otherwise))
    };
    codes.iter().any(Option::is_some).then(|| asked.iter().zip(&codes).map(refuse).collect())
}

pub(super) fn refuse(
    request: &AddPartitionsToTxnRequest,
    version: i16,
    code: ErrorCode,
) -> AddPartitionsToTxnResponse {
    if version < BROKERS_ONLY {
        let results_by_topic_v3_and_below = refuse_topics(&request.v3_and_below_topics, code);
        return build!(AddPartitionsToTxnResponse { results_by_topic_v3_and_below });
    }
    build!(AddPartitionsToTxnResponse { error_code: code.code() })
}

fn refuse_topics(topics: &[AddPartitionsToTxnTopic], code: ErrorCode) -> Vec<AddPartitionsToTxnTopicResult> {
    topics.iter().map(|topic| refuse_topic(topic, code)).collect()
}

fn refuse_topic(topic: &AddPartitionsToTxnTopic, code: ErrorCode) -> AddPartitionsToTxnTopicResult {
    let partitions = topic.partitions.iter().map(|&partition_index| {
        build!(AddPartitionsToTxnPartitionResult { partition_index, partition_error_code: code.code() })
    });
    build!(AddPartitionsToTxnTopicResult {
        name: topic.name.clone(),
        results_by_partition: partitions.collect(),
    })
}
