//! Share sessions: what a member fetches, told once and not with every request.

use std::collections::HashMap;
use std::sync::Arc;

use schloss_wire::{ErrorCode, Uuid};

/// Group and member.
pub(crate) type MemberKey = (Arc<str>, Arc<str>);

/// A partition: the id of its topic and its number.
type TopicPartition = (Uuid, i32);

/// What a request does with its session (`ShareRequestMetadata`).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SessionStep {
    Open,
    /// Goes on, in this epoch.
    Next(i32),
    Close,
}

impl SessionStep {
    /// The step of a request with this session epoch.
    pub(crate) const fn of(epoch: i32) -> Self {
        match epoch {
            0 => Self::Open,
            -1 => Self::Close,
            epoch => Self::Next(epoch),
        }
    }
}

/// All sessions.
#[derive(Default)]
pub(super) struct Sessions {
    by_member: HashMap<MemberKey, Session>,
    /// Of all sessions.
    partitions: usize,
}

struct Session {
    /// The connection that it is of; it ends with that.
    connection: u64,
    /// That of the next request.
    epoch: i32,
    partitions: Vec<TopicPartition>,
}

/// What a session may hold.
pub(super) struct SessionLimits {
    pub(super) sessions: usize,
    pub(super) partitions: usize,
}

impl Sessions {
    /// Begins a session, in place of one that the member has.
    pub(super) fn open(
        &mut self,
        key: &MemberKey,
        connection: u64,
        limits: &SessionLimits,
    ) -> Result<(), ErrorCode> {
        self.close(key);
        if self.by_member.len() >= limits.sessions {
            return Err(ErrorCode::ShareSessionLimitReached);
        }
        self.by_member.insert(key.clone(), Session { connection, epoch: 1, partitions: Vec::new() });
        Ok(())
    }

    /// Goes on with a session.
    pub(super) fn advance(&mut self, key: &MemberKey, epoch: i32) -> Result<(), ErrorCode> {
        let session = self.by_member.get_mut(key).ok_or(ErrorCode::ShareSessionNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidShareSessionEpoch);
        }
        session.epoch = if epoch == i32::MAX { 1 } else { epoch + 1 };
        Ok(())
    }

    /// Changes what a session fetches; the answer is all that it does, each time beginning with another one.
    pub(super) fn change(
        &mut self,
        key: &MemberKey,
        added: &[TopicPartition],
        forgotten: &[TopicPartition],
        limits: &SessionLimits,
    ) -> Result<Vec<TopicPartition>, ErrorCode> {
        let Some(session) = self.by_member.get_mut(key) else { return Err(ErrorCode::ShareSessionNotFound) };
        let before = session.partitions.len();
        if !added.is_empty() {
            let known: std::collections::HashSet<_> = session.partitions.iter().copied().collect();
            let mut fresh: Vec<_> = added.iter().copied().filter(|one| !known.contains(one)).collect();
            fresh.sort_unstable();
            fresh.dedup();
            if self.partitions + fresh.len() > limits.partitions {
                return Err(ErrorCode::ShareSessionLimitReached);
            }
            session.partitions.extend(fresh);
        }
        if !forgotten.is_empty() {
            let gone: std::collections::HashSet<_> = forgotten.iter().copied().collect();
            session.partitions.retain(|one| !gone.contains(one));
        }
        self.partitions = self.partitions - before + session.partitions.len();
        let mut wanted = session.partitions.clone();
        let turn = usize::try_from(session.epoch).unwrap_or_default() % wanted.len().max(1);
        wanted.rotate_left(turn);
        Ok(wanted)
    }

    /// Whether a member has one.
    pub(super) fn has(&self, key: &MemberKey) -> bool {
        self.by_member.contains_key(key)
    }

    /// Ends a session; false if there is none.
    pub(super) fn close(&mut self, key: &MemberKey) -> bool {
        let closed = self.by_member.remove(key);
        if let Some(session) = &closed {
            self.partitions -= session.partitions.len();
        }
        closed.is_some()
    }

    /// The members whose sessions are of this connection.
    pub(super) fn of_connection(&self, connection: u64) -> Vec<MemberKey> {
        let of_it = self.by_member.iter().filter(|(_, session)| session.connection == connection);
        of_it.map(|(key, _)| key.clone()).collect()
    }

    /// Ends the sessions of a group.
    pub(super) fn close_group(&mut self, group: &str) {
        let keys: Vec<_> = self.by_member.keys().filter(|(of, _)| **of == *group).cloned().collect();
        for key in keys {
            self.close(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SessionLimits = SessionLimits { sessions: 2, partitions: 4 };

    fn key(member: &str) -> MemberKey {
        ("g".into(), member.into())
    }

    const fn part(number: i32) -> TopicPartition {
        (Uuid::ZERO, number)
    }

    #[test]
    fn a_session_goes_on_in_its_epoch_only() {
        let mut sessions = Sessions::default();
        assert_eq!(sessions.advance(&key("a"), 1), Err(ErrorCode::ShareSessionNotFound));
        sessions.open(&key("a"), 7, &LIMITS).unwrap();
        for epoch in [1, 2, 3] {
            assert_eq!(sessions.advance(&key("a"), epoch), Ok(()));
        }
        assert_eq!(sessions.advance(&key("a"), 3), Err(ErrorCode::InvalidShareSessionEpoch));
        assert_eq!(sessions.of_connection(7), [key("a")]);
        assert!(sessions.of_connection(8).is_empty());
        sessions.open(&key("a"), 8, &LIMITS).unwrap();
        assert!(sessions.of_connection(7).is_empty(), "it came back another way");
        assert_eq!(sessions.advance(&key("a"), 1), Ok(()));
        assert!(sessions.close(&key("a")) && !sessions.close(&key("a")));
    }

    #[test]
    fn partitions_are_added_and_forgotten_and_take_turns() {
        let mut sessions = Sessions::default();
        sessions.open(&key("a"), 1, &LIMITS).unwrap();
        let all = |found: Vec<TopicPartition>| found.into_iter().map(|one| one.1).collect::<Vec<_>>();
        let wanted = sessions.change(&key("a"), &[part(0), part(1), part(2), part(1)], &[], &LIMITS).unwrap();
        assert_eq!(all(wanted), [1, 2, 0]);
        sessions.advance(&key("a"), 1).unwrap();
        assert_eq!(all(sessions.change(&key("a"), &[], &[part(1)], &LIMITS).unwrap()), [0, 2]);
        assert_eq!(sessions.partitions, 2);
    }

    #[test]
    fn sessions_and_their_partitions_are_bounded() {
        let mut sessions = Sessions::default();
        for member in ["a", "b", "a"] {
            sessions.open(&key(member), 1, &LIMITS).unwrap();
        }
        assert_eq!(sessions.open(&key("c"), 1, &LIMITS), Err(ErrorCode::ShareSessionLimitReached));
        let four = [0, 1, 2, 3].map(part);
        sessions.change(&key("a"), &four, &[], &LIMITS).unwrap();
        assert_eq!(
            sessions.change(&key("b"), &[part(9)], &[], &LIMITS),
            Err(ErrorCode::ShareSessionLimitReached)
        );
        sessions.close_group("g");
        assert_eq!((sessions.by_member.len(), sessions.partitions), (0, 0));
    }
}
