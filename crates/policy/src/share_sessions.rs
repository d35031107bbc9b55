//! The share sessions (KIP-932) that a connection has opened, and what was decided about their topics.
//!
//! A share session lives in the broker: a request that continues one lists only what changes, so most of what
//! it fetches is not in it. A broker asks its authorizer about all of the session with every request. So does
//! this: a change of ACLs is in force for topics that were listed long ago.

use std::collections::{BTreeMap, VecDeque};

use schloss_wire::Uuid;

/// Most share sessions that are remembered of one connection. A consumer has one.
const MAX_SESSIONS: usize = 16;
/// Most topics of all of them: some hundreds of kilobytes.
const MAX_TOPICS: usize = 4096;
/// Longest names of group and member together, in bytes. A member's is a UUID.
const MAX_KEY_BYTES: usize = 1024;

/// What is remembered of the share sessions of one connection. One that is forgotten has to be opened anew.
#[derive(Debug, Default)]
pub(crate) struct ShareSessions(VecDeque<ShareSession>);

/// The topics of one share session.
#[derive(Debug)]
pub(crate) struct ShareSession {
    group: Box<str>,
    member: Box<str>,
    /// Whether the topic was given to the broker, by its id.
    topics: BTreeMap<Uuid, bool>,
}

impl ShareSession {
    /// One without topics. The names are copied, since those of a request hold on to all of its frame.
    pub(crate) fn new(group: &str, member: &str) -> Self {
        Self { group: group.into(), member: member.into(), topics: BTreeMap::new() }
    }

    /// Notes what was decided about a topic.
    pub(crate) fn note(&mut self, topic: Uuid, allowed: bool) {
        self.topics.insert(topic, allowed);
    }

    /// Whether all that was decided is what `decide` would decide now. It is given what was.
    pub(crate) fn still_holds(&self, mut decide: impl FnMut(Uuid, bool) -> bool) -> bool {
        self.topics.iter().all(|(&topic, &allowed)| decide(topic, allowed) == allowed)
    }
}

impl ShareSessions {
    /// Takes out, and so forgets, the share session of this member.
    pub(crate) fn take(&mut self, group: &str, member: &str) -> Option<ShareSession> {
        let known = |session: &ShareSession| *session.group == *group && *session.member == *member;
        let index = self.0.iter().position(known)?;
        self.0.remove(index)
    }

    /// Remembers one that was not known or was taken. The oldest make room for it.
    pub(crate) fn keep(&mut self, session: ShareSession) {
        if session.group.len() + session.member.len() > MAX_KEY_BYTES {
            return;
        }
        self.0.push_back(session);
        while self.0.len() > MAX_SESSIONS || self.topics() > MAX_TOPICS {
            self.0.pop_front();
        }
    }

    fn topics(&self) -> usize {
        self.0.iter().map(|session| session.topics.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(member: &str, topics: usize) -> ShareSession {
        let mut session = ShareSession::new("g", member);
        for index in 0..topics {
            session.note(Uuid::from_bytes((index as u128 + 1).to_be_bytes()), true);
        }
        session
    }

    #[test]
    fn a_session_is_known_by_group_and_member_until_it_is_taken() {
        let mut sessions = ShareSessions::default();
        sessions.keep(session("m", 1));
        assert!(sessions.take("g", "other").is_none() && sessions.take("other", "m").is_none());
        assert!(sessions.take("g", "m").is_some());
        assert!(sessions.take("g", "m").is_none());
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_oldest_is_forgotten() {
        let mut sessions = ShareSessions::default();
        for index in 0..3 * MAX_SESSIONS {
            sessions.keep(session(&index.to_string(), 1));
        }
        assert_eq!(sessions.0.len(), MAX_SESSIONS);
        assert!(sessions.take("g", "0").is_none() && sessions.take("g", "47").is_some());

        sessions.keep(session("large", MAX_TOPICS));
        assert_eq!((sessions.0.len(), sessions.topics()), (1, MAX_TOPICS));
        sessions.keep(session("too large", MAX_TOPICS + 1));
        assert_eq!(sessions.0.len(), 0);
        sessions.keep(session(&"m".repeat(MAX_KEY_BYTES), 1));
        assert_eq!(sessions.0.len(), 0);
    }

    #[test]
    fn a_decision_that_became_another_holds_no_longer() {
        let mut session = session("m", 2);
        assert!(session.still_holds(|_, _| true));
        session.note(Uuid::from_bytes([7; 16]), false);
        assert!(session.still_holds(|_, was| was));
        assert!(!session.still_holds(|_, _| true));
        assert!(!session.still_holds(|_, _| false));
    }
}
