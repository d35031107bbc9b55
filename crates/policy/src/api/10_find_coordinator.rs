//! FindCoordinator: DESCRIBE on the group or transactional id; for share groups, CLUSTER_ACTION.

use schloss_wire::messages::find_coordinator_response::Coordinator;
use schloss_wire::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, allow, conclude, take_denied, text, words};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

/// First version that asks about several keys.
const KEYS: i16 = 4;
/// First version that asks about share groups.
const SHARE_GROUPS: i16 = 6;
/// Kafka's "no node".
const NO_NODE: i32 = -1;
const NO_PORT: i32 = -1;
/// What Kafka says of a key among several.
const NO_WORDS: &str = "";

pub(super) fn admit(mut request: FindCoordinatorRequest, version: i16, judge: &mut Judge<'_>) -> Verdict {
    let [group, transaction, share_group] = table::FIND_COORDINATOR;
    let need = match request.key_type {
        0 => group,
        1 => transaction,
        2 if version >= SHARE_GROUPS => {
            return match share_group.refusal_on_cluster(judge) {
                Some(code) => {
                    Verdict::Refused(refuse(&request, version, code, words(code).as_deref()).into())
                }
                None => allow(request),
            };
        }
        _ => return Verdict::Refused(refuse(&request, version, ErrorCode::InvalidRequest, None).into()),
    };
    if version < KEYS {
        return match need.refusal(judge, &request.key) {
            Some(code) => Verdict::Refused(refuse(&request, version, code, words(code).as_deref()).into()),
            None => allow(request),
        };
    }
    let denied = take_denied(&mut request.coordinator_keys, |key| need.refusal(judge, key));
    let left = Left::after(&request.coordinator_keys, &denied);
    conclude(request, left, judge, move |response: &mut FindCoordinatorResponse, _| {
        response.coordinators.extend(denied.iter().map(|(key, code)| refuse_key(key, *code, Some(NO_WORDS))));
    })
}

pub(super) fn refuse(
    request: &FindCoordinatorRequest,
    version: i16,
    code: ErrorCode,
    message: Option<&str>,
) -> FindCoordinatorResponse {
    if version < KEYS {
        return build!(FindCoordinatorResponse {
            error_code: code.code(),
            error_message: text(message),
            node_id: NO_NODE,
            port: NO_PORT,
        });
    }
    let keys = request.coordinator_keys.iter();
    build!(FindCoordinatorResponse { coordinators: keys.map(|key| refuse_key(key, code, message)).collect() })
}

fn refuse_key(key: &StrBytes, code: ErrorCode, message: Option<&str>) -> Coordinator {
    build!(Coordinator {
        key: key.clone(),
        node_id: NO_NODE,
        port: NO_PORT,
        error_code: code.code(),
        error_message: text(message),
    })
}
