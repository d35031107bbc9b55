//! Settings of topics, groups and brokers.

use schloss_wire::messages as m;
use schloss_wire::{Api, StrBytes, build};

use crate::case::{Case, Names};

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const GROUP: i8 = 32;

fn name(names: &Names, resource_type: i8) -> StrBytes {
    match resource_type {
        TOPIC => names.text("t"),
        GROUP => names.text("g"),
        _ => "1".into(),
    }
}

fn describe(names: &Names, resource_type: i8) -> m::DescribeConfigsRequest {
    use m::describe_configs_request::DescribeConfigsResource;
    let resource = build!(DescribeConfigsResource {
        resource_type,
        resource_name: name(names, resource_type),
        configuration_keys: None,
    });
    build!(m::DescribeConfigsRequest { resources: vec![resource] })
}

fn alter(names: &Names, resource_type: i8) -> m::AlterConfigsRequest {
    use m::alter_configs_request::AlterConfigsResource;
    let resource = build!(AlterConfigsResource { resource_type, resource_name: name(names, resource_type) });
    build!(m::AlterConfigsRequest { resources: vec![resource] })
}

fn alter_some(names: &Names, resource_type: i8) -> m::IncrementalAlterConfigsRequest {
    use m::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    let (setting, value) = match resource_type {
        GROUP => ("consumer.session.timeout.ms", "46000"),
        _ => ("max.message.bytes", "100000"),
    };
    let config = build!(AlterableConfig { name: setting.into(), value: Some(value.into()) });
    let resource = build!(AlterConfigsResource {
        resource_type,
        resource_name: name(names, resource_type),
        configs: vec![config]
    });
    build!(m::IncrementalAlterConfigsRequest { resources: vec![resource] })
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new(Api::DescribeConfigs, "of a topic", |names| describe(names, TOPIC))
            .topics(&["t"])
            .needs("describe-configs topic t", "results[t] 29"),
        Case::new(Api::DescribeConfigs, "of a group", |names| describe(names, GROUP))
            .needs("describe-configs group g", "results[g] 30"),
        Case::new(Api::DescribeConfigs, "of the broker", |names| describe(names, BROKER))
            .needs("describe-configs cluster", "results[1] 31"),
        Case::new(Api::AlterConfigs, "of a topic", |names| alter(names, TOPIC))
            .topics(&["t"])
            .needs("alter-configs topic t", "responses[t] 29"),
        Case::new(Api::AlterConfigs, "of a group", |names| alter(names, GROUP))
            .needs("alter-configs group g", "responses[g] 30"),
        Case::new(Api::AlterConfigs, "of the broker", |names| alter(names, BROKER))
            .needs("alter-configs cluster", "responses[1] 31")
            .allowed("responses[1] 42"),
        Case::new(Api::IncrementalAlterConfigs, "of a topic", |names| alter_some(names, TOPIC))
            .topics(&["t"])
            .needs("alter-configs topic t", "responses[t] 29"),
        Case::new(Api::IncrementalAlterConfigs, "of a group", |names| alter_some(names, GROUP))
            .needs("alter-configs group g", "responses[g] 30"),
        Case::new(Api::IncrementalAlterConfigs, "of the broker", |names| alter_some(names, BROKER))
            .needs("alter-configs cluster", "responses[1] 31")
            .allowed("responses[1] 42"),
    ]
}
