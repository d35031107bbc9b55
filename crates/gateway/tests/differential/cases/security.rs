//! Users and ACLs: the gateway answers for its own, Apache Kafka for those of its own, and both have the same.

use bytes::Bytes;
use futures_util::FutureExt;
use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, cluster_ways, each, scripts};
use crate::side::{At, Side};

const BROKER: At = At::Broker(1);
const ANY: i8 = 1;
const MATCH: i8 = 2;
const TOPIC: i8 = 2;
const LITERAL: i8 = 3;
const READ: i8 = 3;
const ALLOW: i8 = 3;

fn describe(principal: Option<StrBytes>, name: Option<StrBytes>, pattern: i8) -> m::DescribeAclsRequest {
    build!(m::DescribeAclsRequest {
        resource_type_filter: ANY,
        resource_name_filter: name,
        pattern_type_filter: pattern,
        principal_filter: principal,
        host_filter: None,
        operation: ANY,
        permission_type: ANY,
    })
}

fn principal(name: &str) -> StrBytes {
    format!("User:{name}").as_str().into()
}

fn create(side: &Side<'_>, resource_type: i8, operation: i8) -> m::create_acls_request::AclCreation {
    build!(m::create_acls_request::AclCreation {
        resource_type,
        resource_name: if resource_type == TOPIC { side.text("acl{c}-{v}") } else { "kafka-cluster".into() },
        resource_pattern_type: LITERAL,
        principal: principal("somebody"),
        host: "*".into(),
        operation,
        permission_type: ALLOW,
    })
}

fn creations(side: &Side<'_>) -> m::CreateAclsRequest {
    let mut nameless = create(side, TOPIC, READ);
    nameless.resource_name = "".into();
    let mut another_cluster = create(side, 4, 7);
    another_cluster.resource_name = side.text("acl{c}-{v}");
    let mut nobody = create(side, TOPIC, READ);
    nobody.principal = "somebody".into();
    build!(m::CreateAclsRequest {
        creations: vec![create(side, TOPIC, READ), nameless, another_cluster, nobody]
    })
}

fn deletion(side: &Side<'_>) -> m::DeleteAclsRequest {
    use m::delete_acls_request::DeleteAclsFilter;
    let filter = |name: StrBytes, pattern| {
        build!(DeleteAclsFilter {
            resource_type_filter: TOPIC,
            resource_name_filter: Some(name),
            pattern_type_filter: pattern,
            principal_filter: Some(principal("somebody")),
            host_filter: None,
            operation: ANY,
            permission_type: ANY,
        })
    };
    build!(m::DeleteAclsRequest {
        filters: vec![filter(side.text("acl{c}-{v}"), LITERAL), filter(side.text("missing"), MATCH)],
    })
}

fn scram_users(side: &Side<'_>) -> m::DescribeUserScramCredentialsRequest {
    use m::describe_user_scram_credentials_request::UserName;
    let mut users =
        vec![build!(UserName { name: side.user().into() }), build!(UserName { name: side.text("nobody") })];
    users.push(users[1].clone());
    build!(m::DescribeUserScramCredentialsRequest { users: Some(users) })
}

fn alter_users(side: &Side<'_>) -> m::AlterUserScramCredentialsRequest {
    use m::alter_user_scram_credentials_request::{ScramCredentialDeletion, ScramCredentialUpsertion};
    let upsertion = |label: &str, mechanism, iterations| {
        build!(ScramCredentialUpsertion {
            name: side.text(label),
            mechanism,
            iterations,
            salt: Bytes::from_static(&[7; 24]),
            salted_password: Bytes::from_static(&[9; 32]),
        })
    };
    let deletion = build!(ScramCredentialDeletion { name: side.text("nobody"), mechanism: 1 });
    build!(m::AlterUserScramCredentialsRequest {
        deletions: vec![deletion],
        upsertions: vec![
            upsertion("new{c}-{v}", 1, 4096),
            upsertion("few{c}-{v}", 1, 4095),
            upsertion("unknown{c}-{v}", 7, 4096),
            upsertion("many{c}-{v}", 1, 16385),
        ],
    })
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    let may = cluster_ways("describe");
    cases.extend(each(Api::DescribeAcls, "of a user", BROKER, may.clone(), |side| {
        describe(Some(principal(side.user())), None, ANY)
    }));
    cases.extend(each(Api::DescribeAcls, "of a topic", BROKER, may.clone(), |side| {
        describe(None, Some(side.text("a")), LITERAL)
    }));
    cases.extend(each(Api::DescribeAcls, "that match a topic", BROKER, may.clone(), |side| {
        describe(Some(principal(side.user())), Some(side.text("pre-a")), MATCH)
    }));
    cases.extend(each(Api::DescribeUserScramCredentials, "by name", BROKER, may, scram_users));
    cases.extend(each(Api::CreateAcls, "of all kinds", BROKER, cluster_ways("alter"), creations));
    cases.extend(each(Api::DeleteAcls, "what is not there", BROKER, cluster_ways("alter"), deletion));
    cases.extend(scripts(Api::DeleteAcls, "what is there", cluster_ways("alter"), |side| {
        async move {
            let made = build!(m::CreateAclsRequest { creations: vec![create(side, TOPIC, READ)] });
            side.ask("", BROKER, &made).await;
            side.ask("", BROKER, &deletion(side)).await;
        }
        .boxed_local()
    }));
    cases.extend(each(
        Api::AlterUserScramCredentials,
        "of all kinds",
        BROKER,
        cluster_ways("alter"),
        alter_users,
    ));
    cases
}
