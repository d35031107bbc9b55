//! What both twins find: topics with the same records on the same brokers, groups with the same offsets, users with
//! the same ACLs, once in Apache Kafka and once in the gateway.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use schloss_client::{AclEntryFilter, ClientConfig, Cluster, Connection};
use schloss_identity::{Mechanism, Password, SaltedPassword, ScramCredential};
use schloss_policy::Acl;
use schloss_wire::messages as m;
use schloss_wire::{Api, RequestResponsePair, StrBytes, Uuid, build};
use tokio::sync::Mutex;

use crate::case::Case;
use crate::common::{self, House, PASSWORD};
use crate::grant;
use crate::names::{Names, Twin};
use crate::records;

/// Topics that every scenario may look at and none changes. Partition 0 is led by broker 1, partition 1 by broker 2.
const TOPICS: [&str; 7] = ["a", "b", "c", "pre-a", "pre-b", "txn-a", "txn-b"];
/// Groups with offsets, and transactional ids, that every scenario may look at.
const KEPT: [&str; 4] = ["a", "b", "c", "pre-a"];
const ITERATIONS: u32 = 4096;
/// How long a connection and an answer may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct World {
    pub(crate) run: String,
    house: House,
    upstream: ClientConfig,
    addresses: HashMap<i32, String>,
    ranges: HashMap<Api, RangeInclusive<i16>>,
    /// By the name of a topic.
    pub(crate) ids: HashMap<String, Uuid>,
    /// By a topic's id in hexadecimal digits: its label.
    pub(crate) labels: HashMap<String, String>,
    service: Mutex<Cluster>,
    coordinators: Mutex<HashMap<(i8, String), i32>>,
    users: HashMap<Vec<String>, String>,
}

impl World {
    /// Makes everything that these cases need.
    pub(crate) async fn new(cases: &[Case]) -> Self {
        let run = common::unique("r").rsplit('-').nth(1).unwrap().chars().rev().take(7).collect::<String>();
        let upstream = common::upstream();
        let mut service = Cluster::connect(upstream.clone()).await.unwrap();
        let addresses: HashMap<i32, String> =
            service.brokers().into_iter().map(|broker| (broker.id, broker.address)).collect();
        let connection = Connection::connect(&upstream, &addresses[&1]).await.unwrap();
        let ranges = common_ranges(&connection);
        let of_all = Twin::BOTH.map(|twin| Names::of_all(twin, &run));
        let mut groups = Vec::new();
        let mut acls: BTreeMap<(String, String), Acl> = BTreeMap::new();
        let mut users: HashMap<Vec<String>, String> = HashMap::new();
        for case in cases {
            let next = format!("user-{}-{run}", users.len());
            let user = users.entry(case.grants.clone()).or_insert(next).clone();
            for version in versions(case, &ranges) {
                for twin in Twin::BOTH {
                    let names = Names::new(twin, &run, case.number, version);
                    groups.extend(case.groups.iter().map(|label| (twin, names.kept(label))));
                    let said = case.grants.iter().map(|words| grant::acl(words, &user, &names));
                    acls.extend(said.map(|acl| ((user.clone(), format!("{acl}")), acl)));
                }
            }
        }
        let acls: Vec<Acl> = acls.into_values().collect();
        let user_names: Vec<String> = users.values().cloned().collect();
        eprintln!("{} users, {} ACLs", user_names.len(), acls.len());
        let lasting: HashSet<String> =
            of_all.iter().flat_map(|names| TOPICS.map(|label| names.name(label))).collect();
        make_topics(&mut service, &lasting, &[(0, vec![1, 2]), (1, vec![2, 3])]).await;
        make_users(&mut service, &user_names).await;
        for part in acls.chunks(500) {
            let entries: Vec<_> = part.iter().map(grant::entry).collect();
            service.create_acls(&entries).await.unwrap().into_iter().for_each(|added| added.unwrap());
        }
        await_rights(&upstream, &addresses, &run, acls.len(), user_names.len()).await;
        let ids = await_topics(&upstream, addresses.values(), &lasting).await;
        // The gateway learns of all topics when it opens.
        let house = House::open().await;
        let credentials = Mechanism::ALL.map(|mechanism| {
            (ScramCredential::derive(mechanism, &Password::new(PASSWORD.to_owned()), ITERATIONS)).unwrap()
        });
        for user in &user_names {
            house.metadata.set_scram(user, credentials[0].clone()).await.unwrap();
        }
        for outcome in house.metadata.add_acls(acls).await.unwrap() {
            outcome.unwrap();
        }
        let mut world = Self {
            run,
            house,
            upstream,
            addresses,
            ranges,
            ids: HashMap::new(),
            labels: HashMap::new(),
            service: Mutex::new(service),
            coordinators: Mutex::default(),
            users,
        };
        world.remember(ids);
        for (partition, leader) in [(0, 1), (1, 2)] {
            world.await_leader(&lasting, partition, leader).await;
        }
        world.fill(&of_all, groups).await;
        world
    }

    /// Makes the topics that cases have for themselves: late, so that listings of everything are short.
    pub(crate) async fn make_topics(&mut self, cases: &[Case]) {
        let mut topics = HashSet::new();
        for case in cases {
            for version in self.versions(case) {
                for twin in Twin::BOTH {
                    let names = Names::new(twin, &self.run, case.number, version);
                    topics.extend(case.topics.iter().map(|label| names.name(label)));
                }
            }
        }
        eprintln!("{} topics", topics.len());
        make_topics(&mut *self.service.lock().await, &topics, &[(0, vec![1])]).await;
        let ids = await_topics(&self.upstream, self.addresses.values(), &topics).await;
        self.remember(ids);
        self.await_leader(&topics, 0, 1).await;
        // The gateway learns of topics from what passes it.
        let gateway = format!("localhost:{}", self.house.bootstrap.port());
        await_topics(&self.house.client("admin"), [&gateway], &topics).await;
    }

    /// Until a broker leads this partition of all these topics: it tells of them before it has made their logs.
    async fn await_leader(&self, topics: &HashSet<String>, partition_index: i32, node: i32) {
        use m::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
        let topic = |name: &String| {
            let partition = build!(ListOffsetsPartition { partition_index, timestamp: -1 });
            build!(ListOffsetsTopic { name: name.as_str().into(), partitions: vec![partition] })
        };
        let request =
            build!(m::ListOffsetsRequest { replica_id: -1, topics: topics.iter().map(topic).collect() });
        let begun = Instant::now();
        loop {
            let answer = self.service(node, &request).await;
            let mut partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            if partitions.all(|partition| partition.error_code == 0) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "broker {node} does not lead what was made: {answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn remember(&mut self, ids: HashMap<String, Uuid>) {
        let tokens = Twin::BOTH.map(|twin| Names::of_all(twin, &self.run).token());
        self.labels = HashMap::new();
        for (name, id) in &ids {
            let digits = id.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            let label = tokens.iter().find_map(|token| name.strip_prefix(token.as_str()));
            self.labels.insert(digits, label.unwrap_or(name).to_owned());
        }
        self.ids = ids;
    }

    /// The versions of an API that both sides offer.
    pub(crate) fn range(&self, api: Api) -> RangeInclusive<i16> {
        self.ranges.get(&api).cloned().unwrap_or(RangeInclusive::new(1, 0))
    }

    /// The APIs that both sides offer.
    pub(crate) fn offered(&self) -> Vec<Api> {
        self.ranges.keys().copied().collect()
    }

    pub(crate) fn versions(&self, case: &Case) -> impl Iterator<Item = i16> + use<> {
        versions(case, &self.ranges)
    }

    pub(crate) fn user(&self, case: &Case) -> &str {
        &self.users[&case.grants]
    }

    /// A connection of a user to a broker.
    pub(crate) async fn connect(&self, twin: Twin, user: &str, node: i32) -> Connection {
        let (config, address) = match twin {
            Twin::Kafka => {
                let password = Password::new(PASSWORD.to_owned());
                let config = self.upstream.clone().with_scram(Mechanism::ScramSha256, user, password);
                (config, self.addresses[&node].clone())
            }
            Twin::Gateway => {
                (self.house.client(user), format!("localhost:{}", i32::from(self.house.base) + node))
            }
        };
        let mut config = config.with_client_id("twin");
        (config.connect_timeout, config.request_timeout) = (PATIENCE, PATIENCE);
        Connection::connect(&config, &address).await.unwrap()
    }

    /// Where groups (0), transactions (1) and share partitions (2) are kept. Asked by the service.
    pub(crate) async fn coordinator(&self, kind: i8, key: &str) -> i32 {
        let mut known = self.coordinators.lock().await;
        if let Some(node) = known.get(&(kind, key.to_owned())) {
            return *node;
        }
        let request =
            build!(m::FindCoordinatorRequest { key_type: kind, coordinator_keys: vec![StrBytes::from(key)] });
        let begun = Instant::now();
        let node = loop {
            let answer = self.service.lock().await.call_any(&request).await.unwrap();
            let found = &answer.coordinators[0];
            if found.error_code == 0 {
                break found.node_id;
            }
            assert!(begun.elapsed() < PATIENCE, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        known.insert((kind, key.to_owned()), node);
        node
    }

    /// The service asks a broker.
    pub(crate) async fn service<R: RequestResponsePair>(&self, node: i32, request: &R) -> R::Response {
        self.service.lock().await.call_node(node, request, i16::MAX).await.unwrap()
    }

    /// Takes away what would make another run slow.
    pub(crate) async fn clear(self) {
        use m::alter_user_scram_credentials_request::ScramCredentialDeletion;
        use m::delete_topics_request::DeleteTopicState;
        let tokens = Twin::BOTH.map(|twin| Names::of_all(twin, &self.run).token());
        let ours = |name: &str| tokens.iter().any(|token| name.starts_with(token));
        let metadata = self.service(1, &build!(m::MetadataRequest { topics: None })).await;
        let topics = metadata.topics.into_iter().filter_map(|topic| topic.name).filter(|name| ours(name));
        let states: Vec<_> = topics.map(|name| build!(DeleteTopicState { name: Some(name) })).collect();
        for part in states.chunks(200) {
            self.service(1, &build!(m::DeleteTopicsRequest { topics: part.to_vec(), timeout_ms: 30_000 }))
                .await;
        }
        let users: Vec<&String> = self.users.values().collect();
        for part in users.chunks(200) {
            let filters = part.iter().map(|user| AclEntryFilter {
                principal: Some(format!("User:{user}")),
                ..AclEntryFilter::default()
            });
            self.service.lock().await.delete_acls(&filters.collect::<Vec<_>>()).await.unwrap();
            let mechanism = Mechanism::ScramSha256.code();
            let deletions = part
                .iter()
                .map(|user| build!(ScramCredentialDeletion { name: user.as_str().into(), mechanism }));
            let request = build!(m::AlterUserScramCredentialsRequest { deletions: deletions.collect() });
            self.service(1, &request).await;
        }
    }

    /// Records into the topics, offsets into the groups, transactions that stay open.
    async fn fill(&self, of_all: &[Names; 2], mut groups: Vec<(Twin, String)>) {
        for names in of_all {
            for label in ["a", "b", "pre-a"] {
                let request = records::produce(names, label, self.ids[&names.name(label)], 10, -1);
                let answer = self.service(1, &request).await;
                assert_eq!(answer.responses[0].partition_responses[0].error_code, 0, "{answer:?}");
            }
            groups.extend(KEPT.map(|label| (names.twin, names.kept(label))));
            for label in KEPT {
                self.begin_transaction(names, label).await;
            }
        }
        for (twin, group) in groups {
            self.commit(&of_all[twin as usize], &group).await;
        }
    }

    /// Offsets of a group without members, which makes the group.
    async fn commit(&self, names: &Names, group: &str) {
        use m::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
        let topics = ["a", "b", "c", "pre-a"].map(|label| {
            let partition = build!(OffsetCommitRequestPartition { partition_index: 0, committed_offset: 5 });
            let topic_id = self.ids[&names.name(label)];
            build!(OffsetCommitRequestTopic {
                name: names.text(label),
                topic_id,
                partitions: vec![partition]
            })
        });
        let request = build!(m::OffsetCommitRequest {
            group_id: StrBytes::from(group),
            generation_id_or_member_epoch: -1,
            topics: topics.to_vec(),
        });
        let node = self.coordinator(0, group).await;
        let begun = Instant::now();
        loop {
            let answer = self.service(node, &request).await;
            if answer.topics.iter().all(|topic| topic.partitions[0].error_code == 0) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// A transaction with two topics, open for longer than any run lasts.
    async fn begin_transaction(&self, names: &Names, label: &str) {
        use m::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
        let id = StrBytes::from(names.kept(label).as_str());
        let node = self.coordinator(1, &id).await;
        let init = build!(m::InitProducerIdRequest {
            transactional_id: Some(id.clone()),
            transaction_timeout_ms: 900_000,
        });
        let begun = Instant::now();
        let made = loop {
            let answer = self.service(node, &init).await;
            if answer.error_code == 0 {
                break answer;
            }
            assert!(begun.elapsed() < PATIENCE, "{answer:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let topics = ["txn-a", "txn-b"]
            .map(|label| build!(AddPartitionsToTxnTopic { name: names.text(label), partitions: vec![0] }));
        let add = build!(m::AddPartitionsToTxnRequest {
            v3_and_below_transactional_id: id,
            v3_and_below_producer_id: made.producer_id,
            v3_and_below_producer_epoch: made.producer_epoch,
            v3_and_below_topics: topics.to_vec(),
        });
        assert!(self.add_partitions(&add).await);
    }

    /// As the service, in the version of clients; whether all could be added.
    pub(crate) async fn add_partitions(&self, request: &m::AddPartitionsToTxnRequest) -> bool {
        const OF_CLIENTS: i16 = 3;
        let node = self.coordinator(1, &request.v3_and_below_transactional_id).await;
        let answer = self.service.lock().await.call_node(node, request, OF_CLIENTS).await.unwrap();
        let mut topics = answer.results_by_topic_v3_and_below.iter();
        topics.all(|topic| topic.results_by_partition.iter().all(|part| part.partition_error_code == 0))
    }
}

fn common_ranges(connection: &Connection) -> HashMap<Api, RangeInclusive<i16>> {
    let both = connection.api_versions().api_keys.iter().filter_map(|theirs| {
        let api = Api::from_key(theirs.api_key)?;
        let ours = api.range();
        Some((api, ours.min.max(theirs.min_version)..=ours.max.min(theirs.max_version)))
    });
    both.collect()
}

/// The versions that a case is asked in: of those that it is about and both sides offer, one in three between the
/// first and the last, another one in the next case.
fn versions(case: &Case, ranges: &HashMap<Api, RangeInclusive<i16>>) -> impl Iterator<Item = i16> + use<> {
    let all = std::env::var("SCHLOSS_DIFFERENTIAL_VERSIONS").is_ok_and(|versions| versions == "all");
    let range = ranges.get(&case.api).cloned().unwrap_or(RangeInclusive::new(1, 0));
    let (first, last) = (*range.start().max(case.versions.start()), *range.end().min(case.versions.end()));
    let number = case.number;
    (first..=last).filter(move |&version| {
        let turn = number.wrapping_add_signed(version.into());
        all || version == first || version == last || turn.is_multiple_of(3)
    })
}

async fn make_topics(service: &mut Cluster, topics: &HashSet<String>, partitions: &[(i32, Vec<i32>)]) {
    use m::create_topics_request::{CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig};
    // The records are dated long ago.
    let keep = build!(CreatableTopicConfig { name: "retention.ms".into(), value: Some("-1".into()) });
    let topics: Vec<CreatableTopic> = topics
        .iter()
        .map(|name| {
            let assigned = |(index, broker_ids)| {
                build!(CreatableReplicaAssignment { partition_index: index, broker_ids })
            };
            build!(CreatableTopic {
                name: StrBytes::from(name.as_str()),
                num_partitions: -1,
                replication_factor: -1,
                assignments: partitions.iter().cloned().map(assigned).collect(),
                configs: vec![keep.clone()],
            })
        })
        .collect();
    for part in topics.chunks(100) {
        let request = build!(m::CreateTopicsRequest { topics: part.to_vec(), timeout_ms: 30_000 });
        let answer = service.call_any(&request).await.unwrap();
        assert!(answer.topics.iter().all(|topic| topic.error_code == 0), "{answer:?}");
    }
}

/// Users of Apache Kafka. They share a salt, or this would take seconds for each hundred.
async fn make_users(service: &mut Cluster, users: &[String]) {
    use m::alter_user_scram_credentials_request::ScramCredentialUpsertion;
    let salted =
        SaltedPassword::derive(Mechanism::ScramSha256, &Password::new(PASSWORD.to_owned()), ITERATIONS)
            .unwrap();
    let upsertions = users.iter().map(|user| {
        build!(ScramCredentialUpsertion {
            name: StrBytes::from(user.as_str()),
            mechanism: Mechanism::ScramSha256.code(),
            iterations: i32::try_from(ITERATIONS).unwrap(),
            salt: salted.salt.clone().into(),
            salted_password: salted.salted.to_vec().into(),
        })
    });
    let upsertions: Vec<_> = upsertions.collect();
    for part in upsertions.chunks(200) {
        let request = build!(m::AlterUserScramCredentialsRequest { upsertions: part.to_vec() });
        let answer = service.call_any(&request).await.unwrap();
        assert!(answer.results.iter().all(|result| result.error_code == 0), "{answer:?}");
    }
}

/// Until every one of these brokers knows of the topics; then the ids of all topics.
async fn await_topics(
    config: &ClientConfig,
    addresses: impl IntoIterator<Item = &String>,
    topics: &HashSet<String>,
) -> HashMap<String, Uuid> {
    let mut ids = HashMap::new();
    for address in addresses {
        // One broker alone is asked, whatever it says of the others.
        let mut connection = Connection::connect(config, address).await.unwrap();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "{address} does not hear of the topics that were made");
            let metadata = connection.call(&build!(m::MetadataRequest { topics: None })).await.unwrap();
            ids = metadata
                .topics
                .iter()
                .filter(|topic| {
                    topic.error_code == 0 && topic.partitions.iter().all(|part| part.error_code == 0)
                })
                .filter_map(|topic| Some((topic.name.as_ref()?.to_string(), topic.topic_id)))
                .collect();
            if topics.iter().all(|topic| ids.contains_key(topic)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    ids
}

/// Until every broker knows of users and ACLs.
async fn await_rights(
    upstream: &ClientConfig,
    addresses: &HashMap<i32, String>,
    run: &str,
    acls: usize,
    users: usize,
) {
    let ends_with_run = |user: &str| user.ends_with(run);
    for address in addresses.values() {
        let mut connection = Connection::connect(upstream, address).await.unwrap();
        let begun = Instant::now();
        loop {
            assert!(begun.elapsed() < PATIENCE, "{address} does not hear of the users that were made");
            let described = connection.call(&describe_all_acls()).await.unwrap();
            let known = described.resources.iter().flat_map(|resource| &resource.acls);
            let known_acls = known.filter(|acl| ends_with_run(&acl.principal)).count();
            let request = build!(m::DescribeUserScramCredentialsRequest { users: None });
            let described = connection.call(&request).await.unwrap();
            let known_users = described.results.iter().filter(|result| ends_with_run(&result.user)).count();
            if known_acls == acls && known_users == users {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

fn describe_all_acls() -> m::DescribeAclsRequest {
    const ANY: i8 = 1;
    build!(m::DescribeAclsRequest {
        resource_type_filter: ANY,
        resource_name_filter: None,
        pattern_type_filter: ANY,
        principal_filter: None,
        host_filter: None,
        operation: ANY,
        permission_type: ANY,
    })
}
