//! Partitions that requests make and delete (KIP-599).

use std::time::Duration;

use schloss_metadata::Snapshot;
use schloss_policy::{Admitted, Mutation, refuse};
use schloss_wire::{ErrorCode, Request, Response};

use super::Account;

/// What clients are told about entries that they have to send again.
const EXCEEDED: &str = "The throttling quota has been exceeded.";

/// Pays for the partitions that a request makes or deletes. Clients that know how to be refused are: entries that
/// come when too much was made already are taken out. Others are served, and wait. Returns how long to wait, and the
/// answer to what was taken out.
pub(crate) fn limit_mutations(
    account: &Account,
    admitted: &mut Admitted,
    version: i16,
    snapshot: &Snapshot,
) -> (Duration, Option<Response>) {
    let strict_since = match admitted.request() {
        Request::CreateTopics(request) if !request.validate_only => 6,
        Request::CreatePartitions(request) if !request.validate_only => 3,
        Request::DeleteTopics(_) => 5,
        _ => return (Duration::ZERO, None),
    };
    if !account.counts_mutations() {
        return (Duration::ZERO, None);
    }
    let is_strict = version >= strict_since;
    let mut delay = Duration::ZERO;
    let taken = admitted.split_off(|mutation| {
        let partitions = partitions(mutation, snapshot);
        if partitions == 0 {
            return true;
        }
        if is_strict {
            let result = account.try_mutate(partitions);
            delay = delay.max(result.err().unwrap_or_default());
            return result.is_ok();
        }
        delay = account.mutate(partitions);
        true
    });
    let code = ErrorCode::ThrottlingQuotaExceeded;
    (delay, taken.map(|request| refuse(&request, version, code, Some(EXCEEDED))))
}

/// How many partitions it makes or deletes; what will not be done counts for nothing.
fn partitions(mutation: Mutation<'_>, snapshot: &Snapshot) -> u32 {
    let existing = |name: &str| snapshot.topic(name).map_or(0, |topic| topic.partitions);
    let count = match mutation {
        // Without a number the engine's default holds, which is one unless it is set.
        Mutation::Create(topic) if topic.num_partitions > 0 => topic.num_partitions,
        Mutation::Create(topic) => i32::try_from(topic.assignments.len()).unwrap_or(i32::MAX).max(1),
        Mutation::Grow(topic) => match existing(&topic.name) {
            0 => 0,
            before => topic.count.saturating_sub(before),
        },
        Mutation::DeleteNamed(name) => existing(name),
        Mutation::Delete(state) => match &state.name {
            Some(name) => existing(name),
            None => snapshot.topic_by_id(state.topic_id).map_or(0, |topic| topic.partitions),
        },
    };
    u32::try_from(count).unwrap_or(0)
}

/// Puts the entries that were refused into the answer about the others.
pub(crate) fn merge(response: &mut Response, refused: Response) {
    match (response, refused) {
        (Response::CreateTopics(into), Response::CreateTopics(from)) => into.topics.extend(from.topics),
        (Response::CreatePartitions(into), Response::CreatePartitions(from)) => {
            into.results.extend(from.results);
        }
        (Response::DeleteTopics(into), Response::DeleteTopics(from)) => into.responses.extend(from.responses),
        (into, from) => debug_assert!(false, "{:?} can't take {:?}", into.api(), from.api()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use schloss_metadata::{Record, SaltKeyRecord, State};
    use schloss_wire::messages::create_partitions_request::CreatePartitionsTopic;
    use schloss_wire::messages::create_topics_request::{CreatableReplicaAssignment, CreatableTopic};
    use schloss_wire::messages::delete_topics_request::DeleteTopicState;
    use schloss_wire::{Uuid, build};

    use super::*;

    #[test]
    fn what_is_made_and_deleted_is_counted_in_partitions() {
        let id = Uuid::from_bytes([7; 16]);
        let records = [
            Record::ClusterId { id: "c".to_owned() },
            Record::FakeSaltKey(SaltKeyRecord::generate()),
            Record::Topic { name: "t".to_owned(), id, partitions: 5, configs: BTreeMap::new() },
        ];
        let snapshot = State::new(records, Vec::new()).unwrap().snapshot();
        let count = |mutation: Mutation<'_>| partitions(mutation, &snapshot);
        let named = |name: &str| build!(DeleteTopicState { name: Some(name.into()) });
        let by_id = |topic_id| build!(DeleteTopicState { name: None, topic_id });
        assert_eq!(count(Mutation::Delete(&named("t"))), 5);
        assert_eq!(count(Mutation::Delete(&named("unknown"))), 0);
        assert_eq!(count(Mutation::Delete(&by_id(id))), 5);
        assert_eq!(count(Mutation::Delete(&by_id(Uuid::from_bytes([8; 16])))), 0);
        assert_eq!(count(Mutation::DeleteNamed(&"t".into())), 5);
        let grown = |name: &str, count| build!(CreatePartitionsTopic { name: name.into(), count });
        assert_eq!(count(Mutation::Grow(&grown("t", 8))), 3);
        assert_eq!(count(Mutation::Grow(&grown("t", 5))), 0);
        assert_eq!(count(Mutation::Grow(&grown("t", -1))), 0);
        assert_eq!(count(Mutation::Grow(&grown("unknown", 8))), 0);
        let made = |num_partitions| build!(CreatableTopic { name: "n".into(), num_partitions });
        assert_eq!(count(Mutation::Create(&made(3))), 3);
        assert_eq!(count(Mutation::Create(&made(-1))), 1, "the default");
        let assignments = vec![CreatableReplicaAssignment::default(); 4];
        assert_eq!(count(Mutation::Create(&build!(CreatableTopic { num_partitions: -1, assignments }))), 4);
    }
}
