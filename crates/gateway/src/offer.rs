//! What can be offered at a broker: what it says it can do, as far as we understand it.

use schloss_gate::Features;
use schloss_wire::messages::ApiVersionsResponse;
use schloss_wire::{Api, ApiRange, ErrorCode};

/// The versions that the broker and we understand.
pub(crate) fn common(answer: &ApiVersionsResponse) -> Vec<ApiRange> {
    let both = answer.api_keys.iter().filter_map(|theirs| {
        let api = Api::from_key(theirs.api_key)?;
        let ours = api.range();
        let (min, max) = (ours.min.max(theirs.min_version), ours.max.min(theirs.max_version));
        (min <= max).then_some(ApiRange { api, min, max })
    });
    both.collect()
}

/// The versions that all of these understand.
pub(crate) fn common_to_all<'a>(mut ranges: impl Iterator<Item = &'a [ApiRange]>) -> Vec<ApiRange> {
    let mut all = ranges.next().unwrap_or_default().to_vec();
    for others in ranges {
        all.retain_mut(|range| {
            let Some(other) = others.iter().find(|other| other.api == range.api) else { return false };
            (range.min, range.max) = (range.min.max(other.min), range.max.min(other.max));
            range.min <= range.max
        });
    }
    all
}

/// The features that the broker tells of.
pub(crate) fn features(answer: &ApiVersionsResponse) -> Features {
    debug_assert_eq!(answer.error_code, ErrorCode::None.code());
    Features {
        supported: answer.supported_features.clone(),
        finalized: answer.finalized_features.clone(),
        finalized_epoch: answer.finalized_features_epoch,
    }
}
