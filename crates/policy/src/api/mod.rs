//! One guard per API: what is taken out of its requests, and what its answers still need.
//!
//! The numbers of the files are Kafka's API keys.

#[path = "51_alter_user_scram_credentials.rs"]
mod alter_user_scram_credentials;
#[path = "18_api_versions.rs"]
mod api_versions;
mod config_resource;
#[path = "30_create_acls.rs"]
mod create_acls;
#[path = "37_create_partitions.rs"]
mod create_partitions;
#[path = "19_create_topics.rs"]
mod create_topics;
#[path = "31_delete_acls.rs"]
mod delete_acls;
#[path = "42_delete_groups.rs"]
mod delete_groups;
#[path = "20_delete_topics.rs"]
mod delete_topics;
#[path = "29_describe_acls.rs"]
mod describe_acls;
#[path = "48_describe_client_quotas.rs"]
mod describe_client_quotas;
#[path = "60_describe_cluster.rs"]
mod describe_cluster;
#[path = "32_describe_configs.rs"]
mod describe_configs;
#[path = "15_describe_groups.rs"]
mod describe_groups;
#[path = "50_describe_user_scram_credentials.rs"]
mod describe_user_scram_credentials;
#[path = "01_fetch.rs"]
mod fetch;
#[path = "10_find_coordinator.rs"]
mod find_coordinator;
#[path = "12_heartbeat.rs"]
mod heartbeat;
#[path = "44_incremental_alter_configs.rs"]
mod incremental_alter_configs;
#[path = "22_init_producer_id.rs"]
mod init_producer_id;
#[path = "11_join_group.rs"]
mod join_group;
#[path = "13_leave_group.rs"]
mod leave_group;
#[path = "16_list_groups.rs"]
mod list_groups;
#[path = "02_list_offsets.rs"]
mod list_offsets;
#[path = "03_metadata.rs"]
mod metadata;
#[path = "08_offset_commit.rs"]
mod offset_commit;
#[path = "09_offset_fetch.rs"]
mod offset_fetch;
#[path = "00_produce.rs"]
mod produce;
#[path = "36_sasl_authenticate.rs"]
mod sasl_authenticate;
#[path = "17_sasl_handshake.rs"]
mod sasl_handshake;
mod split;
#[path = "14_sync_group.rs"]
mod sync_group;

use schloss_wire::{ErrorCode, Request, Response};

use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;

/// Kafka's value for "not asked for" in a bit field of authorized operations.
const OPERATIONS_NOT_ASKED: i32 = i32::MIN;

/// Hands a request to the guard of its API.
pub(crate) fn admit(
    request: Request,
    version: i16,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    match request {
        Request::Produce(request) => produce::admit(request, version, judge, topics),
        Request::Fetch(request) => fetch::admit(request, version, judge, topics),
        Request::ListOffsets(request) => list_offsets::admit(request, judge),
        Request::Metadata(request) => metadata::admit(request, version, judge, topics),
        Request::OffsetCommit(request) => offset_commit::admit(request, version, judge, topics),
        Request::OffsetFetch(request) => offset_fetch::admit(request, version, judge, topics),
        Request::FindCoordinator(request) => find_coordinator::admit(request, version, judge),
        Request::JoinGroup(request) => join_group::admit(request, version, judge),
        Request::Heartbeat(request) => heartbeat::admit(request, judge),
        Request::LeaveGroup(request) => leave_group::admit(request, judge),
        Request::SyncGroup(request) => sync_group::admit(request, judge),
        Request::DescribeGroups(request) => describe_groups::admit(request, version, judge),
        Request::ListGroups(request) => list_groups::admit(request),
        Request::SaslHandshake(request) => sasl_handshake::admit(&request),
        Request::ApiVersions(request) => api_versions::admit(&request),
        Request::CreateTopics(request) => create_topics::admit(request, version, judge),
        Request::DeleteTopics(request) => delete_topics::admit(request, version, judge, topics),
        Request::InitProducerId(request) => init_producer_id::admit(request, judge),
        Request::DescribeAcls(request) => describe_acls::admit(request, judge),
        Request::CreateAcls(request) => create_acls::admit(request, judge),
        Request::DeleteAcls(request) => delete_acls::admit(request, judge),
        Request::DescribeConfigs(request) => describe_configs::admit(request, judge),
        Request::SaslAuthenticate(request) => sasl_authenticate::admit(&request),
        Request::CreatePartitions(request) => create_partitions::admit(request, judge),
        Request::DeleteGroups(request) => delete_groups::admit(request, judge),
        Request::IncrementalAlterConfigs(request) => incremental_alter_configs::admit(request, judge),
        Request::DescribeClientQuotas(request) => describe_client_quotas::admit(request, judge),
        Request::DescribeUserScramCredentials(request) => {
            describe_user_scram_credentials::admit(request, judge)
        }
        Request::AlterUserScramCredentials(request) => alter_user_scram_credentials::admit(request, judge),
        Request::DescribeCluster(request) => describe_cluster::admit(request),
    }
}

/// Answers a whole request with one error.
pub(crate) fn refuse(request: &Request, version: i16, code: ErrorCode, message: Option<&str>) -> Response {
    match request {
        Request::Produce(request) => produce::refuse(request, code, message).into(),
        Request::Fetch(request) => fetch::refuse(request, version, code).into(),
        Request::ListOffsets(request) => list_offsets::refuse(request, code).into(),
        Request::Metadata(request) => metadata::refuse(request, code).into(),
        Request::OffsetCommit(request) => offset_commit::refuse(request, code).into(),
        Request::OffsetFetch(request) => offset_fetch::refuse(request, version, code).into(),
        Request::FindCoordinator(request) => find_coordinator::refuse(request, version, code, message).into(),
        Request::JoinGroup(_) => join_group::refuse(version, code).into(),
        Request::Heartbeat(_) => heartbeat::refuse(code).into(),
        Request::LeaveGroup(_) => leave_group::refuse(code).into(),
        Request::SyncGroup(_) => sync_group::refuse(code).into(),
        Request::DescribeGroups(request) => describe_groups::refuse(request, version, code, message).into(),
        Request::ListGroups(_) => list_groups::refuse(code).into(),
        Request::SaslHandshake(_) => sasl_handshake::refuse(code).into(),
        Request::ApiVersions(_) => api_versions::refuse(code).into(),
        Request::CreateTopics(request) => create_topics::refuse(request, code, message).into(),
        Request::DeleteTopics(request) => delete_topics::refuse(request, version, code, message).into(),
        Request::InitProducerId(_) => init_producer_id::refuse(code).into(),
        Request::DescribeAcls(_) => describe_acls::refuse(code, message).into(),
        Request::CreateAcls(request) => create_acls::refuse(request, code, message).into(),
        Request::DeleteAcls(request) => delete_acls::refuse(request, code, message).into(),
        Request::DescribeConfigs(request) => describe_configs::refuse(request, code, message).into(),
        Request::SaslAuthenticate(_) => sasl_authenticate::refuse(code, message).into(),
        Request::CreatePartitions(request) => create_partitions::refuse(request, code, message).into(),
        Request::DeleteGroups(request) => delete_groups::refuse(request, code, message).into(),
        Request::IncrementalAlterConfigs(request) => {
            incremental_alter_configs::refuse(request, code, message).into()
        }
        Request::DescribeClientQuotas(_) => describe_client_quotas::refuse(code, message).into(),
        Request::DescribeUserScramCredentials(request) => {
            describe_user_scram_credentials::refuse(request, code, message).into()
        }
        Request::AlterUserScramCredentials(request) => {
            alter_user_scram_credentials::refuse(request, code, message).into()
        }
        Request::DescribeCluster(_) => describe_cluster::refuse(code, message).into(),
    }
}
