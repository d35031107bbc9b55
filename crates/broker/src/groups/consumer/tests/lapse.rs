//! Members and groups that time takes, also when nobody asks for them after a start.

use std::path::Path;

use schloss_log::Flusher;
use tempfile::TempDir;

use super::*;
use crate::groups::Groups;
use crate::testing::{plain, private_directory};

const GROUP: &str = "orders-app";

fn open(directory: &Path, session: Duration) -> Groups {
    let config = GroupsConfig {
        consumer_session_timeout: session,
        empty_group_linger: Duration::from_millis(200),
        ..GroupsConfig::default()
    };
    Groups::open_with(directory, &plain(Flusher::start(1).unwrap()), config).unwrap()
}

/// Opens what is on disk now, as the next start after `kill -9` would.
fn after_kill(directory: &Path, session: Duration) -> (Groups, TempDir) {
    let copy = private_directory();
    std::fs::copy(directory.join("offsets.journal"), copy.path().join("offsets.journal")).unwrap();
    (open(copy.path(), session), copy)
}

async fn until(what: &str, done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(30);
    while !done() {
        assert!(Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn members_that_do_not_come_back_after_a_kill_go_and_so_does_the_group() {
    const LONG: Duration = Duration::from_secs(3600);
    let (known, directory) = (Known::new(&[("t", 1)]), private_directory());
    let groups = open(directory.path(), LONG);
    groups.consumer_heartbeat(GROUP, &join("a", &["t"]), Ok(Vec::new()), &known).await.unwrap();

    let (groups, second) = after_kill(directory.path(), LONG);
    assert_eq!(groups.describe_consumers(GROUP).unwrap().members.len(), 1);
    let (groups, third) = after_kill(second.path(), Duration::from_millis(1));
    until("a silent group is over", || groups.list().is_empty()).await;
    // A group of that name is a new one, also after the next kill.
    groups.consumer_heartbeat(GROUP, &join("b", &["t"]), Ok(Vec::new()), &known).await.unwrap();
    let (groups, _fourth) = after_kill(third.path(), LONG);
    // It may be over once more already.
    let members = groups.describe_consumers(GROUP).map(|group| group.members).unwrap_or_default();
    assert!(members.iter().all(|member| &*member.id == "b"), "{members:?}");
}
