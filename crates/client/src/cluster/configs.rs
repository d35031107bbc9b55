//! Settings of topics.

use schloss_wire::messages::describe_configs_request::DescribeConfigsResource;
use schloss_wire::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use schloss_wire::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};
use schloss_wire::{StrBytes, build};

use super::Cluster;
use super::topics::NO_RESULT;
use crate::error::{ClientError, Need};

/// `ConfigResource.Type.TOPIC`.
const TOPIC: i8 = 2;
/// `ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG`.
const TOPIC_SOURCE: i8 = 1;
/// `AlterConfigOp.OpType`.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// One setting.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigEntry {
    /// Its key.
    pub name: String,
    /// Its value; `None` if it is sensitive or unset.
    pub value: Option<String>,
    /// Whether it was set on the topic itself and is no default.
    pub own: bool,
    /// Whether the broker hides its value.
    pub sensitive: bool,
}

impl Cluster {
    /// The settings of a topic.
    ///
    /// # Errors
    /// It does not exist, or the user lacks `DESCRIBE_CONFIGS`.
    pub async fn describe_topic_configs(&mut self, topic: &str) -> Result<Vec<ConfigEntry>, ClientError> {
        let resource = build!(DescribeConfigsResource {
            resource_type: TOPIC,
            resource_name: StrBytes::from(topic),
            configuration_keys: None,
        });
        let request = build!(DescribeConfigsRequest { resources: vec![resource] });
        let mut response = self.call_any(&request).await?;
        let result = response.results.pop();
        let code = result.as_ref().map_or(NO_RESULT, |result| result.error_code);
        let message = result.as_ref().and_then(|result| result.error_message.as_deref());
        self.check(code, message, &Need::topic("DESCRIBE_CONFIGS", topic), || {
            format!("reading the settings of topic {topic}")
        })?;
        let configs = result.map(|result| result.configs).unwrap_or_default();
        Ok(configs
            .into_iter()
            .map(|config| ConfigEntry {
                name: config.name.into_string(),
                value: config.value.map(StrBytes::into_string),
                own: config.config_source == TOPIC_SOURCE,
                sensitive: config.is_sensitive,
            })
            .collect())
    }

    /// Sets (`Some`) or resets (`None`) settings of a topic and leaves the others.
    ///
    /// # Errors
    /// A setting is refused, or the user lacks `ALTER_CONFIGS`.
    pub async fn alter_topic_configs(
        &mut self,
        topic: &str,
        changes: &[(String, Option<String>)],
    ) -> Result<(), ClientError> {
        let configs = changes.iter().map(|(name, value)| {
            build!(AlterableConfig {
                name: StrBytes::from(name.as_str()),
                config_operation: if value.is_some() { SET } else { DELETE },
                value: value.as_deref().map(StrBytes::from),
            })
        });
        let resource = build!(AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: StrBytes::from(topic),
            configs: configs.collect(),
        });
        let request = build!(IncrementalAlterConfigsRequest { resources: vec![resource] });
        let response = self
            .call_controller(&request, |response| {
                response.responses.first().map_or(NO_RESULT, |result| result.error_code)
            })
            .await?;
        let result = response.responses.first();
        let code = result.map_or(NO_RESULT, |result| result.error_code);
        let message = result.and_then(|result| result.error_message.as_deref());
        self.check(code, message, &Need::topic("ALTER_CONFIGS", topic), || {
            format!("changing the settings of topic {topic}")
        })
    }
}
