//! Why the metadata could not be opened.

use schloss_client::ClientError;
use schloss_metadata::MetadataError;
use thiserror::Error;

/// The topic can't be used; nothing is served from it.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The name can't be that of the topic.
    #[error("'{name}' can't be the metadata topic: {problem}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The cluster can't be reached or refuses.
    #[error(transparent)]
    Cluster(#[from] ClientError),
    /// The cluster says no id, so it can't be told from another.
    #[error("the cluster has no id: a broker of Kafka 0.10.1 or later is needed")]
    NoClusterId,
    /// The topic exists and is not fit.
    #[error("topic {topic} {problem}: {remedy}")]
    Topic {
        /// Which one.
        topic: String,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// All records are made with another key.
    #[error(
        "topic {topic} is sealed with the key of id {theirs}, and the key file holds that of id {ours}: put the \
         key file of the gateways that use this topic into its place"
    )]
    WrongKey {
        /// Which topic.
        topic: String,
        /// The id of the key in the topic.
        theirs: String,
        /// The id of our key.
        ours: String,
    },
    /// Records that no gateway wrote with our key.
    #[error(
        "topic {topic} holds a record at offset {offset} that no gateway of this installation wrote, {why}: {}. \
         Find out who may write to the topic and take that away from them. A running gateway says again what \
         such records stand over, and then others start; with none running, allow it at this start: \
         --ignore-forged",
        show(keys)
    )]
    Forged {
        /// Which topic.
        topic: String,
        /// Offset of the first.
        offset: i64,
        /// Their keys as text.
        keys: Vec<String>,
        /// How it was told.
        why: String,
    },
    /// Records of ours are not there any more.
    #[error(
        "topic {topic} lacks records that gateways wrote: they were deleted, or compacted away under forged ones. \
         Users or ACLs would be missing, so nothing is served. Restore the topic from a backup, or use another \
         and make users and ACLs anew"
    )]
    Incomplete {
        /// Which topic.
        topic: String,
    },
    /// Records of a newer version.
    #[error(
        "topic {topic} holds a record at offset {offset} of a newer version ({detail}): start that version"
    )]
    Newer {
        /// Which topic.
        topic: String,
        /// Offset of the first.
        offset: i64,
        /// What is not understood.
        detail: String,
    },
    /// The topic can't be read to its end.
    #[error("topic {topic} can't be read: {detail}")]
    Unreadable {
        /// Which topic.
        topic: String,
        /// Why.
        detail: String,
    },
    /// The topic can't be written for the first time.
    #[error("topic {topic} can't be written: {detail}")]
    Unwritable {
        /// Which topic.
        topic: String,
        /// Why.
        detail: String,
    },
    /// Its records make no state.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
}

fn show(keys: &[String]) -> String {
    if keys.is_empty() { "its key can't be read".to_owned() } else { format!("key {}", keys.join(", ")) }
}
