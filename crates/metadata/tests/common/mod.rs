//! What the tests share.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests too")]
#![allow(dead_code, reason = "each test file uses some of it")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use schloss_identity::{Mechanism, ScramCredential};
use schloss_log::{Flusher, Vault};
use schloss_metadata::{Metadata, NewTopic, Snapshot, uuid_text};
use schloss_policy::{Acl, Operation, PatternType, Permission, ResourceType};
use schloss_wire::Principal;

pub(crate) fn open(directory: &Path) -> Arc<Metadata> {
    Metadata::open(
        directory,
        vec![Principal::user("admin")],
        &Vault::InsecurePlain,
        Flusher::start(1).unwrap(),
    )
    .unwrap()
}

pub(crate) fn acl(user: &str, topic: &str) -> Acl {
    Acl {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        resource_name: topic.to_owned(),
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation: Operation::Read,
        permission: Permission::Allow,
    }
}

pub(crate) fn topic(name: &str) -> NewTopic {
    NewTopic { name: name.to_owned(), partitions: 3, configs: BTreeMap::new() }
}

pub(crate) fn credential(mechanism: Mechanism, iterations: u32) -> ScramCredential {
    let salted = vec![b'S'; mechanism.key_bytes()];
    ScramCredential::from_salted_password(mechanism, iterations, b"0123456789abcdef".to_vec(), &salted)
        .unwrap()
}

/// All of a state as text, to compare two of them.
pub(crate) fn state(snapshot: &Snapshot) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{} {:?}\n", snapshot.cluster_id(), snapshot.fake_salt_key().as_bytes());
    for topic in snapshot.topics() {
        writeln!(text, "{} {topic:?}", uuid_text(topic.id)).unwrap();
    }
    for (name, user) in snapshot.users() {
        writeln!(text, "{name} {:?}", user.mechanisms().collect::<Vec<_>>()).unwrap();
    }
    for acl in snapshot.acls().iter() {
        writeln!(text, "{acl}").unwrap();
    }
    for broker in ["", "1"] {
        let resource = schloss_metadata::ConfigResource::Broker(broker.to_owned());
        writeln!(text, "{broker} {:?}", snapshot.configs(&resource)).unwrap();
    }
    text
}

/// A directory for its owner only, as journals want it.
pub(crate) fn home() -> tempfile::TempDir {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    tempfile::Builder::new().permissions(mode).tempdir().unwrap()
}
