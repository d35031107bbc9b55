//! ShareFetch: READ on the group and on every topic, acknowledgements that come along included.

use schloss_wire::messages::share_fetch_request::FetchTopic;
use schloss_wire::messages::share_fetch_response::{PartitionData, ShareFetchableTopicResponse};
use schloss_wire::messages::{ShareFetchRequest, ShareFetchResponse};
use schloss_wire::{ErrorCode, StrBytes, build};

use super::split::{Left, conclude_by_id, name_of, shorten, take_denied, text, topic_refusal};
use crate::admission::{TopicNames, Verdict};
use crate::judge::Judge;
use crate::share_sessions::ShareSession;
use crate::table::{self, Need};

/// Epoch of a request that opens a share session and lists all that it shall fetch.
const OPENS: i32 = 0;
/// Epoch of a request that closes a share session: it fetches nothing, but may acknowledge.
const CLOSES: i32 = -1;

/// A request that continues a share session lists only changes, so what it fetches was authorized long ago.
/// Three things keep the session to what its caller may read now:
///
/// - What is denied is taken out of the list, so no broker ever acquires its records.
/// - The topics that were listed over this connection are decided about again with every request. If a
///   decision became another one, either way, or nothing is known of the session, the caller has to open it
///   anew (SHARE_SESSION_NOT_FOUND, after which clients list all they want). Kafka goes on with the session
///   without the topic; here that would leave its records acquired by a member that never sees them, and a
///   topic that is granted later unlisted.
/// - No answer carries records of a topic that the caller may not read, whatever the broker's session holds:
///   a decision may have changed while the fetch waited, or a member of the same name may be somebody else's.
///
/// What a request forgets needs no right. A denied topic is told so once for each time that it is listed,
/// while Kafka tells it with every fetch.
pub(super) fn admit(
    mut request: ShareFetchRequest,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) -> Verdict {
    let [read_group, read_topic] = table::SHARE_FETCH;
    let group = request.group_id.as_deref().unwrap_or_default();
    let member = request.member_id.as_deref().unwrap_or_default();
    if let Some(code) = read_group.refusal(judge, group) {
        return Verdict::Refused(refuse(code, None).into());
    }
    let known = judge.share_sessions().take(group, member);
    let opened = match request.share_session_epoch {
        OPENS | CLOSES => Some(ShareSession::new(group, member)),
        _ => known.filter(|session| still_holds(session, &read_topic, judge, topics)),
    };
    let Some(mut session) = opened else {
        return Verdict::Refused(refuse(ErrorCode::ShareSessionNotFound, None).into());
    };
    let closes = request.share_session_epoch == CLOSES;
    let acknowledges = carries_acknowledgements(&request);
    let denied = take_denied(&mut request.topics, |topic| {
        let refusal = topic_refusal(&read_topic, judge, topics, true, &StrBytes::default(), topic.topic_id);
        session.note(topic.topic_id, refusal.is_none());
        refusal
    });
    if !closes {
        judge.share_sessions().keep(session);
    }
    let is_shortened = shorten(&mut request.max_bytes);
    // Even with no topic left: the session has to move on in the broker as it does in the client.
    let left = if denied.is_empty() && !is_shortened { Left::Whole } else { Left::Part };
    let repair = move |response: &mut ShareFetchResponse, judge: &mut Judge<'_>, topics: &dyn TopicNames| {
        for topic in &mut response.responses {
            withhold(topic, &read_topic, judge, topics);
        }
        // A session that failed as a whole has nothing to say about topics.
        if response.error_code == ErrorCode::None.code() {
            let refused = denied.iter().map(|(topic, code)| {
                let fetching = if closes { ErrorCode::None } else { *code };
                let acknowledging = if acknowledges { *code } else { ErrorCode::None };
                refuse_topic(topic, fetching, acknowledging)
            });
            response.responses.extend(refused);
        }
    };
    conclude_by_id(request, left, judge, topics, repair)
}

pub(super) fn refuse(code: ErrorCode, message: Option<&str>) -> ShareFetchResponse {
    build!(ShareFetchResponse { error_code: code.code(), error_message: text(message) })
}

/// Whether all that was decided about the session's topics is still so. What was denied is no event again.
fn still_holds(session: &ShareSession, read: &Need, judge: &mut Judge<'_>, topics: &dyn TopicNames) -> bool {
    session.still_holds(|topic, allowed| {
        name_of(topics, topic).is_ok_and(|name| match allowed {
            true => read.refusal(judge, &name).is_none(),
            false => read.shows(judge, &name),
        })
    })
}

fn carries_acknowledgements(request: &ShareFetchRequest) -> bool {
    let mut partitions = request.topics.iter().flat_map(|topic| &topic.partitions);
    partitions.any(|partition| !partition.acknowledgement_batches.is_empty())
}

/// Takes everything out of an answer about a topic that the caller may not read.
fn withhold(
    topic: &mut ShareFetchableTopicResponse,
    read: &Need,
    judge: &mut Judge<'_>,
    topics: &dyn TopicNames,
) {
    let code = match name_of(topics, topic.topic_id) {
        Ok(name) if read.shows(judge, &name) => return,
        Ok(_) => read.error,
        Err(code) => code,
    };
    for partition in &mut topic.partitions {
        *partition = refuse_partition(partition.partition_index, code, ErrorCode::None);
    }
}

fn refuse_topic(
    topic: &FetchTopic,
    fetching: ErrorCode,
    acknowledging: ErrorCode,
) -> ShareFetchableTopicResponse {
    let partitions = topic.partitions.iter();
    let refused =
        partitions.map(|partition| refuse_partition(partition.partition_index, fetching, acknowledging));
    build!(ShareFetchableTopicResponse { topic_id: topic.topic_id, partitions: refused.collect() })
}

fn refuse_partition(partition_index: i32, fetching: ErrorCode, acknowledging: ErrorCode) -> PartitionData {
    build!(PartitionData {
        partition_index,
        error_code: fetching.code(),
        acknowledge_error_code: acknowledging.code(),
    })
}
