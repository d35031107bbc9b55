//! Client quotas (KIP-546).

use schloss_wire::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use schloss_wire::messages::describe_client_quotas_request::ComponentData;
use schloss_wire::messages::{AlterClientQuotasRequest, DescribeClientQuotasRequest};
use schloss_wire::{StrBytes, build};

use super::Cluster;
use super::topics::NO_RESULT;
use crate::error::{ClientError, Need};

/// `DescribeClientQuotasRequest.MATCH_TYPE_EXACT` and `MATCH_TYPE_DEFAULT`.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;

/// For whom a quota is: types (`user`, `client-id`, `ip`) with names; without a name the default of that type.
pub type QuotaEntity = Vec<(String, Option<String>)>;

/// The quotas of one entity.
#[derive(Clone, Debug, PartialEq)]
pub struct QuotaEntry {
    /// For whom.
    pub entity: QuotaEntity,
    /// Their names and values, by name.
    pub quotas: Vec<(String, f64)>,
}

impl Cluster {
    /// The quotas of all entities that have these parts, and perhaps others.
    ///
    /// # Errors
    /// The user lacks `DESCRIBE_CONFIGS` on the cluster, or the brokers are older than Apache Kafka 2.6.
    pub async fn describe_quotas(&mut self, parts: &QuotaEntity) -> Result<Vec<QuotaEntry>, ClientError> {
        let components = parts.iter().map(|(kind, name)| {
            build!(ComponentData {
                entity_type: StrBytes::from(kind.as_str()),
                match_type: if name.is_some() { EXACT } else { DEFAULT },
                match_: name.as_deref().map(StrBytes::from),
            })
        });
        let request = build!(DescribeClientQuotasRequest { components: components.collect() });
        let response = self.call_any(&request).await?;
        let message = response.error_message.as_deref();
        let need = Need::cluster("DESCRIBE_CONFIGS");
        self.check(response.error_code, message, &need, || "listing quotas".to_owned())?;
        let entries = response.entries.unwrap_or_default().into_iter().map(|entry| {
            let part = |part: schloss_wire::messages::describe_client_quotas_response::EntityData| {
                (part.entity_type.to_string(), part.entity_name.map(StrBytes::into_string))
            };
            let mut quotas: Vec<(String, f64)> =
                entry.values.into_iter().map(|value| (value.key.to_string(), value.value)).collect();
            quotas.sort_by(|one, other| one.0.cmp(&other.0));
            let mut entity: QuotaEntity = entry.entity.into_iter().map(part).collect();
            // User before client id, whatever the broker's order.
            entity.sort_by(|one, other| other.0.cmp(&one.0));
            QuotaEntry { entity, quotas }
        });
        let mut entries: Vec<QuotaEntry> = entries.collect();
        entries.sort_by(|one, other| one.entity.cmp(&other.entity));
        Ok(entries)
    }

    /// Sets quotas of one entity; without a value, takes one away.
    ///
    /// # Errors
    /// The user lacks `ALTER_CONFIGS` on the cluster, or a quota or its value is none.
    pub async fn alter_quotas(
        &mut self,
        entity: &QuotaEntity,
        changes: &[(String, Option<f64>)],
    ) -> Result<(), ClientError> {
        let parts = entity.iter().map(|(kind, name)| {
            build!(EntityData {
                entity_type: StrBytes::from(kind.as_str()),
                entity_name: name.as_deref().map(StrBytes::from),
            })
        });
        let ops = changes.iter().map(|(key, value)| {
            build!(OpData {
                key: StrBytes::from(key.as_str()),
                value: value.unwrap_or_default(),
                remove: value.is_none(),
            })
        });
        let entry = build!(EntryData { entity: parts.collect(), ops: ops.collect() });
        let request = build!(AlterClientQuotasRequest { entries: vec![entry] });
        let response = self
            .call_controller(&request, |response| {
                response.entries.first().map_or(NO_RESULT, |result| result.error_code)
            })
            .await?;
        let result = response.entries.first();
        let code = result.map_or(NO_RESULT, |result| result.error_code);
        let message = result.and_then(|result| result.error_message.as_deref());
        self.check(code, message, &Need::cluster("ALTER_CONFIGS"), || "changing quotas".to_owned())
    }
}
