//! DescribeLogDirs: DESCRIBE on the cluster. Topics of Schloss's own are not shown.

use schloss_wire::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use schloss_wire::{ErrorCode, build};

use super::split::{Left, allow, allow_with, conclude, reserved_refusal, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table;

pub(super) fn admit(mut request: DescribeLogDirsRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe] = table::DESCRIBE_LOG_DIRS;
    if let Some(code) = describe.refusal_on_cluster(judge) {
        return Verdict::Refused(refuse(code).into());
    }
    let Some(named) = &mut request.topics else {
        return allow_with(request, hide_reserved);
    };
    // Kafka has no error for a topic it does not find in a directory: it leaves it out. An empty list means
    // no topic, and the directories are told in any case.
    let denied = take_denied(named, |topic| reserved_refusal(judge, &topic.topic));
    if denied.is_empty() {
        return allow(request);
    }
    conclude(request, Left::Part, judge, hide_reserved)
}

fn hide_reserved(response: &mut DescribeLogDirsResponse, _: &mut Judge<'_>) {
    for directory in &mut response.results {
        directory.topics.retain(|topic| !is_reserved(ResourceType::Topic, &topic.name));
    }
}

/// Before version 3 the answer has no room for the error: clients take an empty one for it.
pub(super) fn refuse(code: ErrorCode) -> DescribeLogDirsResponse {
    build!(DescribeLogDirsResponse { error_code: code.code() })
}
