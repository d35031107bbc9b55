//! What is known of the upstream cluster: its brokers, what they offer, its topics.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use parking_lot::RwLock;
use schloss_gate::{Features, Offer};
use schloss_policy::TopicNames;
use schloss_wire::messages::{ApiVersionsResponse, MetadataResponse};
use schloss_wire::{ApiRange, ErrorCode, Uuid};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::offer;

/// One broker.
#[derive(Clone)]
struct Broker {
    address: String,
    /// What it said of itself when it was last asked.
    known: Option<Known>,
    /// Whether it creates missing topics that clients name; `None` as long as it was not asked.
    creates_topics: Option<bool>,
}

#[derive(Clone)]
struct Known {
    ranges: Arc<[ApiRange]>,
    features: Features,
    offer: Arc<Offer>,
}

#[derive(Clone)]
struct Brokers {
    by_id: BTreeMap<i32, Broker>,
    /// The offer where any broker will do.
    any: Arc<Offer>,
}

/// The cluster as last seen. Readers never wait for the network.
pub(crate) struct View {
    cluster_id: String,
    brokers: ArcSwap<Brokers>,
    topics: RwLock<Topics>,
    ids: watch::Sender<Vec<i32>>,
    /// Somebody has found out that the view is old.
    stale: Notify,
    next: AtomicUsize,
}

#[derive(Default)]
struct Topics {
    by_id: HashMap<Uuid, (Arc<str>, Instant)>,
    names: HashSet<Arc<str>>,
}

impl View {
    pub(crate) fn new(cluster_id: String) -> Self {
        let any = Arc::new(Offer::new([], Features::default(), &cluster_id, None));
        Self {
            cluster_id,
            brokers: ArcSwap::from_pointee(Brokers { by_id: BTreeMap::new(), any }),
            topics: RwLock::default(),
            ids: watch::Sender::new(Vec::new()),
            stale: Notify::new(),
            next: AtomicUsize::new(0),
        }
    }

    pub(crate) fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// The ids of the brokers, whenever they change.
    pub(crate) fn broker_ids(&self) -> watch::Receiver<Vec<i32>> {
        self.ids.subscribe()
    }

    /// What is offered at a broker, or where any will do.
    pub(crate) fn offer(&self, node: Option<i32>) -> Arc<Offer> {
        let brokers = self.brokers.load();
        let at_node = node.and_then(|node| brokers.by_id.get(&node)?.known.as_ref());
        Arc::clone(at_node.map_or(&brokers.any, |known| &known.offer))
    }

    /// Where to connect for a broker; for `None` every broker, another one first each time.
    pub(crate) fn addresses(&self, node: Option<i32>) -> Vec<(i32, String)> {
        let brokers = self.brokers.load();
        let mut found: Vec<(i32, String)> = brokers
            .by_id
            .iter()
            .filter(|(id, _)| node.is_none_or(|node| node == **id))
            .map(|(id, broker)| (*id, broker.address.clone()))
            .collect();
        if !found.is_empty() {
            let turn = self.next.fetch_add(1, Ordering::Relaxed) % found.len();
            found.rotate_left(turn);
        }
        found
    }

    /// Brokers that were not asked everything yet.
    pub(crate) fn strangers(&self) -> Vec<(i32, String)> {
        let brokers = self.brokers.load();
        let is_stranger = |broker: &Broker| broker.known.is_none() || broker.creates_topics.is_none();
        let strangers = brokers.by_id.iter().filter(|(_, broker)| is_stranger(broker));
        strangers.map(|(id, broker)| (*id, broker.address.clone())).collect()
    }

    /// Whether at least one broker has told what it offers.
    pub(crate) fn is_known(&self) -> bool {
        self.brokers.load().by_id.values().any(|broker| broker.known.is_some())
    }

    /// Takes in what a broker says of itself.
    pub(crate) fn introduce(&self, node: i32, answer: &ApiVersionsResponse) {
        let ranges: Arc<[ApiRange]> = offer::common(answer).into();
        let features = offer::features(answer);
        self.change(|brokers| {
            let Some(broker) = brokers.by_id.get_mut(&node) else { return };
            let offer = Offer::new(ranges.iter().copied(), features.clone(), &self.cluster_id, Some(node));
            broker.known = Some(Known {
                ranges: Arc::clone(&ranges),
                features: features.clone(),
                offer: Arc::new(offer),
            });
        });
    }

    /// Takes in whether a broker creates missing topics that clients name.
    pub(crate) fn note_creation(&self, node: i32, creates_topics: bool) {
        self.change(|brokers| {
            if let Some(broker) = brokers.by_id.get_mut(&node) {
                broker.creates_topics = Some(creates_topics);
            }
        });
    }

    fn change(&self, change: impl Fn(&mut Brokers)) {
        self.brokers.rcu(|brokers| {
            let mut brokers = Brokers::clone(brokers);
            change(&mut brokers);
            let known = || brokers.by_id.values().filter_map(|broker| broker.known.as_ref());
            let ranges = offer::common_to_all(known().map(|known| &*known.ranges));
            let features = known().max_by_key(|known| known.features.finalized_epoch);
            let features = features.map(|known| known.features.clone()).unwrap_or_default();
            brokers.any = Arc::new(Offer::new(ranges, features, &self.cluster_id, None));
            brokers
        });
    }

    /// Replaces brokers and topics by those of an answer about all topics that was asked for at `asked`.
    pub(crate) fn replace(&self, answer: &MetadataResponse, asked: Instant) {
        let addresses: BTreeMap<i32, String> = answer
            .brokers
            .iter()
            .map(|broker| (broker.node_id, format!("{}:{}", bracketed(&broker.host), broker.port)))
            .collect();
        self.change(|brokers| {
            let before = std::mem::take(&mut brokers.by_id);
            brokers.by_id = addresses
                .iter()
                .map(|(id, address)| {
                    // At another address is another process, which may offer something else.
                    let same = before.get(id).filter(|broker| broker.address == *address);
                    let known = same.and_then(|broker| broker.known.clone());
                    let creates_topics = same.and_then(|broker| broker.creates_topics);
                    (*id, Broker { address: address.clone(), known, creates_topics })
                })
                .collect();
        });
        let ids: Vec<i32> = addresses.into_keys().collect();
        self.ids.send_if_modified(|known| {
            let changed = *known != ids;
            known.clone_from(&ids);
            changed
        });
        let mut topics = self.topics.write();
        // What passing answers told after we asked is newer than this one.
        topics.by_id.retain(|_, (_, seen)| *seen >= asked);
        topics.add(answer, asked);
        topics.names = topics.by_id.values().map(|(name, _)| Arc::clone(name)).collect();
    }

    /// Takes in the topics that an answer to a client names.
    pub(crate) fn learn(&self, answer: &MetadataResponse) {
        let topics = self.topics.read();
        let is_news = answer
            .topics
            .iter()
            .any(|topic| topic.error_code == 0 && !topic.topic_id.is_zero() && !topics.knows(topic.topic_id));
        drop(topics);
        if is_news {
            self.topics.write().add(answer, Instant::now());
        }
    }

    /// Asks for a look at the cluster soon.
    pub(crate) fn doubt(&self) {
        self.stale.notify_one();
    }

    /// Waits until somebody doubts.
    pub(crate) async fn doubted(&self) {
        self.stale.notified().await;
    }
}

impl Topics {
    fn knows(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id)
    }

    fn add(&mut self, answer: &MetadataResponse, seen: Instant) {
        for topic in &answer.topics {
            let Some(name) = topic.name.as_ref().filter(|_| topic.error_code == ErrorCode::None.code())
            else {
                continue;
            };
            let name: Arc<str> = name.as_str().into();
            self.names.insert(Arc::clone(&name));
            if !topic.topic_id.is_zero() {
                self.by_id.entry(topic.topic_id).or_insert((name, seen));
            }
        }
    }
}

impl TopicNames for View {
    fn name_of(&self, id: Uuid) -> Option<Arc<str>> {
        let name = self.topics.read().by_id.get(&id).map(|(name, _)| Arc::clone(name));
        if name.is_none() {
            self.doubt();
        }
        name
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.topics.read().names.iter().map(Arc::clone).collect()
    }

    fn exists(&self, name: &str) -> bool {
        let exists = self.topics.read().names.contains(name);
        if !exists {
            self.doubt();
        }
        exists
    }

    /// Each broker has its own setting. That none does is never said here: one may be set otherwise and started
    /// again between two looks.
    fn creates_missing_topics(&self) -> Option<bool> {
        let brokers = self.brokers.load();
        brokers.by_id.values().all(|broker| broker.creates_topics == Some(true)).then_some(true)
    }
}

/// A host as it stands before a port: IPv6 addresses in brackets.
fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}
