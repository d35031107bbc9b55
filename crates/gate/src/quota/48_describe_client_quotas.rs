//! `48 DescribeClientQuotas`: quotas by whom they are for (KIP-546).

use schloss_metadata::{ClientQuotas, QuotaEntity, QuotaName, QuotaValues};
use schloss_policy::refuse;
use schloss_wire::messages::describe_client_quotas_request::ComponentData;
use schloss_wire::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use schloss_wire::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};
use schloss_wire::{ErrorCode, Response, build};

/// Kafka's codes of how a name is meant.
const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const ANY: i8 = 2;

/// What one part of an entity has to be: of this type, and of this name unless any will do.
struct Wanted<'a> {
    kind: &'a str,
    name: Option<Option<&'a str>>,
}

pub(crate) fn describe(quotas: &ClientQuotas, request: DescribeClientQuotasRequest) -> Response {
    match wanted(&request.components) {
        Ok(wanted) => {
            let matching = quotas.iter().filter(|(entity, _)| matches(entity, &wanted, request.strict));
            let entries = matching.map(|(entity, values)| entry(entity, values)).collect();
            build!(DescribeClientQuotasResponse { error_message: None, entries: Some(entries) }).into()
        }
        Err((code, words)) => refuse(&request.into(), 0, code, Some(&words)),
    }
}

fn wanted(components: &[ComponentData]) -> Result<Vec<Wanted<'_>>, (ErrorCode, String)> {
    let invalid = |words: String| Err((ErrorCode::InvalidRequest, words));
    let mut wanted: Vec<Wanted<'_>> = Vec::new();
    for component in components {
        let kind = component.entity_type.as_str();
        if wanted.iter().any(|other| other.kind == kind) {
            return invalid(format!("Entity type {kind} cannot appear more than once in the filter."));
        }
        match kind {
            QuotaEntity::USER | QuotaEntity::CLIENT_ID | QuotaEntity::IP => {}
            "" => return invalid("Invalid empty entity type.".to_owned()),
            _ => return Err((ErrorCode::UnsupportedVersion, format!("Unsupported entity type {kind}"))),
        }
        let name = match (component.match_type, component.match_.as_deref()) {
            (EXACT, Some(name)) => Some(Some(name)),
            (DEFAULT, None) => Some(None),
            (ANY, None) => None,
            (EXACT, None) => return invalid("An exact match needs a match string.".to_owned()),
            (DEFAULT | ANY, Some(_)) => {
                return invalid("Only an exact match takes a match string.".to_owned());
            }
            (other, _) => return invalid(format!("Unknown match type {other}")),
        };
        wanted.push(Wanted { kind, name });
    }
    let of_address = wanted.iter().any(|wanted| wanted.kind == QuotaEntity::IP);
    if of_address && wanted.len() > 1 {
        return invalid("An ip can't be combined with a user or a client-id in a filter.".to_owned());
    }
    Ok(wanted)
}

/// Whether each of the wanted parts is there; a strict filter wants no other one.
fn matches(entity: &QuotaEntity, wanted: &[Wanted<'_>], strict: bool) -> bool {
    let has = |wanted: &Wanted<'_>| {
        entity.parts().any(|(kind, name)| {
            kind == wanted.kind && wanted.name.is_none_or(|wanted| wanted == name.as_named())
        })
    };
    wanted.iter().all(has) && (!strict || entity.parts().count() == wanted.len())
}

fn entry(entity: &QuotaEntity, values: &QuotaValues) -> EntryData {
    let part = |(kind, name): (&'static str, &QuotaName)| {
        build!(EntityData { entity_type: kind.into(), entity_name: name.as_named().map(Into::into) })
    };
    let values =
        values.iter().map(|(key, value)| build!(ValueData { key: key.name().into(), value: *value }));
    build!(EntryData { entity: entity.parts().map(part).collect(), values: values.collect() })
}
