//! What the members of a consumer group are subscribed to, as far as they say it in Kafka's own form.

use std::collections::HashSet;

use schloss_wire::messages::decode_consumer_protocol_subscription;
use schloss_wire::{DecodeLimits, ErrorCode};

use super::membership::{GroupState, Membership};

/// The protocol type of consumers.
const CONSUMER: &str = "consumer";

/// The topics that any member is subscribed to.
pub(super) enum Subscriptions {
    Topics(HashSet<String>),
    /// A rebalance has not told yet, or a member speaks another language.
    Unknown,
}

impl Subscriptions {
    /// Whether it may be that a member is subscribed to this topic.
    pub(super) fn contains(&self, topic: &str) -> bool {
        match self {
            Self::Topics(topics) => topics.contains(topic),
            Self::Unknown => true,
        }
    }
}

impl Membership {
    /// What members are subscribed to.
    ///
    /// # Errors
    /// They are no consumers.
    pub(super) fn subscriptions(&self) -> Result<Subscriptions, ErrorCode> {
        if self.state == GroupState::Empty {
            return Ok(Subscriptions::Topics(HashSet::new()));
        }
        if self.protocol_type.as_deref() != Some(CONSUMER) {
            return Err(ErrorCode::NonEmptyGroup);
        }
        let Some(protocol) = &self.protocol else { return Ok(Subscriptions::Unknown) };
        let mut topics = HashSet::new();
        for member in self.members.values() {
            let metadata = member.metadata(protocol);
            match decode_consumer_protocol_subscription(metadata, DecodeLimits::default()) {
                Ok((_, subscription)) => {
                    topics.extend(subscription.topics.iter().map(ToString::to_string));
                }
                Err(_) => return Ok(Subscriptions::Unknown),
            }
        }
        Ok(Subscriptions::Topics(topics))
    }
}
