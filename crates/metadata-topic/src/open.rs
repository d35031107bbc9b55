//! Opening the topic: read whole, founded when new, then followed.

use std::sync::Arc;
use std::time::Duration;

use schloss_client::ClientConfig;
use schloss_keys::SealingKey;
use schloss_metadata::{Metadata, Record, SaltKeyRecord, State, check_topic_name};
use schloss_wire::Principal;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::change;
use crate::codec::{Codec, Fault};
use crate::error::OpenError;
use crate::follower::Follower;
use crate::health::{Health, Notice};
use crate::ledger::TopicLedger;
use crate::load::{self, LoadError, Loaded};
use crate::shared::{Progress, Shared, describe};
use crate::tail::TailError;
use crate::topic::{self, TOPIC_PREFIX};
use crate::transactions::Refused;
use crate::upstream::Upstream;
use crate::writer::{WriteError, Writer, is_transient};

/// The topic, if the configuration names no other.
pub const DEFAULT_TOPIC: &str = "__schloss_metadata";
/// Most notices that wait to be taken.
const MAX_NOTICES: usize = 256;
/// Shortest time between two healings.
const HEAL_PAUSE: Duration = Duration::from_secs(2);
const FOUND_BACKOFF: Duration = Duration::from_millis(50);

/// Where the metadata is, and how it is opened.
pub struct TopicLedgerConfig {
    /// How to reach the cluster, as a principal that may do this: on the topic `Create`, `Describe`,
    /// `DescribeConfigs`, `Read` and `Write`; on the transactional id of the same name `Describe` and `Write`.
    /// Nobody else should have any of it.
    pub client: Arc<ClientConfig>,
    /// The name of the topic, such as [`DEFAULT_TOPIC`]; begins with `__schloss_`.
    pub topic: String,
    /// Seals and authenticates the records; the same for all gateways.
    pub key: SealingKey,
    /// Whom ACLs don't bind.
    pub super_users: Vec<Principal>,
    /// Whether to start although there are forged records in the topic that nobody has healed. They are not in
    /// force either way, and what is missing is found out either way.
    pub ignore_forged: bool,
}

/// Metadata that other gateways share. The topic is followed until this is dropped or shut down.
pub struct SharedMetadata {
    /// The metadata; changes through it are in force everywhere within a second.
    pub metadata: Arc<Metadata>,
    /// Whether the topic was empty and is founded now, by us or by another gateway that started with us.
    pub founded: bool,
    notices: Option<mpsc::Receiver<Notice>>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

/// Opens the metadata in a topic: makes the topic if it is not there, reads it whole, and founds the state if
/// there is none. Then the topic is followed by a task.
///
/// # Errors
/// The cluster can't be reached, or what the topic holds can't be trusted to be whole and ours.
pub async fn open(config: TopicLedgerConfig) -> Result<SharedMetadata, OpenError> {
    let TopicLedgerConfig { client, topic, key, super_users, ignore_forged } = config;
    check_name(&topic)?;
    let upstream = Arc::new(Upstream::new(client, topic.clone()));
    let mut cluster = upstream.cluster().await?;
    let cluster_id = cluster.cluster_id().ok_or(OpenError::NoClusterId)?.to_owned();
    topic::ensure(&mut cluster, &topic).await?;
    drop(cluster);
    let codec = Arc::new(Codec::new(&key, &cluster_id, &topic));
    let mut writer = Writer::new(Arc::clone(&upstream));

    let unreadable = |error| load_error(&topic, error);
    let mut loaded = load::load(&upstream, &codec).await.map_err(unreadable)?;
    check(&loaded, &codec, &topic, ignore_forged)?;
    let founded = loaded.book.is_empty();
    if founded {
        found(&mut writer, &mut loaded, &codec, &topic).await?;
        check(&loaded, &codec, &topic, ignore_forged)?;
    }
    let Loaded { tail, book, absorbed, position } = loaded;
    let standing: Vec<Refused> = absorbed.standing(&book).cloned().collect();
    let records = std::iter::once(Record::ClusterId { id: cluster_id }).chain(absorbed.records);
    let state = Arc::new(State::new(records, super_users)?);
    let (sender, notices) = mpsc::channel(MAX_NOTICES);
    let shared = Arc::new(Shared {
        codec,
        topic,
        state: Arc::clone(&state),
        progress: watch::Sender::new(Progress { position, change: book.change(), stopped: None }),
        book: parking_lot::Mutex::new(book),
        health: watch::Sender::new(Health::Following),
        notices: sender,
        disputed: Notify::new(),
    });
    shared.report(standing.iter());
    let ledger = TopicLedger::new(Arc::clone(&shared), writer);
    let follower = Follower::new(Arc::clone(&shared), upstream, tail);
    let tasks = vec![tokio::spawn(follower.run()), tokio::spawn(heal(Arc::clone(&shared), ledger.clone()))];
    let metadata = Metadata::on(state, ledger);
    Ok(SharedMetadata { metadata, founded, notices: Some(notices), shared, tasks })
}

impl SharedMetadata {
    /// Whether the state is the newest, and every change of that.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// What an auditor wants to know, 256 of them at most while nobody takes them; once.
    pub fn notices(&mut self) -> Option<mpsc::Receiver<Notice>> {
        self.notices.take()
    }

    /// Ends following, and waits for that. The state stays as it is; no changes are taken any more.
    pub async fn shutdown(mut self) {
        self.stop();
        for task in std::mem::take(&mut self.tasks) {
            // It was cancelled, which is what it is waited for.
            let _ = task.await;
        }
    }

    fn stop(&self) {
        self.tasks.iter().for_each(JoinHandle::abort);
        let why = "the gateway is being stopped";
        self.shared.progress.send_modify(|progress| progress.stopped = Some(why.into()));
    }
}

impl Drop for SharedMetadata {
    fn drop(&mut self) {
        self.stop();
    }
}

fn check_name(topic: &str) -> Result<(), OpenError> {
    let wrong = |problem: String| Err(OpenError::Name { name: topic.escape_debug().to_string(), problem });
    if let Err(refusal) = check_topic_name(topic) {
        return wrong(refusal.message);
    }
    if !topic.starts_with(TOPIC_PREFIX) {
        return wrong(format!("its name must begin with {TOPIC_PREFIX}, which hides it from clients"));
    }
    Ok(())
}

/// Whether what the topic holds is ours and whole.
fn check(loaded: &Loaded, codec: &Codec, topic: &str, ignore_forged: bool) -> Result<(), OpenError> {
    let topic = topic.to_owned();
    let Loaded { book, absorbed, .. } = loaded;
    let theirs = absorbed.refused.iter().find_map(|refused| match &refused.fault {
        Fault::OtherKey(id) => Some(id.clone()),
        _ => None,
    });
    if let (true, Some(theirs)) = (book.is_empty(), theirs) {
        return Err(OpenError::WrongKey { topic, theirs, ours: codec.key_id().to_owned() });
    }
    if let Some((offset, detail)) = absorbed.unreadable.clone() {
        return Err(OpenError::Newer { topic, offset, detail });
    }
    // What a gateway has said again since then does no harm any more, and does not stand.
    if let (Some(refused), false) = (absorbed.standing(book).next(), ignore_forged) {
        let (why, keys) = describe(refused);
        return Err(OpenError::Forged { topic, offset: refused.offset, keys, why });
    }
    if !book.is_whole() {
        return Err(OpenError::Incomplete { topic });
    }
    Ok(())
}

/// Writes the first change. Of several gateways that try it at once, one is fenced last and does.
async fn found(
    writer: &mut Writer,
    loaded: &mut Loaded,
    codec: &Codec,
    topic: &str,
) -> Result<(), OpenError> {
    let unwritable = |detail: String| OpenError::Unwritable { topic: topic.to_owned(), detail };
    let begun = Instant::now();
    while loaded.book.is_empty() {
        let failed = match writer.fence().await {
            Ok(producer) => {
                loaded.read_to_end(codec, topic).await.map_err(|error| load_error(topic, error))?;
                if !loaded.book.is_empty() {
                    return Ok(());
                }
                let first = [Record::FakeSaltKey(SaltKeyRecord::generate())];
                let records = change::encode(codec, &loaded.book, None, &first)?;
                match writer.write(producer, records).await {
                    Ok(()) => None,
                    Err(WriteError::Lost(why) | WriteError::Unknown(why)) => Some(why),
                    Err(WriteError::Refused(error)) => return Err(unwritable(error.to_string())),
                }
            }
            Err(error) if is_transient(&error) => Some(error.to_string()),
            Err(error) => return Err(unwritable(error.to_string())),
        };
        match failed {
            Some(why) if begun.elapsed() > load::PATIENCE => return Err(unwritable(why)),
            Some(_) => sleep(FOUND_BACKOFF).await,
            None => {}
        }
        loaded.read_to_end(codec, topic).await.map_err(|error| load_error(topic, error))?;
    }
    Ok(())
}

fn load_error(topic: &str, error: LoadError) -> OpenError {
    match error {
        LoadError::Tail(TailError::Client(error)) => OpenError::Cluster(error),
        other => OpenError::Unreadable { topic: topic.to_owned(), detail: other.to_string() },
    }
}

/// Heals what is disputed, whenever it is.
async fn heal(shared: Arc<Shared>, ledger: TopicLedger) {
    loop {
        shared.disputed.notified().await;
        if let Err(error) = ledger.heal().await {
            tracing::warn!(%error, "forged records still stand over ours in the metadata topic; trying again");
            shared.disputed.notify_one();
        }
        // Somebody who writes all the time must not make us do so.
        sleep(HEAL_PAUSE).await;
    }
}
