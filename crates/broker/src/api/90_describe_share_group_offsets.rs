//! DescribeShareGroupOffsets: how far share groups have come, and how much is left.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use schloss_gate::{Caller, Outcome};
use schloss_metadata::Snapshot;
use schloss_wire::messages::DescribeShareGroupOffsetsRequest;
use schloss_wire::messages::describe_share_group_offsets_request::{
    DescribeShareGroupOffsetsRequestGroup, DescribeShareGroupOffsetsRequestTopic,
};
use schloss_wire::messages::describe_share_group_offsets_response::{
    DescribeShareGroupOffsetsResponse, DescribeShareGroupOffsetsResponseGroup,
    DescribeShareGroupOffsetsResponsePartition, DescribeShareGroupOffsetsResponseTopic,
};
use schloss_wire::{ErrorCode, StrBytes, Uuid, build};

use crate::broker::Broker;
use crate::groups::{TopicPartition, wire};
use crate::partition::LEADER_EPOCH;
use crate::reply::{ready, text};
use crate::share::Progress;

/// What stands for an offset or a lag that is not known.
const NONE: i64 = -1;
/// KIP-1226: from here on the answer tells the lag.
const FIRST_WITH_LAG: i16 = 1;

pub(crate) fn call(
    broker: &Broker,
    caller: Caller,
    request: DescribeShareGroupOffsetsRequest,
) -> BoxFuture<'static, Outcome> {
    let view = View {
        broker,
        snapshot: &broker.metadata.snapshot(),
        tells_lag: caller.api_version >= FIRST_WITH_LAG,
    };
    let groups = request.groups.iter().map(|group| view.group(group)).collect();
    ready(build!(DescribeShareGroupOffsetsResponse { groups }))
}

struct View<'a> {
    broker: &'a Broker,
    snapshot: &'a Snapshot,
    tells_lag: bool,
}

impl View<'_> {
    fn group(&self, asked: &DescribeShareGroupOffsetsRequestGroup) -> DescribeShareGroupOffsetsResponseGroup {
        let group_id = asked.group_id.clone();
        if let Err(refused) = self.broker.groups.describe_sharers(&group_id) {
            return build!(DescribeShareGroupOffsetsResponseGroup {
                group_id,
                error_code: refused.code.code(),
                error_message: text(refused.message),
            });
        }
        let known: BTreeMap<_, _> = self.broker.shares.progress(&group_id).into_iter().collect();
        let topics = match &asked.topics {
            Some(topics) => topics.iter().map(|topic| self.named(topic, &known)).collect(),
            None => self.all(&known),
        };
        build!(DescribeShareGroupOffsetsResponseGroup { group_id, topics, error_message: None })
    }

    fn named(
        &self,
        asked: &DescribeShareGroupOffsetsRequestTopic,
        known: &BTreeMap<TopicPartition, Progress>,
    ) -> DescribeShareGroupOffsetsResponseTopic {
        let found = self.snapshot.topic(&asked.topic_name);
        let partition = |&index: &i32| match found {
            Some(topic) if (0..topic.partitions).contains(&index) => {
                self.partition((topic.id, index), known.get(&(topic.id, index)))
            }
            _ => build!(DescribeShareGroupOffsetsResponsePartition {
                partition_index: index,
                start_offset: NONE,
                lag: if self.tells_lag { NONE } else { lag_before() },
                error_code: ErrorCode::UnknownTopicOrPartition.code(),
                error_message: text("there is no such partition"),
            }),
        };
        build!(DescribeShareGroupOffsetsResponseTopic {
            topic_name: asked.topic_name.clone(),
            topic_id: found.map_or(Uuid::ZERO, |topic| topic.id),
            partitions: asked.partitions.iter().map(partition).collect(),
        })
    }

    fn all(&self, known: &BTreeMap<TopicPartition, Progress>) -> Vec<DescribeShareGroupOffsetsResponseTopic> {
        let mut topics: BTreeMap<Uuid, Vec<_>> = BTreeMap::new();
        for (at, progress) in known {
            topics.entry(at.0).or_default().push(self.partition(*at, Some(progress)));
        }
        let topic = |(topic_id, partitions)| {
            let topic_name: StrBytes = wire(&self.snapshot.topic_by_id(topic_id)?.name);
            Some(build!(DescribeShareGroupOffsetsResponseTopic { topic_name, topic_id, partitions }))
        };
        topics.into_iter().filter_map(topic).collect()
    }

    fn partition(
        &self,
        at: TopicPartition,
        progress: Option<&Progress>,
    ) -> DescribeShareGroupOffsetsResponsePartition {
        let end = self.broker.partitions.get(at.0, at.1).map(|partition| partition.log.high_watermark());
        let lag = |progress: &Progress| Some((end.ok()? - progress.start - progress.settled).max(0));
        build!(DescribeShareGroupOffsetsResponsePartition {
            partition_index: at.1,
            start_offset: progress.map_or(NONE, |progress| progress.start),
            leader_epoch: LEADER_EPOCH,
            lag: if self.tells_lag { progress.and_then(lag).unwrap_or(NONE) } else { lag_before() },
            error_message: None,
        })
    }
}

/// What versions without the field encode.
fn lag_before() -> i64 {
    DescribeShareGroupOffsetsResponsePartition::default().lag
}
