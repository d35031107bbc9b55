//! What ConsumerGroupDescribe, ShareGroupDescribe and StreamsGroupDescribe have in common: DESCRIBE on every
//! group that is asked about, and on every topic that its description names.

use schloss_wire::{ErrorCode, StrBytes};

use super::OPERATIONS_NOT_ASKED;
use super::split::text;
use crate::judge::Judge;
use crate::kind::ResourceType;
use crate::table::Need;

/// What an answer says of one group.
pub(super) trait Described {
    /// Kafka's words to a caller that may not describe some topic of the group.
    const TOPIC_REFUSAL: &'static str;

    /// A group of which only its error is told.
    fn failed(group_id: StrBytes, code: ErrorCode, error_message: Option<StrBytes>) -> Self;

    /// Takes out the topics that nobody may learn of, where they can stand without anybody's fault.
    fn hide_reserved(&mut self);

    /// The topics that one must be allowed to describe to see the group.
    fn topics(&self) -> Vec<&StrBytes>;

    fn group_id(&self) -> &StrBytes;

    fn error_code(&self) -> i16;

    fn set_authorized_operations(&mut self, operations: i32);
}

/// Implements [`Described`] for a message, with what is its own.
macro_rules! described {
    ($group:ident { $($own:tt)+ }) => {
        impl Described for $group {
            $($own)+

            fn failed(group_id: StrBytes, code: ErrorCode, error_message: Option<StrBytes>) -> Self {
                build!(Self { group_id, error_code: code.code(), error_message })
            }

            fn group_id(&self) -> &StrBytes {
                &self.group_id
            }

            fn error_code(&self) -> i16 {
                self.error_code
            }

            fn set_authorized_operations(&mut self, operations: i32) {
                self.authorized_operations = operations;
            }
        }
    };
}
pub(super) use described;

/// Makes what an engine says of groups fit for the caller, and adds what was denied.
pub(super) fn finish<G: Described>(
    groups: &mut Vec<G>,
    denied: &[(StrBytes, ErrorCode)],
    describe_topic: &Need,
    operations_asked: bool,
    judge: &mut Judge<'_>,
) {
    for group in groups.iter_mut() {
        group.hide_reserved();
        if !group.topics().into_iter().all(|topic| describe_topic.shows(judge, topic)) {
            let words = text(Some(G::TOPIC_REFUSAL));
            *group = G::failed(group.group_id().clone(), describe_topic.error, words);
        }
        let told = operations_asked && group.error_code() == ErrorCode::None.code();
        group.set_authorized_operations(if told {
            judge.authorized_operations(ResourceType::Group, group.group_id())
        } else {
            OPERATIONS_NOT_ASKED
        });
    }
    groups.extend(denied.iter().map(|(group, code)| G::failed(group.clone(), *code, None)));
}

/// Answers about every group with one error.
pub(super) fn refuse<G: Described>(groups: &[StrBytes], code: ErrorCode, message: Option<&str>) -> Vec<G> {
    groups.iter().map(|group| G::failed(group.clone(), code, text(message))).collect()
}
