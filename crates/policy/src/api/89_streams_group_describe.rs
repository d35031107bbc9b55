//! StreamsGroupDescribe: DESCRIBE on every group and on every topic of its topology.

use schloss_wire::messages::streams_group_describe_response::DescribedGroup;
use schloss_wire::messages::{StreamsGroupDescribeRequest, StreamsGroupDescribeResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::group_describe::{self, Described, described};
use super::split::{Left, conclude, take_denied};
use crate::admission::Verdict;
use crate::judge::Judge;
use crate::table;

pub(super) fn admit(mut request: StreamsGroupDescribeRequest, judge: &mut Judge<'_>) -> Verdict {
    let [describe_group, describe_topic] = table::STREAMS_GROUP_DESCRIBE;
    let denied = take_denied(&mut request.group_ids, |group| describe_group.refusal(judge, group));
    let left = Left::after(&request.group_ids, &denied);
    let asked = request.include_authorized_operations;
    conclude(request, left, judge, move |response: &mut StreamsGroupDescribeResponse, judge| {
        group_describe::finish(&mut response.groups, &denied, &describe_topic, asked, judge);
    })
}

pub(super) fn refuse(
    request: &StreamsGroupDescribeRequest,
    code: ErrorCode,
    message: Option<&str>,
) -> StreamsGroupDescribeResponse {
    build!(StreamsGroupDescribeResponse { groups: group_describe::refuse(&request.group_ids, code, message) })
}

described! { DescribedGroup {
    const TOPIC_REFUSAL: &'static str =
        "The described group uses topics that the client is not authorized to describe.";

    /// Nothing: a topology that names one is never admitted, so a group that has one is not shown.
    fn hide_reserved(&mut self) {}

    fn topics(&self) -> Vec<&StrBytes> {
        let subtopologies = self.topology.iter().flat_map(|topology| &topology.subtopologies).flatten();
        let mut topics: Vec<&StrBytes> = Vec::new();
        for subtopology in subtopologies {
            topics.extend(&subtopology.source_topics);
            topics.extend(&subtopology.repartition_sink_topics);
            topics.extend(subtopology.repartition_source_topics.iter().map(|topic| &topic.name));
            topics.extend(subtopology.state_changelog_topics.iter().map(|topic| &topic.name));
        }
        // What the application itself says of its topology, from version 1 on.
        if let Some(description) = &self.topology_description {
            let nodes = description.subtopologies.iter().flat_map(|subtopology| &subtopology.nodes);
            let stores = description.global_stores.iter().flat_map(|store| [&store.source, &store.processor]);
            for node in nodes.chain(stores) {
                topics.extend(&node.source_topics);
                topics.extend(&node.sink_topic);
            }
        }
        topics
    }
} }
