//! UpdateFeatures: ALTER on the cluster.

use schloss_wire::messages::{UpdateFeaturesRequest, UpdateFeaturesResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{allow, text};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(request: UpdateFeaturesRequest, judge: &mut Judge<'_>) -> Verdict {
    let [alter] = table::UPDATE_FEATURES;
    match alter.refusal_on_cluster(judge) {
        Some(code) => Verdict::Refused(refuse(code, None).into()),
        None => allow(request),
    }
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> UpdateFeaturesResponse {
    build!(UpdateFeaturesResponse { error_code: code.code(), error_message: text(message) })
}
