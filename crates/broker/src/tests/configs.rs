use schloss_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use schloss_wire::messages::describe_configs_response::DescribeConfigsResult;
use schloss_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use schloss_wire::messages::{ConsumerGroupHeartbeatRequest, ListConfigResourcesRequest};
use schloss_wire::records::Compression;
use schloss_wire::{ErrorCode, Response, StrBytes, build};

use super::fetch::{fetch, part};
use super::produce::produce;
use crate::records::{codec, decode};
use crate::testing::{House, batch};

pub(super) const TOPIC: i8 = 2;
const BROKER: i8 = 4;
pub(crate) const GROUP: i8 = 32;
pub(crate) const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

async fn describe(
    house: &House,
    resource_type: i8,
    name: &str,
    keys: Option<&[&str]>,
) -> DescribeConfigsResult {
    let resource = build!(DescribeConfigsResource {
        resource_type,
        resource_name: StrBytes::from(name),
        configuration_keys: keys.map(|keys| keys.iter().map(|key| StrBytes::from(*key)).collect()),
    });
    let request = build!(DescribeConfigsRequest {
        resources: vec![resource],
        include_synonyms: true,
        include_documentation: true
    });
    let Response::DescribeConfigs(mut response) = house.ask(4, request).await else { panic!() };
    response.results.remove(0)
}

async fn value(house: &House, topic: &str, name: &str) -> (String, i8) {
    let result = describe(house, TOPIC, topic, Some(&[name])).await;
    assert_eq!(result.configs.len(), 1);
    (result.configs[0].value.as_ref().unwrap().as_str().to_owned(), result.configs[0].config_source)
}

pub(crate) type Change<'a> = (&'a str, i8, Option<&'a str>);

pub(crate) async fn alter(
    house: &House,
    resource_type: i8,
    name: &str,
    changes: &[Change<'_>],
    validate_only: bool,
) -> (ErrorCode, String) {
    let config = |(name, config_operation, value): &Change<'_>| {
        build!(AlterableConfig {
            name: StrBytes::from(*name),
            config_operation: *config_operation,
            value: value.map(StrBytes::from)
        })
    };
    let resource = build!(AlterConfigsResource {
        resource_type,
        resource_name: StrBytes::from(name),
        configs: changes.iter().map(config).collect(),
    });
    let request = build!(IncrementalAlterConfigsRequest { resources: vec![resource], validate_only });
    let Response::IncrementalAlterConfigs(response) = house.ask(1, request).await else { panic!() };
    let answer = &response.responses[0];
    let message = answer.error_message.as_ref().map_or("", |message| message.as_str());
    (ErrorCode::from_code(answer.error_code).unwrap(), message.to_owned())
}

async fn house() -> House {
    let house = House::new();
    house.topic("orders", 1, &[]).await;
    house
}

#[tokio::test]
async fn a_changed_setting_is_shown_and_acted_upon_until_it_is_deleted() {
    let house = house().await;
    assert_eq!(value(&house, "orders", "max.message.bytes").await, ("1048588".to_owned(), 5));
    let set = [("max.message.bytes", SET, Some("80"))];
    assert_eq!(alter(&house, TOPIC, "orders", &set, true).await.0, ErrorCode::None);
    assert_eq!(value(&house, "orders", "max.message.bytes").await.1, 5, "validating changes nothing");
    assert_eq!(alter(&house, TOPIC, "orders", &set, false).await.0, ErrorCode::None);
    assert_eq!(value(&house, "orders", "max.message.bytes").await, ("80".to_owned(), 1));
    assert_eq!(produce(&house, "orders", 0, batch(20)).await.error_code, ErrorCode::MessageTooLarge.code());
    let killed = house.killed();
    assert_eq!(value(&killed, "orders", "max.message.bytes").await, ("80".to_owned(), 1));
    let delete = [("max.message.bytes", DELETE, None)];
    assert_eq!(alter(&house, TOPIC, "orders", &delete, false).await.0, ErrorCode::None);
    assert_eq!(produce(&house, "orders", 0, batch(20)).await.error_code, 0);
}

#[tokio::test]
async fn a_new_codec_and_a_new_bound_on_age_are_in_force_at_once() {
    let house = house().await;
    let set = [("compression.type", SET, Some("zstd"))];
    assert_eq!(alter(&house, TOPIC, "orders", &set, false).await.0, ErrorCode::None);
    assert_eq!(produce(&house, "orders", 0, batch(3)).await.error_code, 0);
    let stored = fetch(&house, vec![part(0, 0)]).await.remove(0).records.unwrap();
    assert_eq!(codec(stored[22].into()), Some(Compression::Zstd));
    assert_eq!(decode(&stored).unwrap().records, decode(&batch(3)).unwrap().records);
    // The records of the test are from 1970.
    let set = [("message.timestamp.before.max.ms", SET, Some("86400000"))];
    assert_eq!(alter(&house, TOPIC, "orders", &set, false).await.0, ErrorCode::None);
    let refused = produce(&house, "orders", 0, batch(3)).await;
    assert_eq!(refused.error_code, ErrorCode::InvalidTimestamp.code());
    let delete = [("message.timestamp.before.max.ms", DELETE, None), ("compression.type", DELETE, None)];
    assert_eq!(alter(&house, TOPIC, "orders", &delete, false).await.0, ErrorCode::None);
    assert_eq!(produce(&house, "orders", 0, batch(3)).await.base_offset, 3);
    let stored = fetch(&house, vec![part(0, 3)]).await.remove(0).records.unwrap();
    assert_eq!(codec(stored[22].into()), Some(Compression::None));
}

#[tokio::test]
async fn nothing_is_ignored_in_silence() {
    let house = house().await;
    for (change, code, words) in [
        (("no.such", SET, Some("1")), ErrorCode::InvalidConfig, "unknown topic config name: no.such"),
        (("retention.ms", SET, Some("-2")), ErrorCode::InvalidConfig, "from -1 to"),
        (("file.delete.delay.ms", SET, Some("60000")), ErrorCode::InvalidConfig, "removed at once"),
        (("max.message.bytes", SET, Some("-1")), ErrorCode::InvalidConfig, "from 0 to"),
        (("max.message.bytes", SET, None), ErrorCode::InvalidRequest, "null is no value"),
        (("max.message.bytes", APPEND, Some("1")), ErrorCode::InvalidConfig, "no list"),
        (("cleanup.policy", APPEND, Some("compress")), ErrorCode::InvalidConfig, "a list of compact, delete"),
        (("segment.bytes", SET, Some("1000")), ErrorCode::InvalidConfig, "from 1048576 to"),
        (("max.message.bytes", 9, Some("1")), ErrorCode::InvalidRequest, "operation 9"),
    ] {
        let (got, message) = alter(&house, TOPIC, "orders", &[change], false).await;
        assert_eq!(got, code, "{change:?}");
        assert!(message.contains(words), "{change:?}: {message}");
    }
    let twice = [("max.message.bytes", SET, Some("80")), ("max.message.bytes", DELETE, None)];
    assert_eq!(alter(&house, TOPIC, "orders", &twice, false).await.0, ErrorCode::InvalidRequest);
    // One bad setting and nothing of the resource is changed.
    let half = [("max.message.bytes", SET, Some("80")), ("no.such", SET, Some("1"))];
    assert_eq!(alter(&house, TOPIC, "orders", &half, false).await.0, ErrorCode::InvalidConfig);
    assert_eq!(value(&house, "orders", "max.message.bytes").await.1, 5);
}

#[tokio::test]
async fn what_changes_nothing_is_accepted() {
    let house = house().await;
    for change in [
        ("cleanup.policy", APPEND, Some("delete")),
        ("cleanup.policy", APPEND, Some("compact")),
        ("cleanup.policy", SUBTRACT, Some("compact")),
        ("segment.bytes", DELETE, None),
        ("unclean.leader.election.enable", SET, Some("true")),
    ] {
        let (code, message) = alter(&house, TOPIC, "orders", &[change], false).await;
        assert_eq!(code, ErrorCode::None, "{change:?}: {message}");
    }
    assert_eq!(value(&house, "orders", "cleanup.policy").await, ("delete".to_owned(), 1));
}

#[tokio::test]
async fn only_topics_that_exist_can_be_changed() {
    let house = house().await;
    let set = [("max.message.bytes", SET, Some("80"))];
    assert_eq!(alter(&house, TOPIC, "missing", &set, false).await.0, ErrorCode::UnknownTopicOrPartition);
    let (code, message) = alter(&house, BROKER, "1", &[("log.retention.ms", SET, Some("1"))], false).await;
    assert_eq!(code, ErrorCode::InvalidRequest);
    assert!(message.contains("configuration file"), "{message}");
}

#[tokio::test]
async fn tools_see_every_setting_with_its_type_and_origin() {
    let house = house().await;
    let topic = describe(&house, TOPIC, "orders", None).await;
    assert_eq!(topic.error_code, 0);
    assert!(topic.configs.len() > 25);
    let size = topic.configs.iter().find(|config| config.name.as_str() == "max.message.bytes").unwrap();
    assert_eq!((size.config_type, size.read_only, size.is_sensitive), (3, false, false));
    assert_eq!(size.synonyms[0].name.as_str(), "message.max.bytes");
    assert!(size.documentation.is_some());

    let broker = describe(&house, BROKER, "1", None).await;
    let names: Vec<_> = broker.configs.iter().map(|config| config.name.as_str()).collect();
    for name in ["node.id", "advertised.listeners", "message.max.bytes", "auto.create.topics.enable"] {
        assert!(names.contains(&name), "{name}");
    }
    assert!(broker.configs.iter().all(|config| config.read_only));
    assert_eq!(describe(&house, BROKER, "", None).await.error_code, 0);
    assert_eq!(describe(&house, BROKER, "7", None).await.error_code, ErrorCode::InvalidRequest.code());
    assert_eq!(
        describe(&house, TOPIC, "missing", None).await.error_code,
        ErrorCode::UnknownTopicOrPartition.code()
    );
}

#[tokio::test]
async fn a_group_has_times_of_its_own_whether_it_exists_or_not() {
    const INTERVAL: &str = "consumer.heartbeat.interval.ms";
    let house = house().await;
    let shown = |house: House| async move {
        let described = describe(&house, GROUP, "app", Some(&[INTERVAL])).await;
        let one = &described.configs[0];
        let value = one.value.as_ref().unwrap().as_str().to_owned();
        (house, value, one.config_source, one.synonyms.len())
    };
    let (house, value, source, synonyms) = shown(house).await;
    assert_eq!((value.as_str(), source, synonyms), ("5000", 5, 1));
    let set = |value| [(INTERVAL, SET, Some(value))];
    assert_eq!(alter(&house, GROUP, "app", &set("7000"), true).await.0, ErrorCode::None, "only looked at");
    assert_eq!(house.broker.metadata.snapshot().configured_groups().len(), 0);
    assert_eq!(alter(&house, GROUP, "app", &set("7000"), false).await.0, ErrorCode::None);
    for (name, changes, code) in [
        ("app", set("4999"), ErrorCode::InvalidConfig),
        ("app", [("share.assignment.interval.ms", SET, Some("1000"))], ErrorCode::InvalidConfig),
        ("app", [("share.auto.offset.reset", SET, Some("newest"))], ErrorCode::InvalidConfig),
        ("app", [("share.record.lock.duration.ms", SET, Some("14999"))], ErrorCode::InvalidConfig),
        ("app", [("cleanup.policy", SET, Some("delete"))], ErrorCode::InvalidConfig),
        ("", set("7000"), ErrorCode::InvalidRequest),
        (&"x".repeat(1025), set("7000"), ErrorCode::InvalidRequest),
    ] {
        assert_eq!(alter(&house, GROUP, name, &changes, false).await.0, code, "{name} {changes:?}");
    }
    let request = build!(ListConfigResourcesRequest { resource_types: vec![GROUP] });
    let Response::ListConfigResources(listed) = house.ask(1, request).await else { panic!() };
    assert_eq!(listed.config_resources.iter().map(|one| &*one.resource_name).collect::<Vec<_>>(), ["app"]);
    let (house, value, source, synonyms) = shown(house.killed()).await;
    assert_eq!((value.as_str(), source, synonyms), ("7000", 8, 2), "kept, and the group's own");

    let beat = || {
        build!(ConsumerGroupHeartbeatRequest {
            group_id: StrBytes::from("app"),
            member_id: StrBytes::from("m"),
            instance_id: None,
            rack_id: None,
            rebalance_timeout_ms: 30_000,
            subscribed_topic_names: Some(vec![StrBytes::from("orders")]),
            subscribed_topic_regex: None,
            server_assignor: None,
            topic_partitions: Some(Vec::new()),
        })
    };
    let interval = |house: House| async move {
        let Response::ConsumerGroupHeartbeat(response) = house.ask(1, beat()).await else { panic!() };
        assert_eq!(response.error_code, 0);
        (house, response.heartbeat_interval_ms)
    };
    let (house, heard) = interval(house).await;
    assert_eq!(heard, 7_000);
    assert_eq!(alter(&house, GROUP, "app", &[(INTERVAL, DELETE, None)], false).await.0, ErrorCode::None);
    assert_eq!(interval(house).await.1, 5_000);
}
