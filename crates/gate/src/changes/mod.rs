//! What an administrative request of the engine asks for and what became of it, for the audit trail.

mod cluster;
mod configs;
mod groups;
mod result;
mod topics;

use schloss_wire::{ErrorCode, Request, Response};
use serde_json::Value;

use result::{Errors, fail_all, settle_all, settle_each};

/// One entry of a request.
pub(crate) struct Change {
    pub(crate) resource_type: &'static str,
    pub(crate) name: String,
    /// The code of Kafka's error, 0 if it was done.
    pub(crate) error: i16,
    /// What was asked for, without secrets.
    pub(crate) what: Value,
}

impl Change {
    pub(crate) fn new(resource_type: &'static str, name: impl Into<String>, what: Value) -> Self {
        Self { resource_type, name: name.into(), error: ErrorCode::UnknownServerError.code(), what }
    }
}

/// What is asked for; the errors say that nothing is known yet.
pub(crate) fn planned(request: &Request) -> Vec<Change> {
    match request {
        Request::CreateTopics(request) => topics::create(request),
        Request::CreatePartitions(request) => topics::create_partitions(request),
        Request::DeleteRecords(request) => topics::delete_records(request),
        Request::AlterReplicaLogDirs(request) => topics::alter_replica_log_dirs(request),
        Request::AlterPartitionReassignments(request) => topics::reassign(request),
        Request::ElectLeaders(request) => topics::elect_leaders(request),
        Request::WriteTxnMarkers(request) => topics::write_markers(request),
        Request::AlterConfigs(request) => configs::alter(request),
        Request::IncrementalAlterConfigs(request) => configs::alter_incrementally(request),
        Request::AlterClientQuotas(request) => configs::alter_quotas(request),
        Request::DeleteGroups(request) => groups::delete(request),
        Request::OffsetDelete(request) => groups::delete_offsets(request),
        Request::AlterShareGroupOffsets(request) => groups::alter_share_offsets(request),
        Request::DeleteShareGroupOffsets(request) => groups::delete_share_offsets(request),
        Request::UpdateFeatures(request) => cluster::update_features(request),
        Request::UnregisterBroker(request) => cluster::unregister_broker(request),
        Request::AddRaftVoter(request) => cluster::add_voter(request),
        Request::RemoveRaftVoter(request) => cluster::remove_voter(request),
        // DeleteTopics among them: topics may be named by id, and the answer knows the names.
        _ => Vec::new(),
    }
}

/// Adds what the answer says.
pub(crate) fn add_results(changes: &mut Vec<Change>, response: &Response) {
    match response {
        Response::CreateTopics(response) => settle_each(changes, topics::created(response)),
        Response::CreatePartitions(response) => settle_each(changes, topics::created_partitions(response)),
        Response::DeleteTopics(response) => changes.extend(topics::deleted(response)),
        Response::DeleteRecords(response) => settle_each(changes, topics::deleted_records(response)),
        Response::AlterReplicaLogDirs(response) => {
            settle_each(changes, topics::altered_replica_log_dirs(response));
        }
        Response::AlterPartitionReassignments(response) => {
            settle_each(changes, topics::reassigned(response));
            fail_all(changes, response.error_code);
        }
        Response::ElectLeaders(response) => topics::add_elected(changes, response),
        Response::WriteTxnMarkers(response) => settle_each(changes, topics::written_markers(response)),
        Response::AlterConfigs(response) => settle_each(changes, configs::altered(response)),
        Response::IncrementalAlterConfigs(response) => {
            settle_each(changes, configs::altered_incrementally(response));
        }
        Response::AlterClientQuotas(response) => settle_each(changes, configs::altered_quotas(response)),
        Response::DeleteGroups(response) => settle_each(changes, groups::deleted(response)),
        Response::OffsetDelete(response) => settle_all(changes, &groups::deleted_offsets(response)),
        Response::AlterShareGroupOffsets(response) => {
            settle_all(changes, &groups::altered_share_offsets(response));
        }
        Response::DeleteShareGroupOffsets(response) => {
            settle_all(changes, &groups::deleted_share_offsets(response));
        }
        Response::UpdateFeatures(response) => {
            // From version 2 on there is one result for all.
            settle_all(changes, &Errors::whole(response.error_code));
            settle_each(changes, cluster::updated_features(response));
            fail_all(changes, response.error_code);
        }
        Response::UnregisterBroker(response) => settle_all(changes, &Errors::whole(response.error_code)),
        Response::AddRaftVoter(response) => settle_all(changes, &Errors::whole(response.error_code)),
        Response::RemoveRaftVoter(response) => settle_all(changes, &Errors::whole(response.error_code)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
