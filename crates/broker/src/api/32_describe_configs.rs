//! DescribeConfigs: the settings of topics, of groups and of this node.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Refusal;
use schloss_wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use schloss_wire::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResponse, DescribeConfigsResult, DescribeConfigsSynonym,
};
use schloss_wire::{ErrorCode, StrBytes, build};

use crate::broker::Broker;
use crate::reply::{ready, refusal, text};
use crate::settings::{
    BROKER_RESOURCE, Described, GROUP_RESOURCE, TOPIC_RESOURCE, TopicSettings, describe_broker,
    describe_group, describe_topic,
};

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: DescribeConfigsRequest,
) -> BoxFuture<'static, Outcome> {
    let (synonyms, documentation) = (request.include_synonyms, request.include_documentation);
    let answer = |resource: DescribeConfigsResource| {
        let described = describe(broker, &resource);
        let (error, configs) = match described {
            Ok(configs) => (None, configs),
            Err(refused) => (Some(refused), Vec::new()),
        };
        let keys = &resource.configuration_keys;
        let wanted = |config: &Described| {
            keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key.as_str() == config.name))
        };
        let configs = configs.into_iter().filter(wanted);
        build!(DescribeConfigsResult {
            error_code: error.as_ref().map_or(0, |refused| refused.code.code()),
            error_message: error.and_then(|refused| text(refused.message)),
            resource_type: resource.resource_type,
            configs: configs.map(|config| in_answer(config, synonyms, documentation)).collect(),
            resource_name: resource.resource_name,
        })
    };
    ready(build!(DescribeConfigsResponse { results: request.resources.into_iter().map(answer).collect() }))
}

fn describe(broker: &Broker, resource: &DescribeConfigsResource) -> Result<Vec<Described>, Refusal> {
    let name = resource.resource_name.as_str();
    match resource.resource_type {
        TOPIC_RESOURCE => {
            let snapshot = broker.metadata.snapshot();
            let topic = snapshot
                .topic(name)
                .ok_or_else(|| refusal(ErrorCode::UnknownTopicOrPartition, "the topic does not exist"))?;
            Ok(describe_topic(&TopicSettings::new(&topic.configs, &broker.config)))
        }
        // The empty name stands for the settings that all brokers share; there are none apart from a node's.
        BROKER_RESOURCE if name.is_empty() => Ok(Vec::new()),
        BROKER_RESOURCE if name.parse() == Ok(broker.config.node_id) => Ok(describe_broker(&broker.config)),
        BROKER_RESOURCE => Err(refusal(
            ErrorCode::InvalidRequest,
            format_args!("there is no such broker here: ask for broker {}", broker.config.node_id),
        )),
        GROUP_RESOURCE if name.is_empty() => {
            Err(refusal(ErrorCode::InvalidRequest, "settings are those of one group: name it"))
        }
        GROUP_RESOURCE => {
            let (snapshot, none) = (broker.metadata.snapshot(), BTreeMap::new());
            let own = snapshot.group_configs(name).unwrap_or(&none);
            Ok(describe_group(&TopicSettings::new(own, &broker.config)))
        }
        kind => Err(refusal(
            ErrorCode::InvalidRequest,
            format_args!(
                "resources of type {kind} have no settings here, only topics, groups and the broker do"
            ),
        )),
    }
}

fn in_answer(config: Described, synonyms: bool, documentation: bool) -> DescribeConfigsResourceResult {
    let synonym = |synonym: (&'static str, String, crate::settings::Source)| {
        build!(DescribeConfigsSynonym {
            name: StrBytes::from(synonym.0),
            value: text(synonym.1),
            source: synonym.2.code()
        })
    };
    build!(DescribeConfigsResourceResult {
        name: StrBytes::from(config.name),
        value: text(config.value),
        read_only: config.read_only,
        config_source: config.source.code(),
        synonyms: if synonyms { config.synonyms.into_iter().map(synonym).collect() } else { Vec::new() },
        config_type: config.kind.code(),
        documentation: if documentation { text(config.documentation) } else { None },
    })
}
