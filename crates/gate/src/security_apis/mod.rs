//! The APIs over users, delegation tokens and ACLs, served by the gate for every engine: one file each, named by key and name. Those
//! over quotas, which some engines have to themselves, are in [`quota`].

mod acl_codec;
#[path = "1001_alter_security.rs"]
mod alter_security;
#[path = "51_alter_user_scram_credentials.rs"]
mod alter_user_scram_credentials;
#[path = "30_create_acls.rs"]
mod create_acls;
#[path = "38_create_delegation_token.rs"]
mod create_delegation_token;
#[path = "31_delete_acls.rs"]
mod delete_acls;
#[path = "29_describe_acls.rs"]
mod describe_acls;
#[path = "41_describe_delegation_token.rs"]
mod describe_delegation_token;
#[path = "1000_describe_security.rs"]
mod describe_security;
#[path = "50_describe_user_scram_credentials.rs"]
mod describe_user_scram_credentials;
#[path = "40_expire_delegation_token.rs"]
mod expire_delegation_token;
#[path = "39_renew_delegation_token.rs"]
mod renew_delegation_token;
mod tokens;

use schloss_policy::{Admitted, ResourceType, refuse};
use schloss_wire::{Api, ErrorCode, Request, Response};

use crate::Caller;
use crate::changes::{self, Change};
use crate::house::House;
use crate::quota;

pub(crate) use tokens::{is_over_tokens, refuse_over_tokens};

/// Whether the gate serves this API itself.
pub(crate) const fn serves(api: Api) -> bool {
    matches!(
        api,
        Api::DescribeAcls
            | Api::CreateAcls
            | Api::DeleteAcls
            | Api::DescribeUserScramCredentials
            | Api::AlterUserScramCredentials
            | Api::DescribeSecurity
            | Api::AlterSecurity
    ) || is_over_tokens(api)
}

/// Serves a request that changes nothing.
pub(crate) fn describe(house: &House, admitted: Admitted) -> Response {
    let snapshot = house.metadata.snapshot();
    match admitted.into_request() {
        Request::DescribeAcls(request) => describe_acls::serve(&snapshot, &request).into(),
        Request::DescribeUserScramCredentials(request) => {
            describe_user_scram_credentials::serve(&snapshot, &request).into()
        }
        Request::DescribeSecurity(request) => {
            let directory = house.config.directory.as_deref();
            describe_security::serve(&snapshot, &request, house.quotas.is_some(), directory).into()
        }
        Request::DescribeClientQuotas(request) => quota::describe(snapshot.client_quotas(), request),
        other => unserved(&other),
    }
}

/// Serves a request that changes something, or that has to be written down before its answer.
pub(crate) async fn change(house: &House, caller: &Caller, admitted: Admitted) -> (Response, Vec<Change>) {
    let request = admitted.into_request();
    let mut planned = changes::planned(&request);
    match request {
        Request::CreateAcls(request) => create_acls::serve(&house.metadata, request).await,
        Request::DeleteAcls(request) => delete_acls::serve(&house.metadata, request).await,
        Request::AlterUserScramCredentials(request) => {
            alter_user_scram_credentials::serve(&house.metadata, request).await
        }
        Request::AlterSecurity(request) => {
            alter_security::serve(&house.metadata, request, &caller.subject(), house.quotas.is_some()).await
        }
        Request::CreateDelegationToken(request) => {
            create_delegation_token::serve(house, caller, request).await
        }
        Request::RenewDelegationToken(request) => renew_delegation_token::serve(house, caller, request).await,
        Request::ExpireDelegationToken(request) => {
            expire_delegation_token::serve(house, caller, request).await
        }
        Request::DescribeDelegationToken(request) => {
            describe_delegation_token::serve(house, caller, &request)
        }
        Request::AlterClientQuotas(request) => {
            let response = quota::alter(&house.metadata, request).await;
            changes::add_results(&mut planned, &response);
            (response, planned)
        }
        other => (unserved(&other), Vec::new()),
    }
}

fn unserved(request: &Request) -> Response {
    refuse(request, request.api().range().min, ErrorCode::UnsupportedVersion, None)
}

/// The name of a resource type in the audit trail.
const fn resource_type_name(resource_type: ResourceType) -> &'static str {
    match resource_type {
        ResourceType::Topic => "Topic",
        ResourceType::Group => "Group",
        ResourceType::Cluster => "Cluster",
        ResourceType::TransactionalId => "TransactionalId",
        ResourceType::DelegationToken => "DelegationToken",
        ResourceType::User => "User",
    }
}
