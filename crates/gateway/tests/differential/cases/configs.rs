//! Configurations and quotas.

use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, Scenario, cluster_ways, each, few_ways, ways, with};
use crate::side::{At, Side};

use super::LABELS;

const BROKER: At = At::Broker(1);
const TOPIC: i8 = 2;
const BROKER_RESOURCE: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

fn all_resources(side: &Side<'_>) -> Vec<(i8, StrBytes)> {
    let mut resources: Vec<(i8, StrBytes)> = LABELS.map(|label| (TOPIC, side.text(label))).to_vec();
    resources.extend(["a", "b", "missing"].map(|label| (GROUP, side.kept(label))));
    resources.extend([
        (BROKER_RESOURCE, "1".into()),
        (BROKER_RESOURCE, "".into()),
        (BROKER_LOGGER, "1".into()),
        (CLIENT_METRICS, side.text("metrics")),
    ]);
    resources
}

fn describe(side: &Side<'_>) -> m::DescribeConfigsRequest {
    use m::describe_configs_request::DescribeConfigsResource;
    let resources = all_resources(side).into_iter().map(|(resource_type, resource_name)| {
        let keys =
            ["retention.ms", "log.retention.ms", "consumer.session.timeout.ms", "kafka", "interval.ms"];
        build!(DescribeConfigsResource {
            resource_type,
            resource_name,
            configuration_keys: Some(keys.map(StrBytes::from).to_vec()),
        })
    });
    build!(m::DescribeConfigsRequest { resources: resources.collect(), include_synonyms: true })
}

/// What may be set without a broker's behaviour changing.
fn setting(resource_type: i8) -> (&'static str, &'static str) {
    match resource_type {
        TOPIC => ("retention.ms", "604800000"),
        GROUP => ("consumer.session.timeout.ms", "45000"),
        BROKER_LOGGER => ("kafka.unheard", "INFO"),
        CLIENT_METRICS => ("interval.ms", "100000"),
        _ => ("log.cleaner.backoff.ms", "15000"),
    }
}

fn alter(resources: Vec<(i8, StrBytes)>, validate_only: bool) -> m::IncrementalAlterConfigsRequest {
    use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let resources = resources.into_iter().map(|(resource_type, resource_name)| {
        let (name, value) = setting(resource_type);
        let config =
            build!(AlterableConfig { name: name.into(), config_operation: 0, value: Some(value.into()) });
        build!(AlterConfigsResource { resource_type, resource_name, configs: vec![config] })
    });
    build!(m::IncrementalAlterConfigsRequest { resources: resources.collect(), validate_only })
}

fn replace(resources: Vec<(i8, StrBytes)>, validate_only: bool) -> m::AlterConfigsRequest {
    use m::alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let resources = resources.into_iter().map(|(resource_type, resource_name)| {
        let (name, value) = setting(resource_type);
        let config = build!(AlterableConfig { name: name.into(), value: Some(value.into()) });
        build!(AlterConfigsResource { resource_type, resource_name, configs: vec![config] })
    });
    build!(m::AlterConfigsRequest { resources: resources.collect(), validate_only })
}

fn without_logger(side: &Side<'_>) -> Vec<(i8, StrBytes)> {
    let mut resources = all_resources(side);
    resources.retain(|(resource_type, _)| *resource_type != BROKER_LOGGER);
    resources
}

fn own_topics(side: &Side<'_>) -> Vec<(i8, StrBytes)> {
    LABELS.map(|label| (TOPIC, side.text(&format!("cfg{{c}}-{{v}}{label}")))).to_vec()
}

/// Each type of resource on its own, and all together.
fn on_each(operation: &str) -> Vec<Scenario> {
    let mut scenarios = ways(operation, "topic");
    scenarios.extend(
        ways(operation, "group").into_iter().map(|(name, grants)| (format!("groups, {name}"), grants)),
    );
    scenarios.extend(cluster_ways(operation));
    scenarios.extend(with(cluster_ways(operation), &["allow all topic a", "allow all group b"]));
    scenarios
}

fn quotas(side: &Side<'_>) -> m::AlterClientQuotasRequest {
    use m::alter_client_quotas_request::{EntityData, EntryData, OpData};
    let entry = |label: &str, key: &str| {
        let entity = build!(EntityData { entity_type: "user".into(), entity_name: Some(side.text(label)) });
        let op = build!(OpData { key: key.into(), value: 1e9, remove: false });
        build!(EntryData { entity: vec![entity], ops: vec![op] })
    };
    build!(m::AlterClientQuotasRequest {
        entries: vec![entry("quota-a", "producer_byte_rate"), entry("quota-b", "unheard")],
        validate_only: false,
    })
}

fn quotas_of(side: &Side<'_>) -> m::DescribeClientQuotasRequest {
    use m::describe_client_quotas_request::ComponentData;
    let component = build!(ComponentData {
        entity_type: "user".into(),
        match_type: 0,
        match_: Some(side.text("quota-a"))
    });
    build!(m::DescribeClientQuotasRequest { components: vec![component], strict: true })
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    cases.extend(each(Api::DescribeConfigs, "of all kinds", BROKER, on_each("describe-configs"), describe));
    cases.extend(each(Api::DescribeConfigs, "implied", BROKER, on_each("alter-configs"), describe));
    cases.extend(each(
        Api::IncrementalAlterConfigs,
        "of all kinds",
        BROKER,
        on_each("alter-configs"),
        |side| alter(all_resources(side), true),
    ));
    cases.extend(each(Api::AlterConfigs, "of all kinds", BROKER, on_each("alter-configs"), |side| {
        replace(without_logger(side), true)
    }));
    let own = ["cfg{c}-{v}a", "cfg{c}-{v}b", "cfg{c}-{v}pre-a"];
    let scenarios = few_ways("alter-configs", "topic", "cfg{c}-{v}");
    let changing = each(Api::IncrementalAlterConfigs, "done", BROKER, scenarios.clone(), |side| {
        alter(own_topics(side), false)
    });
    cases.extend(changing.into_iter().map(|case| case.topics(&own)));
    let replacing =
        each(Api::AlterConfigs, "done", BROKER, scenarios, |side| replace(own_topics(side), false));
    cases.extend(replacing.into_iter().map(|case| case.topics(&own)));
    cases.extend(each(
        Api::ListConfigResources,
        "all kinds",
        BROKER,
        cluster_ways("describe-configs"),
        |_| m::ListConfigResourcesRequest::default(),
    ));
    let topics = each(
        Api::ListConfigResources,
        "topics and brokers",
        BROKER,
        cluster_ways("describe-configs"),
        |_| build!(m::ListConfigResourcesRequest { resource_types: vec![TOPIC, BROKER_RESOURCE] }),
    );
    cases.extend(topics.into_iter().map(|case| case.versions(1..=i16::MAX)));
    let altered = each(Api::AlterClientQuotas, "two users", BROKER, cluster_ways("alter-configs"), quotas);
    cases.extend(altered.into_iter().map(Case::alone));
    cases.extend(each(
        Api::DescribeClientQuotas,
        "a user",
        BROKER,
        cluster_ways("describe-configs"),
        quotas_of,
    ));
    cases
}
