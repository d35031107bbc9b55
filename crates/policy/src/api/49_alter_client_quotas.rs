//! AlterClientQuotas: ALTER_CONFIGS on the cluster.

use schloss_wire::messages::alter_client_quotas_response::{EntityData, EntryData};
use schloss_wire::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: AlterClientQuotasRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::ALTER_CLIENT_QUOTAS;
    match alter.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(&request, code, None).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(
    request: &AlterClientQuotasRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> AlterClientQuotasResponse {
    let entries = request.entries.iter().map(|entry| {
        let entity = entry.entity.iter().map(|part| {
            build!(EntityData {
                entity_type: part.entity_type.clone(),
                entity_name: part.entity_name.clone()
            })
        });
        build!(EntryData {
            error_code: code.code(),
            error_message: text(message).or_else(|| words(code)),
            entity: entity.collect(),
        })
    });
    build!(AlterClientQuotasResponse { entries: entries.collect() })
}
