//! Changing settings.

use std::collections::BTreeMap;
use std::sync::Arc;

use schloss_wire::ErrorCode;

use crate::error::{MetadataError, Refusal};
use crate::limits::{
    MAX_CONFIG_NAME_BYTES, MAX_CONFIG_VALUE_BYTES, MAX_CONFIGS_PER_RESOURCE, MAX_CONFIGURED_GROUPS,
};
use crate::metadata::Metadata;
use crate::record::{ConfigResource, Record};
use crate::snapshot::Snapshot;

/// New values for the settings of one resource; `None` brings a default back.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConfigChange {
    /// Whose settings.
    pub resource: ConfigResource,
    /// The new values.
    pub changes: BTreeMap<String, Option<String>>,
}

impl Metadata {
    /// Changes settings, and returns one outcome per resource, in order. Whether a setting exists and takes
    /// the value is checked by whoever knows the settings. With `validate_only` nothing is changed.
    ///
    /// # Errors
    /// Nothing was changed. What is wrong with one resource is in its [`Refusal`].
    pub async fn alter_configs(
        self: &Arc<Self>,
        changes: Vec<ConfigChange>,
        validate_only: bool,
    ) -> Result<Vec<Result<(), Refusal>>, MetadataError> {
        self.change(|snapshot| {
            let mut records = Vec::new();
            let mut outcomes = Vec::new();
            for change in &changes {
                let outcome = check(snapshot, change);
                if outcome.is_ok() && !validate_only && !change.changes.is_empty() {
                    let ConfigChange { resource, changes } = change.clone();
                    records.push(Record::Configs { resource, changes });
                }
                outcomes.push(outcome);
            }
            Ok((records, outcomes))
        })
        .await
    }
}

fn check(snapshot: &Snapshot, change: &ConfigChange) -> Result<(), Refusal> {
    let now = snapshot.configs(&change.resource);
    if let (ConfigResource::Topic(name), None) = (&change.resource, now) {
        return Err(Refusal::new(
            ErrorCode::UnknownTopicOrPartition,
            format!("The topic '{name}' does not exist."),
        ));
    }
    if let (ConfigResource::Group(_), None) = (&change.resource, now)
        && snapshot.configured_groups().len() >= MAX_CONFIGURED_GROUPS
    {
        return Err(Refusal::new(
            ErrorCode::PolicyViolation,
            format!("{MAX_CONFIGURED_GROUPS} groups have settings of their own, the most there can be."),
        ));
    }
    let too_long = change.changes.iter().any(|(name, value)| {
        name.len() > MAX_CONFIG_NAME_BYTES || value.as_ref().is_some_and(|v| v.len() > MAX_CONFIG_VALUE_BYTES)
    });
    let held = now.map_or(0, BTreeMap::len) + change.changes.len();
    if too_long || held > MAX_CONFIGS_PER_RESOURCE {
        return Err(Refusal::new(
            ErrorCode::InvalidConfig,
            format!(
                "A resource takes {MAX_CONFIGS_PER_RESOURCE} settings, each with a name of \
                 {MAX_CONFIG_NAME_BYTES} and a value of {MAX_CONFIG_VALUE_BYTES} bytes at most."
            ),
        ));
    }
    Ok(())
}
