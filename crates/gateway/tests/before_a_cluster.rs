//! The gateway before a real Apache Kafka cluster. Ignored unless asked for:
//!
//! `SCHLOSS_TEST_UPSTREAM=gateway.properties cargo test -p schloss-gateway --test before_a_cluster -- --ignored`

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod common;

use std::time::Duration;

use common::{House, unique};
use schloss_client::{
    AclEntry, Cluster, Connection, Consumer, ConsumerOptions, NewTopic, Producer, ProducerOptions,
    ProducerRecord, StartAt,
};
use schloss_gateway::Identity;
use schloss_policy::{Operation, PatternType, Permission, ResourceType};
use schloss_wire::messages::describe_delegation_token_request::DescribeDelegationTokenOwner;
use schloss_wire::messages::{
    DescribeClusterRequest, DescribeDelegationTokenRequest, FindCoordinatorRequest, MetadataRequest,
};
use schloss_wire::{Principal, build};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn records_go_through_and_come_back() {
    let house = House::open().await;
    let topic = house.topic(3).await;
    house.add_user("alice").await;
    house.allow("alice", Operation::Write, ResourceType::Topic, &topic).await;
    house.allow("alice", Operation::Read, ResourceType::Topic, &topic).await;
    house.allow("alice", Operation::Read, ResourceType::Group, "readers").await;
    let cluster = Cluster::connect(house.client("alice")).await.unwrap();
    let mut producer = Producer::new(cluster, ProducerOptions::default()).await.unwrap();
    for index in 0..2000 {
        let value = format!("{index}-{}", "x".repeat(1000));
        producer
            .send(ProducerRecord {
                topic: topic.clone(),
                value: Some(value.into()),
                ..ProducerRecord::default()
            })
            .await
            .unwrap();
    }
    let report = producer.close().await;
    assert_eq!(report.delivered, 2000, "{report:?}");
    let cluster = Cluster::connect(house.client("alice")).await.unwrap();
    let options = ConsumerOptions { start: StartAt::Beginning, ..ConsumerOptions::default() };
    let mut consumer = Consumer::subscribe(cluster, "readers", &[topic], options).await.unwrap();
    let mut seen = 0;
    while seen < 2000 {
        seen += consumer.poll(Duration::from_secs(10), 500).await.unwrap().len();
    }
    consumer.close().await.unwrap();
    assert_eq!(seen, 2000);
}

/// Upstream's own authorizer decides besides ours.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn an_impersonating_gateway_is_seen_upstream_as_the_client() {
    let house = House::open_with(|config, _| config.identity = Identity::Impersonate).await;
    let mut service = Cluster::connect(common::upstream()).await.unwrap();
    let topic = unique("topic");
    let new = NewTopic { name: topic.clone(), partitions: Some(1), ..NewTopic::default() };
    service.create_topic(&new).await.unwrap();
    let user = unique("bob");
    house.add_user(&user).await;
    house.allow(&user, Operation::Write, ResourceType::Topic, &topic).await;
    let send = async || {
        let cluster = Cluster::connect(house.client(&user)).await.unwrap();
        let mut producer = Producer::new(cluster, ProducerOptions::default()).await?;
        let record =
            ProducerRecord { topic: topic.clone(), value: Some("x".into()), ..ProducerRecord::default() };
        producer.send_and_wait(record).await
    };
    let refused = send().await.expect_err("upstream knows no ACL for the user").to_string();
    assert!(refused.contains("authorized"), "{refused}");
    let entry = AclEntry {
        resource_type: ResourceType::Topic.code(),
        resource_name: topic.clone(),
        pattern_type: PatternType::Literal.code(),
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation: Operation::Write.code(),
        permission: Permission::Allow.code(),
    };
    service.create_acls(&[entry]).await.unwrap();
    let begun = std::time::Instant::now();
    while let Err(error) = send().await {
        // Brokers hear of the ACL a moment later.
        assert!(begun.elapsed() < Duration::from_secs(10), "{error}");
    }

    // Who leaves has no token upstream any more; the next one to log in gets another.
    let principal = Principal::user(&user);
    assert_eq!(house.gateway.take_back_tokens(&Principal::user(&unique("nobody"))).await.unwrap(), 0);
    let take_back = async || {
        // The broker that is asked may hear of a new token, and of its end, a moment later than others.
        let begun = std::time::Instant::now();
        while house.gateway.take_back_tokens(&principal).await.unwrap() == 0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "there is no token to end");
        }
        while tokens_of(&user).await > 0 {
            assert!(begun.elapsed() < Duration::from_secs(10), "the token is still there");
        }
    };
    take_back().await;
    send().await.unwrap();
    take_back().await;
}

/// How many delegation tokens a user has upstream.
async fn tokens_of(user: &str) -> usize {
    let service = common::upstream();
    let address = service.bootstrap[0].clone();
    let mut connection = Connection::connect(&service, &address).await.unwrap();
    let owner =
        build!(DescribeDelegationTokenOwner { principal_type: "User".into(), principal_name: user.into() });
    let request = build!(DescribeDelegationTokenRequest { owners: Some(vec![owner]) });
    connection.call(&request).await.unwrap().tokens.len()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn clients_see_addresses_of_the_gateway_in_every_version() {
    let house = House::open().await;
    let ours = |host: &str, port: i32| {
        assert_eq!(host, "localhost");
        assert!((i32::from(house.base)..i32::from(house.base) + 10).contains(&port), "{port}");
    };
    let address = format!("localhost:{}", house.bootstrap.port());
    let mut connection = Connection::connect(&house.client("admin"), &address).await.unwrap();
    for version in 0..=connection.version::<MetadataRequest>(i16::MAX).unwrap() {
        let request = build!(MetadataRequest { topics: if version == 0 { Some(Vec::new()) } else { None } });
        let response = connection.call_at(&request, version).await.unwrap();
        assert_eq!(response.brokers.len(), 3, "v{version}");
        response.brokers.iter().for_each(|broker| ours(&broker.host, broker.port));
    }
    for version in 0..=connection.version::<FindCoordinatorRequest>(i16::MAX).unwrap() {
        let key = unique("group");
        let request = build!(FindCoordinatorRequest {
            key: if version < 4 { key.as_str().into() } else { "".into() },
            coordinator_keys: if version < 4 { Vec::new() } else { vec![key.as_str().into()] },
        });
        let mut response = connection.call_at(&request, version).await.unwrap();
        // The first question makes the topic that coordinators need.
        while response.error_code == 15 || response.coordinators.iter().any(|found| found.error_code == 15) {
            tokio::time::sleep(Duration::from_millis(50)).await;
            response = connection.call_at(&request, version).await.unwrap();
        }
        if version < 4 {
            assert_eq!(response.error_code, 0, "v{version}");
            ours(&response.host, response.port);
        } else {
            assert_eq!(response.coordinators.len(), 1);
            response.coordinators.iter().for_each(|found| ours(&found.host, found.port));
        }
    }
    for version in 0..=connection.version::<DescribeClusterRequest>(i16::MAX).unwrap() {
        let response = connection.call_at(&DescribeClusterRequest::default(), version).await.unwrap();
        assert_eq!((response.error_code, response.brokers.len()), (0, 3), "v{version}");
        response.brokers.iter().for_each(|broker| ours(&broker.host, broker.port));
    }
}
