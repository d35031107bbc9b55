//! Changing client quotas.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use schloss_wire::ErrorCode;

use crate::error::{MetadataError, Refusal};
use crate::limits::{MAX_QUOTA_ENTITIES, MAX_QUOTA_NAME_BYTES};
use crate::metadata::Metadata;
use crate::quotas::{ClientQuotas, QuotaEntity, QuotaKey, QuotaName, QuotaValues};
use crate::record::Record;

/// How far from a whole number a value may be that has to be one (Kafka's own tolerance).
const EPSILON: f64 = 1e-6;

/// New quotas of one entity; `None` takes one away.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaChange {
    /// Whose.
    pub entity: QuotaEntity,
    /// The new values.
    pub changes: BTreeMap<QuotaKey, Option<f64>>,
}

impl Metadata {
    /// Changes client quotas, all in one change, and returns one outcome per entity, in order. Taking away what
    /// is not there is no error, as in Kafka. With `validate_only` nothing is changed.
    ///
    /// # Errors
    /// Nothing was changed. What is wrong with one entity is in its [`Refusal`] and does not hinder the others.
    pub async fn alter_client_quotas(
        self: &Arc<Self>,
        changes: Vec<QuotaChange>,
        validate_only: bool,
    ) -> Result<Vec<Result<(), Refusal>>, MetadataError> {
        self.change(|snapshot| {
            let mut after = ClientQuotas::clone(snapshot.client_quotas());
            let mut records = Vec::new();
            let mut outcomes = Vec::new();
            for change in &changes {
                let outcome = check(&after, change);
                if outcome.is_ok() {
                    records.extend(apply(&mut after, change));
                }
                outcomes.push(outcome);
            }
            if validate_only {
                records.clear();
            }
            Ok((records, outcomes))
        })
        .await
    }
}

/// Makes the change; the record that says so, if it is one.
fn apply(quotas: &mut ClientQuotas, change: &QuotaChange) -> Option<Record> {
    let entity = change.entity.clone();
    let before = quotas.get(&entity).cloned().unwrap_or_default();
    let mut after = before.clone();
    for (key, value) in &change.changes {
        match value {
            Some(value) => after.insert(*key, *value),
            None => after.remove(key),
        };
    }
    if after == before {
        return None;
    }
    if after.is_empty() {
        quotas.remove(&entity);
        return Some(Record::ClientQuotasDeleted { entity });
    }
    quotas.set(entity.clone(), after.clone());
    Some(Record::ClientQuotas { entity, quotas: after })
}

fn check(quotas: &ClientQuotas, change: &QuotaChange) -> Result<(), Refusal> {
    let sets: QuotaValues =
        change.changes.iter().filter_map(|(key, value)| value.map(|value| (*key, value))).collect();
    check_quotas(&change.entity, &sets).map_err(|words| Refusal::new(ErrorCode::InvalidRequest, words))?;
    if let Some(key) = change.changes.keys().find(|key| !key.is_of(&change.entity)) {
        return Err(Refusal::new(
            ErrorCode::InvalidRequest,
            format!("Invalid configuration key {}", key.name()),
        ));
    }
    let is_new = !sets.is_empty() && quotas.get(&change.entity).is_none();
    if is_new && quotas.iter().len() >= MAX_QUOTA_ENTITIES {
        let words = format!("There can be quotas for no more than {MAX_QUOTA_ENTITIES} entities.");
        return Err(Refusal::new(ErrorCode::PolicyViolation, words));
    }
    Ok(())
}

/// Whether these quotas can be set for this entity.
///
/// # Errors
/// In words, why not.
pub(crate) fn check_quotas(entity: &QuotaEntity, quotas: &QuotaValues) -> Result<(), String> {
    for (kind, name) in entity.parts() {
        let Some(name) = name.as_named() else { continue };
        if name.is_empty() {
            return Err(format!("Empty {kind} not supported"));
        }
        if name.len() > MAX_QUOTA_NAME_BYTES {
            return Err(format!("A {kind} of a quota has at most {MAX_QUOTA_NAME_BYTES} bytes."));
        }
    }
    if let QuotaEntity::Ip(QuotaName::Named(ip)) = entity
        && canonical(ip).as_ref() != Some(ip)
    {
        return Err(format!("{ip} is not a valid IP address."));
    }
    for (key, value) in quotas {
        let name = key.name();
        if !key.is_of(entity) {
            return Err(format!("Invalid configuration key {name}"));
        }
        if !value.is_finite() || *value <= 0.0 {
            return Err(format!("Quota {name} must be greater than 0"));
        }
        if key.is_whole() && (*value - value.round()).abs() > EPSILON {
            return Err(format!("{name} cannot be a fractional value."));
        }
    }
    Ok(())
}

/// The one spelling of an address that entities have; nothing for what is no address.
fn canonical(ip: &str) -> Option<String> {
    ip.parse::<IpAddr>().ok().map(|ip| ip.to_canonical().to_string())
}
