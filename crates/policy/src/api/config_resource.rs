//! What the configuration APIs name (`org.apache.kafka.common.config.ConfigResource`).

use schloss_wire::ErrorCode;

use crate::judge::Judge;
use crate::table::Need;

pub(super) const TOPIC: i8 = 2;
const BROKER: i8 = 4;
pub(super) const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

/// The error of one entry, given the needs on the cluster, on a topic and on a group. A type that is none of
/// Kafka's is refused here: nothing says what it would need.
pub(super) fn refusal(
    [cluster, topic, group]: &[Need; 3],
    judge: &mut Judge<'_>,
    resource_type: i8,
    name: &str,
) -> Option<ErrorCode> {
    match resource_type {
        TOPIC => topic.refusal(judge, name),
        GROUP => group.refusal(judge, name),
        BROKER | BROKER_LOGGER | CLIENT_METRICS => cluster.refusal_on_cluster(judge),
        _ => Some(ErrorCode::InvalidRequest),
    }
}
