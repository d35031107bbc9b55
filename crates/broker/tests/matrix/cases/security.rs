//! Users, ACLs, quotas, and our own APIs over groups and roles.

use bytes::Bytes;
use schloss_wire::messages as m;
use schloss_wire::{AlterSecurityRequest, Api, DescribeSecurityRequest, build};

use crate::case::{Case, Names};

const ANY: i8 = 1;
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const ALLOW: i8 = 3;

fn describe_acls() -> m::DescribeAclsRequest {
    build!(m::DescribeAclsRequest {
        resource_type_filter: ANY,
        resource_name_filter: None,
        pattern_type_filter: ANY,
        principal_filter: None,
        host_filter: None,
        operation: ANY,
        permission_type: ANY,
    })
}

fn create_acls(names: &Names) -> m::CreateAclsRequest {
    use m::create_acls_request::AclCreation;
    let creation = build!(AclCreation {
        resource_type: TOPIC,
        resource_name: names.text("t"),
        resource_pattern_type: LITERAL,
        principal: "User:somebody".into(),
        host: "*".into(),
        operation: READ,
        permission_type: ALLOW,
    });
    build!(m::CreateAclsRequest { creations: vec![creation] })
}

fn delete_acls(names: &Names) -> m::DeleteAclsRequest {
    use m::delete_acls_request::DeleteAclsFilter;
    let filter = build!(DeleteAclsFilter {
        resource_type_filter: TOPIC,
        resource_name_filter: Some(names.text("t")),
        pattern_type_filter: LITERAL,
        principal_filter: Some("User:somebody".into()),
        host_filter: None,
        operation: ANY,
        permission_type: ANY,
    });
    build!(m::DeleteAclsRequest { filters: vec![filter] })
}

fn quotas(names: &Names) -> m::AlterClientQuotasRequest {
    use m::alter_client_quotas_request::{EntityData, EntryData, OpData};
    let entity = build!(EntityData { entity_type: "user".into(), entity_name: Some(names.text("somebody")) });
    let change = build!(OpData { key: "producer_byte_rate".into(), value: 1000.0 });
    let entry = build!(EntryData { entity: vec![entity], ops: vec![change] });
    build!(m::AlterClientQuotasRequest { entries: vec![entry] })
}

fn users(names: &Names) -> m::DescribeUserScramCredentialsRequest {
    use m::describe_user_scram_credentials_request::UserName;
    let user = build!(UserName { name: names.user().as_str().into() });
    build!(m::DescribeUserScramCredentialsRequest { users: Some(vec![user]) })
}

fn alter_users(names: &Names) -> m::AlterUserScramCredentialsRequest {
    use m::alter_user_scram_credentials_request::ScramCredentialUpsertion;
    let upsertion = build!(ScramCredentialUpsertion {
        name: names.text("somebody"),
        mechanism: 1,
        iterations: 4096,
        salt: Bytes::from_static(&[7; 24]),
        salted_password: Bytes::from_static(&[9; 32]),
    });
    build!(m::AlterUserScramCredentialsRequest { upsertions: vec![upsertion] })
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(Api::DescribeAcls, "all", |_| describe_acls()).needs("describe cluster", "31"),
        Case::new(Api::CreateAcls, "one", create_acls).needs("alter cluster", "results[] 31"),
        Case::new(Api::DeleteAcls, "those of one", delete_acls).needs("alter cluster", "filter_results[] 31"),
        Case::new(Api::DescribeClientQuotas, "all", |_| m::DescribeClientQuotasRequest::default())
            .needs("describe-configs cluster", "31"),
        Case::new(Api::AlterClientQuotas, "of one", quotas).needs("alter-configs cluster", "entries[] 31"),
        Case::new(Api::DescribeUserScramCredentials, "one", users)
            .needs("describe cluster", "31; results[] 31"),
        Case::new(Api::AlterUserScramCredentials, "one", alter_users)
            .needs("alter cluster", "results[somebody] 31"),
        Case::new(Api::DescribeSecurity, "groups", |_| {
            build!(DescribeSecurityRequest { document: Bytes::from_static(b"\"groups\"") })
        })
        .needs("describe cluster", "31"),
        Case::new(Api::AlterSecurity, "a group", |names| {
            let change = format!(r#"{{"add_to_group":{{"group":"{}","members":[]}}}}"#, names.name("g"));
            build!(AlterSecurityRequest { document: change.into() })
        })
        .needs("alter cluster", "31"),
    ]
}
