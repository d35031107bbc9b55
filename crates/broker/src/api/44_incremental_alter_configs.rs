//! IncrementalAlterConfigs: settings of topics and groups. Those of the broker come from its configuration file alone.

use std::collections::{BTreeMap, HashMap, HashSet};

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::{ConfigChange, ConfigResource, Refusal};
use schloss_wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use schloss_wire::messages::incremental_alter_configs_response::{
    AlterConfigsResourceResponse, IncrementalAlterConfigsResponse,
};
use schloss_wire::{ErrorCode, build};

use crate::broker::{Broker, BrokerConfig};
use crate::groups::MAX_GROUP_ID_BYTES;
use crate::reply::{later, refusal, text};
use crate::settings::{
    BROKER_RESOURCE, GROUP_RESOURCE, Kind, Setting, TOPIC_RESOURCE, TopicSettings, known_group_setting, split,
};

/// Finds a setting by its name.
type Known = fn(&str) -> Result<&'static Setting, String>;

/// What to do with a setting (`AlterConfigOp.OpType`).
pub(super) const SET: i8 = 0;
pub(super) const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(crate) fn call(
    broker: &Broker,
    _caller: Caller,
    request: IncrementalAlterConfigsRequest,
) -> BoxFuture<'static, Outcome> {
    let broker = broker.clone();
    later(async move {
        let _topology = broker.topology.lock().await;
        let refusals = alter(&broker, &request.resources, request.validate_only).await;
        let answers = request.resources.into_iter().zip(refusals);
        let responses = answers.map(|(resource, refused)| answer(resource, refused)).collect();
        build!(IncrementalAlterConfigsResponse { responses })
    })
}

/// Changes settings: for each resource why not, if it was not. New values are worked out from those there are,
/// so the caller holds the topology.
pub(super) async fn alter(
    broker: &Broker,
    resources: &[AlterConfigsResource],
    validate_only: bool,
) -> Vec<Option<Refusal>> {
    let outcomes = plan_all(broker, resources);
    let changes: Vec<ConfigChange> = outcomes.iter().flatten().cloned().collect();
    let altered = broker.metadata.alter_configs(changes, validate_only).await;
    let mut altered = altered.map(Vec::into_iter).map_err(|error| {
        tracing::error!(%error, "cannot record settings");
        refusal(error.code(), "the settings can't be changed")
    });
    let mut refusal_of = |planned: Result<ConfigChange, Refusal>| match (planned, &mut altered) {
        (Err(refused), _) => Some(refused),
        (Ok(_), Ok(altered)) => altered.next().and_then(Result::err),
        (Ok(_), Err(refused)) => Some(refused.clone()),
    };
    let refusals: Vec<Option<Refusal>> = outcomes.into_iter().map(&mut refusal_of).collect();
    if !validate_only {
        let changed = resources.iter().zip(&refusals).filter(|(_, refused)| refused.is_none());
        put_in_force(broker, changed.map(|(resource, _)| resource.resource_name.as_str()));
    }
    refusals
}

/// Hands the settings of topics to whoever does not look them up each time.
fn put_in_force<'a>(broker: &Broker, topics: impl Iterator<Item = &'a str>) {
    let snapshot = broker.metadata.snapshot();
    for topic in topics.filter_map(|name| snapshot.topic(name)) {
        let config = TopicSettings::new(&topic.configs, &broker.config).log_config();
        broker.partitions.reconfigure(topic.id, &config);
    }
    broker.cleaner.wake();
}

fn plan_all(broker: &Broker, resources: &[AlterConfigsResource]) -> Vec<Result<ConfigChange, Refusal>> {
    let mut mentions: HashMap<(i8, &str), usize> = HashMap::new();
    for resource in resources {
        *mentions.entry((resource.resource_type, resource.resource_name.as_str())).or_default() += 1;
    }
    let plan_one = |resource: &AlterConfigsResource| {
        let mention = (resource.resource_type, resource.resource_name.as_str());
        if mentions.get(&mention).is_some_and(|count| *count > 1) {
            return Err(refusal(ErrorCode::InvalidRequest, "each resource must appear at most once"));
        }
        plan(broker, resource)
    };
    resources.iter().map(plan_one).collect()
}

fn plan(broker: &Broker, resource: &AlterConfigsResource) -> Result<ConfigChange, Refusal> {
    let name = resource.resource_name.as_str();
    let snapshot = broker.metadata.snapshot();
    let none = BTreeMap::new();
    let (resource_of, own, known): (_, _, Known) = match resource.resource_type {
        TOPIC_RESOURCE => {
            let topic = snapshot
                .topic(name)
                .ok_or_else(|| refusal(ErrorCode::UnknownTopicOrPartition, "the topic does not exist"))?;
            (ConfigResource::Topic(name.to_owned()), &topic.configs, TopicSettings::known)
        }
        GROUP_RESOURCE if name.is_empty() || name.len() > MAX_GROUP_ID_BYTES => {
            let message =
                format!("settings are those of one group, whose id has 1 to {MAX_GROUP_ID_BYTES} bytes");
            return Err(refusal(ErrorCode::InvalidRequest, message));
        }
        GROUP_RESOURCE => {
            let own = snapshot.group_configs(name).unwrap_or(&none);
            (ConfigResource::Group(name.to_owned()), own, known_group_setting)
        }
        BROKER_RESOURCE => {
            let message = "settings of the broker can't be changed by a client: change its configuration \
                           file and start it again";
            return Err(refusal(ErrorCode::InvalidRequest, message));
        }
        kind => {
            let message =
                format!("resources of type {kind} have no settings here, only topics and groups do");
            return Err(refusal(ErrorCode::InvalidRequest, message));
        }
    };
    let mut seen = HashSet::new();
    let mut changes = BTreeMap::new();
    for config in &resource.configs {
        if !seen.insert(config.name.as_str()) {
            let message = "a setting is named more than once for the same resource";
            return Err(refusal(ErrorCode::InvalidRequest, message));
        }
        let setting = known(config.name.as_str()).map_err(invalid)?;
        changes.insert(setting.name.to_owned(), new_value(setting, config, own, &broker.config)?);
    }
    if matches!(resource_of, ConfigResource::Topic(_)) {
        TopicSettings::check(&changed(own, &changes)).map_err(invalid)?;
    }
    Ok(ConfigChange { resource: resource_of, changes })
}

/// A resource's own settings after these changes.
fn changed(
    own: &BTreeMap<String, String>,
    changes: &BTreeMap<String, Option<String>>,
) -> BTreeMap<String, String> {
    let mut all = own.clone();
    for (name, value) in changes {
        match value {
            Some(value) => all.insert(name.clone(), value.clone()),
            None => all.remove(name),
        };
    }
    all
}

/// The value that a setting gets; nothing to go back to the default.
fn new_value(
    setting: &Setting,
    config: &AlterableConfig,
    own: &BTreeMap<String, String>,
    node: &BrokerConfig,
) -> Result<Option<String>, Refusal> {
    let (now, _) = TopicSettings::new(own, node).effective(setting);
    let given = || {
        let value = config.value.as_ref().map(|value| value.as_str().trim().to_owned());
        value.ok_or_else(|| {
            refusal(ErrorCode::InvalidRequest, format_args!("null is no value for {}", setting.name))
        })
    };
    let wanted = match config.config_operation {
        SET => Some(given()?),
        DELETE => None,
        APPEND | SUBTRACT if setting.kind != Kind::List => {
            let message = format!("{} is no list: nothing can be appended or subtracted", setting.name);
            return Err(invalid(message));
        }
        APPEND => {
            let mut items = split(&now);
            let more = given()?;
            items.extend(split(&more).into_iter().filter(|item| !split(&now).contains(item)));
            Some(items.join(","))
        }
        SUBTRACT => {
            let less = given()?;
            let less = split(&less);
            Some(split(&now).into_iter().filter(|item| !less.contains(item)).collect::<Vec<_>>().join(","))
        }
        operation => {
            let message = format!("operation {operation} is none of set, delete, append and subtract");
            return Err(refusal(ErrorCode::InvalidRequest, message));
        }
    };
    if let Some(value) = &wanted {
        setting.rule.check(setting.name, value).map_err(invalid)?;
    }
    Ok(wanted)
}

fn invalid(message: String) -> Refusal {
    refusal(ErrorCode::InvalidConfig, message)
}

fn answer(resource: AlterConfigsResource, refused: Option<Refusal>) -> AlterConfigsResourceResponse {
    build!(AlterConfigsResourceResponse {
        error_code: refused.as_ref().map_or(0, |refused| refused.code.code()),
        error_message: refused.and_then(|refused| text(refused.message)),
        resource_type: resource.resource_type,
        resource_name: resource.resource_name,
    })
}
