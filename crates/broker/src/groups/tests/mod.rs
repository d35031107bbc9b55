//! Groups as their members see them, with time that stands still until nobody has anything to do.

mod api;
mod bounds;
mod deletion;
mod rebalance;
mod retention;
mod silence;
mod simulation;
mod statics;
mod store;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use schloss_log::Flusher;
use schloss_wire::ErrorCode;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;
use crate::testing::{plain, private_directory};

const SESSION: Duration = Duration::from_secs(10);
const REBALANCE: Duration = Duration::from_secs(60);
const GROUP: &str = "orders-app";

struct House {
    groups: Groups,
    _directory: TempDir,
}

fn house() -> House {
    house_with(GroupsConfig::default())
}

fn house_with(config: GroupsConfig) -> House {
    let directory = private_directory();
    let groups = Groups::open_with(directory.path(), &plain(Flusher::start(1).unwrap()), config).unwrap();
    House { groups, _directory: directory }
}

/// A join of this member; an empty id is a new one, which gets the id `name`.
fn join(id: &str, name: &str) -> Join {
    Join {
        member_id: id.into(),
        fresh_id: name.into(),
        instance_id: None,
        client_id: "client".into(),
        client_host: "/127.0.0.1".into(),
        session_timeout: SESSION,
        rebalance_timeout: REBALANCE,
        protocol_type: "consumer".into(),
        protocols: vec![protocol("range", name)],
        id_required: false,
        can_skip_assignment: false,
    }
}

fn static_join(instance: &str, name: &str) -> Join {
    Join { instance_id: Some(instance.into()), ..join("", name) }
}

fn protocol(name: &str, metadata: &str) -> Protocol {
    Protocol { name: name.into(), metadata: Bytes::copy_from_slice(metadata.as_bytes()) }
}

/// Starts a request and lets it get as far as it can without time passing.
async fn start<T: Send + 'static>(request: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    let task = tokio::spawn(request);
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    task
}

impl House {
    async fn start_join(&self, join: Join) -> JoinHandle<JoinReply> {
        let groups = self.groups.clone();
        start(async move { groups.join(GROUP, join).await }).await
    }

    async fn join(&self, join: Join) -> JoinReply {
        self.groups.join(GROUP, join).await
    }

    /// A sync; the leader assigns to each member its own name and generation.
    async fn start_sync(&self, joined: &Joined) -> JoinHandle<SyncReply> {
        let groups = self.groups.clone();
        let sync = sync_of(joined);
        start(async move { groups.sync(GROUP, sync).await }).await
    }

    async fn sync(&self, joined: &Joined) -> SyncReply {
        self.groups.sync(GROUP, sync_of(joined)).await
    }

    fn beat(&self, member_id: &str, generation: i32) -> Result<(), ErrorCode> {
        self.groups.heartbeat(GROUP, Claim { member_id, instance_id: None, generation })
    }

    fn leave(&self, member_id: &str) -> Result<(), ErrorCode> {
        self.groups.leave(GROUP, &[Leaving { member_id: member_id.into(), instance_id: None }])[0]
    }

    fn state(&self) -> GroupState {
        self.groups.describe(GROUP).unwrap().unwrap().state
    }

    /// Lets members in one after another, as their clients would, until all are in one stable generation.
    async fn stable(&self, names: &[&str]) -> i32 {
        let mut generation = 0;
        for count in 1..=names.len() {
            let mut joins = vec![self.start_join(join("", names[count - 1])).await];
            for name in &names[..count - 1] {
                assert_eq!(self.beat(name, generation), Err(ErrorCode::RebalanceInProgress));
                joins.push(self.start_join(join(name, name)).await);
            }
            let mut syncs = Vec::new();
            for task in joins {
                let joined = task.await.unwrap().unwrap();
                generation = joined.generation;
                syncs.push(self.start_sync(&joined).await);
            }
            for task in syncs {
                task.await.unwrap().unwrap();
            }
        }
        generation
    }
}

fn sync_of(joined: &Joined) -> Sync {
    let generation = joined.generation;
    let assign = |member: &JoinedMember| {
        (Arc::clone(&member.id), Bytes::from(format!("{} in {generation}", member.id)))
    };
    Sync {
        member_id: Arc::clone(&joined.member_id),
        instance_id: None,
        generation,
        protocol_type: joined.protocol_type.clone(),
        protocol: joined.protocol.clone(),
        assignments: joined.members.iter().map(assign).collect(),
    }
}

fn code(reply: JoinReply) -> ErrorCode {
    reply.unwrap_err().code
}
