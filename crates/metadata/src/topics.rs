//! Topics by name and by id.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use schloss_wire::{ErrorCode, Uuid};

use crate::error::Refusal;

/// Longest topic name, in characters (`org.apache.kafka.common.internals.Topic`).
pub const MAX_TOPIC_NAME_LENGTH: usize = 249;

/// One topic.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TopicMeta {
    /// Its name.
    pub name: Arc<str>,
    /// Its id, never used for another topic.
    pub id: Uuid,
    /// How many partitions it has.
    pub partitions: i32,
    /// Settings that differ from the defaults.
    pub configs: BTreeMap<String, String>,
}

/// All topics. A clone shares every [`TopicMeta`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Topics {
    by_name: BTreeMap<Arc<str>, Arc<TopicMeta>>,
    by_id: HashMap<Uuid, Arc<TopicMeta>>,
    /// Names that hold `.` or `_`, under the name with `_` for both.
    collisions: HashMap<String, Arc<str>>,
}

impl Topics {
    pub(crate) fn by_name(&self, name: &str) -> Option<&Arc<TopicMeta>> {
        self.by_name.get(name)
    }

    pub(crate) fn by_id(&self, id: Uuid) -> Option<&Arc<TopicMeta>> {
        self.by_id.get(&id)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<TopicMeta>> {
        self.by_name.values()
    }

    /// Adds a topic, or replaces the one of the same id and name.
    pub(crate) fn put(&mut self, topic: TopicMeta) {
        let topic = Arc::new(topic);
        if let Some(key) = collision_key(&topic.name) {
            self.collisions.insert(key, Arc::clone(&topic.name));
        }
        self.by_id.insert(topic.id, Arc::clone(&topic));
        self.by_name.insert(Arc::clone(&topic.name), topic);
    }

    pub(crate) fn remove(&mut self, id: Uuid) -> Option<Arc<TopicMeta>> {
        let topic = self.by_id.remove(&id)?;
        self.by_name.remove(&topic.name);
        if let Some(key) = collision_key(&topic.name) {
            self.collisions.remove(&key);
        }
        Some(topic)
    }

    /// Whether a topic of this name may be made. Names are compared as Kafka does: `a.b` and `a_b` become
    /// the same metric name there, so only one of them can exist.
    pub(crate) fn check_new(&self, name: &str) -> Result<(), Refusal> {
        check_topic_name(name)?;
        if self.by_name.contains_key(name) {
            return Err(Refusal::new(
                ErrorCode::TopicAlreadyExists,
                format!("Topic '{name}' already exists."),
            ));
        }
        match collision_key(name).and_then(|key| self.collisions.get(&key)) {
            Some(other) => Err(Refusal::new(
                ErrorCode::InvalidTopicException,
                format!("Topic '{name}' collides with existing topic: {other}"),
            )),
            None => Ok(()),
        }
    }
}

fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}

/// Checks the form of a topic name, as `Topic.validate` of Kafka does. A name that passes is also safe as
/// the beginning of a file name.
///
/// # Errors
/// `INVALID_TOPIC_EXCEPTION`, with Kafka's words.
pub fn check_topic_name(name: &str) -> Result<(), Refusal> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let wrong = if name.is_empty() {
        "the empty string is not allowed".to_owned()
    } else if name == "." || name == ".." {
        format!("'{name}' is not allowed")
    } else if name.chars().count() > MAX_TOPIC_NAME_LENGTH {
        format!("its length is longer than the max allowed length {MAX_TOPIC_NAME_LENGTH}")
    } else if !name.bytes().all(allowed) {
        let name = name.escape_debug();
        format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
    } else {
        return Ok(());
    };
    Err(Refusal::new(ErrorCode::InvalidTopicException, format!("Topic name is invalid: {wrong}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(name: &str, id: u8) -> TopicMeta {
        TopicMeta {
            name: name.into(),
            id: Uuid::from_bytes([id; 16]),
            partitions: 1,
            configs: BTreeMap::new(),
        }
    }

    #[test]
    fn names_are_refused_as_kafka_refuses_them() {
        for name in ["", ".", "..", "a b", "a/b", "../a", "é", "a\n", "a:b", &"x".repeat(250)] {
            assert_eq!(
                check_topic_name(name).unwrap_err().code,
                ErrorCode::InvalidTopicException,
                "{name:?}"
            );
        }
        for name in ["a", "...", "A-b_c.9", &"x".repeat(249)] {
            assert_eq!(check_topic_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_differ_in_dot_and_underscore_only_collide_until_the_first_is_gone() {
        let mut topics = Topics::default();
        topics.put(topic("a.b_c", 1));
        for name in ["a_b.c", "a.b.c", "a_b_c"] {
            let refusal = topics.check_new(name).unwrap_err();
            assert_eq!(refusal.code, ErrorCode::InvalidTopicException);
            assert_eq!(refusal.message, format!("Topic '{name}' collides with existing topic: a.b_c"));
        }
        assert_eq!(topics.check_new("a.b_c").unwrap_err().code, ErrorCode::TopicAlreadyExists);
        assert_eq!(topics.check_new("abc"), Ok(()));
        topics.remove(Uuid::from_bytes([1; 16])).unwrap();
        assert_eq!(topics.check_new("a_b.c"), Ok(()));
        assert!(topics.iter().next().is_none());
    }
}
