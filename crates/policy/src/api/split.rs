//! What guards share: taking entries out, and making a verdict of what is left.

use std::cell::Cell;
use std::sync::Arc;

use schloss_wire::{Api, ErrorCode, Request, Response, StrBytes, Uuid};

use crate::admission::{Admitted, Repair, TopicNames, Verdict};
use crate::judge::Judge;
use crate::kind::{ResourceType, is_reserved};
use crate::table::{self, Need};

/// Takes the entries out of `items` to which `error_of` gives an error.
pub(super) fn take_denied<T>(
    items: &mut Vec<T>,
    mut error_of: impl FnMut(&T) -> Option<ErrorCode>,
) -> Vec<(T, ErrorCode)> {
    let error = Cell::new(None);
    items
        .extract_if(.., |item| {
            error.set(error_of(item));
            error.get().is_some()
        })
        .filter_map(|item| Some((item, error.get()?)))
        .collect()
}

/// The name of the topic with this id.
pub(super) fn name_of(topics: &dyn TopicNames, id: Uuid) -> Result<Arc<str>, ErrorCode> {
    // The zero id means "none" and can be nobody's.
    let known = if id.is_zero() { None } else { topics.name_of(id) };
    known.ok_or(ErrorCode::UnknownTopicId)
}

/// The error of an entry that is authorized by its topic, which some versions name by id.
pub(super) fn topic_refusal(
    need: &Need,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
    by_id: bool,
    name: &StrBytes,
    id: Uuid,
) -> Option<ErrorCode> {
    topic_error(topics, by_id, name, id, |name| need.refusal(judge, name))
}

/// As [`topic_refusal`], by any judgement on the topic's name.
pub(super) fn topic_error(
    topics: &dyn TopicNames,
    by_id: bool,
    name: &StrBytes,
    id: Uuid,
    error_of: impl FnOnce(&str) -> Option<ErrorCode>,
) -> Option<ErrorCode> {
    if !by_id {
        return error_of(name);
    }
    match name_of(topics, id) {
        Ok(name) => error_of(&name),
        Err(error) => Some(error),
    }
}

/// Whether an entry of an answer may be shown, by its topic, which some versions name by id. Not recorded.
pub(super) fn topic_shows(
    need: &Need,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
    by_id: bool,
    name: &StrBytes,
    id: Uuid,
) -> bool {
    if by_id {
        name_of(topics, id).is_ok_and(|name| need.shows(judge, &name))
    } else {
        need.shows(judge, name)
    }
}

/// The error of an entry about a topic that the cluster's ACLs have allowed already: only what is reserved
/// stays out of reach. The decision is recorded.
pub(super) fn reserved_refusal(judge: &mut Judge<'_>, name: &str) -> Option<ErrorCode> {
    if is_reserved(ResourceType::Topic, name) { table::RESERVED.refusal(judge, name) } else { None }
}

/// The error if the need is not met on all of `names`. Every decision is recorded.
pub(super) fn refusal_on_all<'a>(
    need: &Need,
    judge: &mut Judge<'_>,
    names: impl IntoIterator<Item = &'a StrBytes>,
) -> Option<ErrorCode> {
    names.into_iter().fold(None, |refusal, name| need.refusal(judge, name).or(refusal))
}

/// Bytes of records that are asked for where the answer has to be read before it may go out: all of it is in
/// memory until its client takes it. A broker gives a whole batch all the same, if the first is larger.
const READ_RECORDS_BYTES_MAX: i32 = 1 << 20;

/// Asks for no more records than may wait in memory; whether that is less than was asked for. Clients take any
/// amount and ask again.
pub(super) fn shorten(max_bytes: &mut i32) -> bool {
    let is_longer = *max_bytes > READ_RECORDS_BYTES_MAX;
    *max_bytes = (*max_bytes).min(READ_RECORDS_BYTES_MAX);
    is_longer
}

/// How much of a request is left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Left {
    /// All of it, unchanged.
    Whole,
    /// Some of it.
    Part,
    /// Nothing that an engine could do.
    Nothing,
}

impl Left {
    /// After `denied` were taken out and `remaining` are there.
    pub(super) const fn after<T, D>(remaining: &[T], denied: &[D]) -> Self {
        match (denied.is_empty(), remaining.is_empty()) {
            (true, _) => Self::Whole,
            (false, true) => Self::Nothing,
            (false, false) => Self::Part,
        }
    }
}

/// A response body, found in a [`Response`].
pub(super) trait Body: Default + Into<Response> + 'static {
    fn of(response: &mut Response) -> Option<&mut Self>;
}

macro_rules! bodies {
    ($($variant:ident: $body:ident),+ $(,)?) => {
        $(impl Body for schloss_wire::messages::$body {
            fn of(response: &mut Response) -> Option<&mut Self> {
                match response {
                    Response::$variant(body) => Some(body),
                    _ => None,
                }
            }
        })+
    };
}

bodies! {
    Produce: ProduceResponse,
    Fetch: FetchResponse,
    ListOffsets: ListOffsetsResponse,
    Metadata: MetadataResponse,
    OffsetCommit: OffsetCommitResponse,
    OffsetFetch: OffsetFetchResponse,
    FindCoordinator: FindCoordinatorResponse,
    DescribeGroups: DescribeGroupsResponse,
    ListGroups: ListGroupsResponse,
    CreateTopics: CreateTopicsResponse,
    DeleteTopics: DeleteTopicsResponse,
    DescribeConfigs: DescribeConfigsResponse,
    CreatePartitions: CreatePartitionsResponse,
    DeleteGroups: DeleteGroupsResponse,
    IncrementalAlterConfigs: IncrementalAlterConfigsResponse,
    DescribeCluster: DescribeClusterResponse,
    DeleteRecords: DeleteRecordsResponse,
    OffsetForLeaderEpoch: OffsetForLeaderEpochResponse,
    AddPartitionsToTxn: AddPartitionsToTxnResponse,
    AddOffsetsToTxn: AddOffsetsToTxnResponse,
    EndTxn: EndTxnResponse,
    WriteTxnMarkers: WriteTxnMarkersResponse,
    TxnOffsetCommit: TxnOffsetCommitResponse,
    AlterConfigs: AlterConfigsResponse,
    AlterReplicaLogDirs: AlterReplicaLogDirsResponse,
    DescribeLogDirs: DescribeLogDirsResponse,
    ElectLeaders: ElectLeadersResponse,
    AlterPartitionReassignments: AlterPartitionReassignmentsResponse,
    ListPartitionReassignments: ListPartitionReassignmentsResponse,
    OffsetDelete: OffsetDeleteResponse,
    AlterClientQuotas: AlterClientQuotasResponse,
    DescribeQuorum: DescribeQuorumResponse,
    UpdateFeatures: UpdateFeaturesResponse,
    DescribeProducers: DescribeProducersResponse,
    UnregisterBroker: UnregisterBrokerResponse,
    DescribeTransactions: DescribeTransactionsResponse,
    ListTransactions: ListTransactionsResponse,
    ConsumerGroupHeartbeat: ConsumerGroupHeartbeatResponse,
    ConsumerGroupDescribe: ConsumerGroupDescribeResponse,
    GetTelemetrySubscriptions: GetTelemetrySubscriptionsResponse,
    PushTelemetry: PushTelemetryResponse,
    ListConfigResources: ListConfigResourcesResponse,
    DescribeTopicPartitions: DescribeTopicPartitionsResponse,
    ShareGroupHeartbeat: ShareGroupHeartbeatResponse,
    ShareGroupDescribe: ShareGroupDescribeResponse,
    ShareFetch: ShareFetchResponse,
    ShareAcknowledge: ShareAcknowledgeResponse,
    AddRaftVoter: AddRaftVoterResponse,
    RemoveRaftVoter: RemoveRaftVoterResponse,
    StreamsGroupHeartbeat: StreamsGroupHeartbeatResponse,
    StreamsGroupDescribe: StreamsGroupDescribeResponse,
    DescribeShareGroupOffsets: DescribeShareGroupOffsetsResponse,
    AlterShareGroupOffsets: AlterShareGroupOffsetsResponse,
    DeleteShareGroupOffsets: DeleteShareGroupOffsetsResponse,
}

/// The verdict on what is left, whose answer needs `repair`. If nothing is left, the answer is the repair of
/// an empty one.
pub(super) fn conclude<R: Body>(
    request: impl Into<Request>,
    left: Left,
    judge: &mut Judge<'_>,
    repair: impl FnOnce(&mut R, &mut Judge<'_>) + Send + 'static,
) -> Verdict {
    if left == Left::Nothing {
        return answer(|body| repair(body, judge));
    }
    let repair = repairing(move |body, judge, _| repair(body, judge));
    Verdict::Admitted(Admitted::new(request.into(), left == Left::Whole), repair)
}

/// As [`conclude`], for answers that name topics by id.
pub(super) fn conclude_by_id<R: Body>(
    request: impl Into<Request>,
    left: Left,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
    repair: impl FnOnce(&mut R, &mut Judge<'_>, &dyn TopicNames) + Send + 'static,
) -> Verdict {
    if left == Left::Nothing {
        return answer(|body| repair(body, judge, topics));
    }
    Verdict::Admitted(Admitted::new(request.into(), left == Left::Whole), repairing(repair))
}

/// As [`conclude`], when the answer needs `repair` only for what was taken out.
pub(super) fn conclude_split<R: Body>(
    request: impl Into<Request>,
    left: Left,
    judge: &mut Judge<'_>,
    repair: impl FnOnce(&mut R, &mut Judge<'_>) + Send + 'static,
) -> Verdict {
    if left == Left::Whole { allow(request) } else { conclude(request, left, judge, repair) }
}

fn answer<R: Body>(fill: impl FnOnce(&mut R)) -> Verdict {
    let mut body = R::default();
    fill(&mut body);
    Verdict::Refused(body.into())
}

/// The verdict on a request that is allowed as it is and whose answer needs `repair`.
pub(super) fn allow_with<R: Body>(
    request: impl Into<Request>,
    repair: impl FnOnce(&mut R, &mut Judge<'_>) + Send + 'static,
) -> Verdict {
    let repair = repairing(move |body, judge, _| repair(body, judge));
    Verdict::Admitted(Admitted::new(request.into(), true), repair)
}

/// The verdict on a request that is allowed as it is and whose answer needs nothing.
pub(super) fn allow(request: impl Into<Request>) -> Verdict {
    Verdict::Admitted(Admitted::new(request.into(), true), Repair::NOTHING)
}

fn repairing<R: Body>(
    repair: impl FnOnce(&mut R, &mut Judge<'_>, &dyn TopicNames) + Send + 'static,
) -> Repair {
    Repair::new(move |response, judge, topics| match R::of(response) {
        Some(body) => repair(body, judge, topics),
        None => {
            // An engine that answers another API than it was asked: none of that may go out.
            let mut body = R::default();
            repair(&mut body, judge, topics);
            *response = body.into();
        }
    })
}

/// What an API that is served before the policy gets from it.
pub(super) fn out_of_place(api: Api) -> ErrorCode {
    let row = table::row(api.key()).and_then(|row| row.after_authentication);
    row.unwrap_or(ErrorCode::ClusterAuthorizationFailed)
}

/// A message for the wire.
pub(super) fn text(message: Option<&str>) -> Option<StrBytes> {
    message.map(StrBytes::from)
}

/// Kafka's own words for an error of authorization, where it sends them along.
pub(super) fn words(code: ErrorCode) -> Option<StrBytes> {
    text(Some(match code {
        ErrorCode::TopicAuthorizationFailed => "Topic authorization failed.",
        ErrorCode::GroupAuthorizationFailed => "Group authorization failed.",
        ErrorCode::ClusterAuthorizationFailed => "Cluster authorization failed.",
        ErrorCode::TransactionalIdAuthorizationFailed => "Transactional Id authorization failed.",
        ErrorCode::UnknownTopicOrPartition => "This server does not host this topic-partition.",
        ErrorCode::UnknownTopicId => "This server does not host this topic ID.",
        _ => return None,
    }))
}
