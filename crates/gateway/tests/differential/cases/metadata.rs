//! What there is: topics, partitions, the cluster.

use schloss_wire::messages as m;
use schloss_wire::{Api, build};

use crate::case::{Case, cluster_ways, each, few_ways, ways, with};
use crate::side::{At, Side};

use super::LABELS;

const BROKER: At = At::Broker(1);
/// A topic of this name is made by asking for it, where brokers make topics.
const MADE: &str = "auto{c}-{v}";

fn named(side: &Side<'_>) -> m::MetadataRequest {
    let version = side.version();
    let topics = LABELS
        .map(|label| build!(m::metadata_request::MetadataRequestTopic { name: Some(side.text(label)) }));
    build!(m::MetadataRequest {
        topics: Some(topics.to_vec()),
        allow_auto_topic_creation: version < 4,
        include_topic_authorized_operations: version >= 8,
        include_cluster_authorized_operations: (8..=10).contains(&version),
    })
}

/// One topic that there is not.
fn creating(side: &Side<'_>, label: &str) -> m::MetadataRequest {
    use m::metadata_request::MetadataRequestTopic;
    let topic = build!(MetadataRequestTopic { name: Some(side.text(&format!("{MADE}{label}"))) });
    build!(m::MetadataRequest { topics: Some(vec![topic]), allow_auto_topic_creation: true })
}

fn by_id(side: &Side<'_>) -> m::MetadataRequest {
    let topics = LABELS.map(|label| {
        build!(m::metadata_request::MetadataRequestTopic { name: None, topic_id: side.id(label) })
    });
    build!(m::MetadataRequest {
        topics: Some(topics.to_vec()),
        allow_auto_topic_creation: false,
        include_topic_authorized_operations: true,
    })
}

fn all(side: &Side<'_>) -> m::MetadataRequest {
    let version = side.version();
    build!(m::MetadataRequest {
        topics: if version == 0 { Some(Vec::new()) } else { None },
        allow_auto_topic_creation: true,
        include_topic_authorized_operations: version >= 8,
        include_cluster_authorized_operations: (8..=10).contains(&version),
    })
}

fn none(side: &Side<'_>) -> m::MetadataRequest {
    build!(m::MetadataRequest {
        topics: Some(Vec::new()),
        include_cluster_authorized_operations: (8..=10).contains(&side.version()),
    })
}

fn partitions(side: &Side<'_>, labels: &[&str], limit: i32) -> m::DescribeTopicPartitionsRequest {
    use m::describe_topic_partitions_request::TopicRequest;
    let topics = labels.iter().map(|label| build!(TopicRequest { name: side.text(label) }));
    build!(m::DescribeTopicPartitionsRequest {
        topics: topics.collect(),
        response_partition_limit: limit,
        cursor: None,
    })
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in ["describe", "read", "describe-configs"] {
        cases.extend(each(Api::Metadata, "topics by name", BROKER, ways(operation, "topic"), named));
    }
    cases.extend(each(Api::Metadata, "all topics", BROKER, ways("describe", "topic"), all));
    let ids = each(Api::Metadata, "topics by id", BROKER, ways("describe", "topic"), by_id);
    cases.extend(ids.into_iter().map(|case| case.versions(12..=i16::MAX)));
    let old = each(Api::Metadata, "ids before their time", BROKER, ways("describe", "topic"), by_id);
    cases.extend(old.into_iter().map(|case| case.versions(10..=11)));
    cases.extend(
        each(Api::Metadata, "the cluster", BROKER, cluster_ways("describe"), none)
            .into_iter()
            .map(|case| case.versions(1..=i16::MAX)),
    );
    let all_limits = 2000;
    cases.extend(each(
        Api::DescribeTopicPartitions,
        "by name",
        BROKER,
        ways("describe", "topic"),
        move |side| partitions(side, &LABELS, all_limits),
    ));
    cases.extend(each(Api::DescribeTopicPartitions, "all", BROKER, ways("describe", "topic"), move |side| {
        partitions(side, &[], all_limits)
    }));
    cases.extend(each(Api::DescribeTopicPartitions, "a page", BROKER, ways("describe", "topic"), |side| {
        partitions(side, &LABELS, 3)
    }));
    cases.extend(each(
        Api::DescribeTopicPartitions,
        "from a cursor on",
        BROKER,
        ways("describe", "topic"),
        |side| {
            use m::describe_topic_partitions_request::Cursor;
            let cursor = build!(Cursor { topic_name: side.text("b"), partition_index: 1 });
            let mut request = partitions(side, &LABELS, 3);
            request.cursor = Some(cursor);
            request
        },
    ));
    cases.extend(each(Api::DescribeCluster, "the cluster", BROKER, cluster_ways("describe"), |side| {
        build!(m::DescribeClusterRequest {
            include_cluster_authorized_operations: true,
            include_fenced_brokers: side.version() >= 2,
        })
    }));
    cases.extend(
        each(Api::DescribeCluster, "controllers", BROKER, cluster_ways("describe"), |_| {
            build!(m::DescribeClusterRequest {
                include_cluster_authorized_operations: true,
                endpoint_type: 2
            })
        })
        .into_iter()
        .map(|case| case.versions(1..=i16::MAX)),
    );
    // After what lists everything: where brokers create topics, who leads these is chance.
    let mut creators = with(few_ways("create", "topic", MADE), &["allow describe topic *"]);
    creators.extend(with(cluster_ways("create"), &["allow describe topic *"]));
    creators.extend(few_ways("create", "topic", MADE));
    for label in ["a", "pre-a"] {
        let made =
            each(Api::Metadata, &format!("{label} to be made"), BROKER, creators.clone(), move |side| {
                creating(side, label)
            });
        cases.extend(made.into_iter().map(Case::alone));
    }
    cases
}
