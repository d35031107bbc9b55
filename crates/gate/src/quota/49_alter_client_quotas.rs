//! `49 AlterClientQuotas`: one result per entity (KIP-546).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use schloss_metadata::{Metadata, QuotaChange, QuotaEntity, QuotaKey, QuotaName, Refusal};
use schloss_wire::messages::alter_client_quotas_request::EntryData as Wish;
use schloss_wire::messages::alter_client_quotas_response::{EntityData, EntryData};
use schloss_wire::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};
use schloss_wire::{ErrorCode, Response, build};

pub(crate) async fn alter(metadata: &Arc<Metadata>, request: AlterClientQuotasRequest) -> Response {
    let mut read: Vec<Result<QuotaChange, Refusal>> = request.entries.iter().map(read).collect();
    refuse_repeated(&mut read);
    let good: Vec<QuotaChange> = read.iter().flatten().cloned().collect();
    let outcomes = match metadata.alter_client_quotas(good, request.validate_only).await {
        Ok(outcomes) => outcomes,
        Err(error) => {
            tracing::error!("can't change quotas: {error}");
            let message = "the quotas could not be stored".to_owned();
            let refusal = Refusal { code: error.code(), message };
            read.iter().flatten().map(|_| Err(refusal.clone())).collect()
        }
    };
    let mut outcomes = outcomes.into_iter();
    let entries = request.entries.iter().zip(read).map(|(wish, read)| {
        let outcome = read.and_then(|_| outcomes.next().unwrap_or(Ok(())));
        result(wish, outcome)
    });
    build!(AlterClientQuotasResponse { entries: entries.collect() }).into()
}

/// Which of several wishes for one entity is meant can't be told.
fn refuse_repeated(read: &mut [Result<QuotaChange, Refusal>]) {
    let mut times: BTreeMap<QuotaEntity, usize> = BTreeMap::new();
    for change in read.iter().flatten() {
        *times.entry(change.entity.clone()).or_default() += 1;
    }
    for result in read {
        if let Ok(change) = result
            && times.get(&change.entity).is_some_and(|times| *times > 1)
        {
            *result = Err(invalid(format!("Ignoring duplicate entity {}", change.entity)));
        }
    }
}

fn read(wish: &Wish) -> Result<QuotaChange, Refusal> {
    let entity = read_entity(wish)?;
    let mut changes = BTreeMap::new();
    for op in &wish.ops {
        let key = QuotaKey::from_name(&op.key)
            .ok_or_else(|| invalid(format!("Invalid configuration key {}", op.key.as_str())))?;
        if changes.insert(key, (!op.remove).then_some(op.value)).is_some() {
            return Err(invalid(format!("Duplicate quota key {}", key.name())));
        }
    }
    Ok(QuotaChange { entity, changes })
}

fn read_entity(wish: &Wish) -> Result<QuotaEntity, Refusal> {
    let (mut user, mut client_id, mut ip) = (None, None, None);
    for part in &wish.entity {
        let name = part.entity_name.as_ref().map(ToString::to_string);
        let (place, name) = match part.entity_type.as_str() {
            QuotaEntity::USER => (&mut user, name),
            QuotaEntity::CLIENT_ID => (&mut client_id, name),
            QuotaEntity::IP => (&mut ip, name.map(one_spelling)),
            other => return Err(invalid(format!("Unhandled client quota entity type: {other}"))),
        };
        if place.replace(QuotaName::from(name)).is_some() {
            let kind = part.entity_type.as_str();
            return Err(invalid(format!("Invalid client quota entity, duplicate entity entry {kind}")));
        }
    }
    match (user, client_id, ip) {
        (Some(user), Some(client_id), None) => Ok(QuotaEntity::UserClient { user, client_id }),
        (Some(user), None, None) => Ok(QuotaEntity::User(user)),
        (None, Some(client_id), None) => Ok(QuotaEntity::ClientId(client_id)),
        (None, None, Some(ip)) => Ok(QuotaEntity::Ip(ip)),
        (None, None, None) => Err(invalid("Invalid empty client quota entity")),
        _ => Err(invalid("Invalid quota entity combination, an ip stands alone")),
    }
}

/// An address as it is compared; what is none is refused later.
fn one_spelling(ip: String) -> String {
    ip.parse::<IpAddr>().map_or(ip, |ip| ip.to_canonical().to_string())
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal { code: ErrorCode::InvalidRequest, message: message.into() }
}

fn result(wish: &Wish, outcome: Result<(), Refusal>) -> EntryData {
    let entity = wish.entity.iter().map(|part| {
        build!(EntityData { entity_type: part.entity_type.clone(), entity_name: part.entity_name.clone() })
    });
    let (error_code, error_message) = match outcome {
        Ok(()) => (ErrorCode::None.code(), None),
        Err(Refusal { code, message }) => (code.code(), Some(message.into())),
    };
    build!(EntryData { error_code, error_message, entity: entity.collect() })
}
