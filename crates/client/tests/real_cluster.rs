//! The whole client against a real cluster. Ignored unless asked for:
//!
//! `SCHLOSS_TEST_CLIENT=admin.properties cargo test -p schloss-client --test real_cluster -- --ignored`
//!
//! The file is that of a super user with SCRAM. Topics, users and groups made here have names of their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use schloss_client::{
    AclEntry, AclEntryFilter, ClientConfig, ClientError, Cluster, Compression, Consumer, ConsumerOptions,
    ErrorClass, NewTopic, Producer, ProducerOptions, ProducerRecord, StartAt,
};
use schloss_identity::{Mechanism, Password};

const WAIT: Duration = Duration::from_secs(10);

fn admin() -> ClientConfig {
    let file = std::env::var("SCHLOSS_TEST_CLIENT").expect("SCHLOSS_TEST_CLIENT names a client file");
    ClientConfig::from_file(file).unwrap()
}

fn unique(what: &str) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    format!("{what}-{}", now.as_nanos())
}

async fn topic(cluster: &mut Cluster, partitions: i32) -> String {
    let name = unique("topic");
    let new = NewTopic {
        name: name.clone(),
        partitions: Some(partitions),
        configs: [("max.message.bytes".to_owned(), "2000000".to_owned())].into(),
        ..NewTopic::default()
    };
    cluster.create_topic(&new).await.unwrap();
    name
}

fn options() -> ConsumerOptions {
    ConsumerOptions {
        start: StartAt::Beginning,
        session_timeout: Duration::from_secs(10),
        rebalance_timeout: Duration::from_secs(10),
        heartbeat_interval: Duration::from_millis(300),
        auto_commit: Some(Duration::from_millis(200)),
        ..ConsumerOptions::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn topics_users_acls_and_groups_are_administered() {
    let mut cluster = Cluster::connect(admin()).await.unwrap();
    let name = topic(&mut cluster, 2).await;
    assert_eq!(cluster.fresh_topic(&name).await.unwrap().partitions.len(), 2);
    assert!(cluster.list_topics().await.unwrap().iter().any(|topic| topic.name == name));
    cluster.create_partitions(&name, 5).await.unwrap();
    let again = cluster.create_topic(&NewTopic { name: name.clone(), ..NewTopic::default() }).await;
    assert!(again.unwrap_err().to_string().contains("TOPIC_ALREADY_EXISTS"));
    cluster
        .alter_topic_configs(&name, &[("max.message.bytes".to_owned(), Some("700000".to_owned()))])
        .await
        .unwrap();
    // Brokers apply what the controller has answered a moment later.
    let begun = std::time::Instant::now();
    loop {
        let configs = cluster.describe_topic_configs(&name).await.unwrap();
        let setting = configs.iter().find(|config| config.name == "max.message.bytes").unwrap();
        assert!(setting.own);
        if setting.value.as_deref() == Some("700000") {
            break;
        }
        assert!(begun.elapsed() < WAIT, "{setting:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    let user = unique("user");
    let entry = AclEntry {
        resource_type: 2,
        resource_name: name.clone(),
        pattern_type: 3,
        principal: format!("User:{user}"),
        host: "*".to_owned(),
        operation: 3,
        permission: 3,
    };
    let results = cluster.create_acls(std::slice::from_ref(&entry)).await.unwrap();
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    let filter = AclEntryFilter { principal: Some(entry.principal.clone()), ..AclEntryFilter::default() };
    let begun = std::time::Instant::now();
    while cluster.describe_acls(&filter).await.unwrap() != std::slice::from_ref(&entry) {
        assert!(begun.elapsed() < WAIT, "the ACL does not show");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    for mechanism in Mechanism::ALL {
        let password = Password::new("a password, with ümlaut".to_owned());
        cluster.upsert_scram_user(&user, mechanism, 4096, password.clone()).await.unwrap();
        let config = ClientConfig { sasl: None, ..admin() }.with_scram(mechanism, &user, password);
        let mut alice = connect_when_known(config).await;
        // May read, and so describe, but not write.
        alice.fresh_topic(&name).await.unwrap();
        let mut producer = Producer::new(alice, ProducerOptions::default()).await.unwrap();
        let error = producer.send_and_wait(ProducerRecord::new(&name, "x")).await.unwrap_err();
        assert_eq!(error.class(), ErrorClass::Denied, "{error}");
    }
    let users = cluster.describe_scram_users(Some(std::slice::from_ref(&user))).await.unwrap();
    assert_eq!(users[0].credentials.len(), 2);
    let wrong = ClientConfig { sasl: None, ..admin() }.with_scram(
        Mechanism::ScramSha512,
        &user,
        Password::new("wrong".to_owned()),
    );
    assert_eq!(Cluster::connect(wrong).await.err().unwrap().class(), ErrorClass::Auth);
    for mechanism in Mechanism::ALL {
        cluster.delete_scram_user(&user, mechanism).await.unwrap();
    }
    assert_eq!(cluster.delete_acls(std::slice::from_ref(&filter)).await.unwrap(), [entry]);
    cluster.list_groups().await.unwrap();
    cluster.delete_topic(&name).await.unwrap();
}

/// A new user may take a moment to reach the broker.
async fn connect_when_known(config: ClientConfig) -> Cluster {
    let begun = std::time::Instant::now();
    loop {
        match Cluster::connect(config.clone()).await {
            Ok(cluster) => return cluster,
            Err(ClientError::Authentication { .. }) if begun.elapsed() < WAIT => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn records_come_back_as_they_went_under_every_compression() {
    let mut cluster = Cluster::connect(admin()).await.unwrap();
    for compression in
        [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd]
    {
        for idempotent in [true, false] {
            let name = topic(&mut cluster, 3).await;
            let options_ = ProducerOptions { compression, idempotent, ..ProducerOptions::default() };
            let mut producer =
                Producer::new(Cluster::connect(admin()).await.unwrap(), options_).await.unwrap();
            for number in 0..5_000 {
                let mut record = ProducerRecord::new(&name, format!("value {number}"));
                record.key = (number % 2 == 0).then(|| format!("key {number}").into());
                record.headers = vec![("h".to_owned(), Some("v".into())), ("null".to_owned(), None)];
                record.timestamp = Some(1_700_000_000_000 + number);
                producer.send(record).await.unwrap();
            }
            let report = producer.close().await;
            assert_eq!((report.delivered, report.failed), (5_000, 0), "{:?}", report.error);

            let cluster = Cluster::connect(admin()).await.unwrap();
            let mut consumer =
                Consumer::assign(cluster, std::slice::from_ref(&name), options()).await.unwrap();
            let mut seen = BTreeSet::new();
            while seen.len() < 5_000 {
                let records = consumer.poll(WAIT, 700).await.unwrap();
                assert!(!records.is_empty(), "only {} came", seen.len());
                for record in records {
                    let number = record.timestamp - 1_700_000_000_000;
                    assert_eq!(record.value.as_deref(), Some(format!("value {number}").as_bytes()));
                    assert_eq!(record.key.is_some(), number % 2 == 0);
                    assert_eq!(record.headers[1], ("null".to_owned(), None));
                    assert!(seen.insert(number), "{number} came twice");
                }
            }
            cluster_delete(&name).await;
        }
    }
}

async fn cluster_delete(name: &str) {
    Cluster::connect(admin()).await.unwrap().delete_topic(name).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_group_shares_partitions_rebalances_and_goes_on_where_it_was() {
    let mut cluster = Cluster::connect(admin()).await.unwrap();
    let name = topic(&mut cluster, 6).await;
    let group = unique("group");
    let mut producer =
        Producer::new(Cluster::connect(admin()).await.unwrap(), ProducerOptions::default()).await.unwrap();
    let seen = Seen::default();
    let mut members = Vec::new();
    let mut sent = 0;
    for _ in 0..3 {
        members.push(Member::start(&name, &group, &seen).await);
        settle(&members).await;
        for _ in 0..300 {
            let mut record = ProducerRecord::new(&name, sent.to_string());
            record.partition = Some(sent % 6);
            producer.send(record).await.unwrap();
            sent += 1;
        }
        assert!(producer.flush().await.error.is_none());
        until(|| seen.lock().unwrap().len() >= usize::try_from(sent).unwrap()).await;
    }
    // One leaves; the others take its partitions over and read on.
    members.remove(1).stop().await;
    settle(&members).await;
    for member in members {
        member.stop().await;
    }
    // A later member finds everything committed.
    let late = Cluster::connect(admin()).await.unwrap();
    let mut late = Consumer::subscribe(late, &group, std::slice::from_ref(&name), options()).await.unwrap();
    let rest = late.poll(Duration::from_secs(3), 100).await.unwrap();
    assert!(rest.is_empty(), "{} records were read again", rest.len());
    assert_eq!(late.assignment().len(), 6);
    late.close().await.unwrap();
    let mut numbers = seen.lock().unwrap().clone();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..i64::from(sent)).collect::<Vec<_>>(), "each record once");
    cluster_delete(&name).await;
}

type Seen = Arc<Mutex<Vec<i64>>>;

/// A member of the group that polls in its own task.
struct Member {
    share: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

impl Member {
    async fn start(topic: &str, group: &str, seen: &Seen) -> Self {
        let cluster = Cluster::connect(admin()).await.unwrap();
        let topics = [topic.to_owned()];
        let mut consumer = Consumer::subscribe(cluster, group, &topics, options()).await.unwrap();
        let (share, stop, seen) =
            (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default(), Arc::clone(seen));
        let (told, stopped) = (Arc::clone(&share), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::SeqCst) {
                for record in consumer.poll(Duration::from_millis(100), 100).await.unwrap() {
                    let text = String::from_utf8(record.value.unwrap().to_vec()).unwrap();
                    seen.lock().unwrap().push(text.parse().unwrap());
                }
                told.store(consumer.assignment().len(), Ordering::SeqCst);
            }
            consumer.close().await.unwrap();
        });
        Self { share, stop, task }
    }

    async fn stop(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.task.await.unwrap();
    }
}

/// Waits until the six partitions are shared evenly.
async fn settle(members: &[Member]) {
    let even = || members.iter().all(|member| member.share.load(Ordering::SeqCst) == 6 / members.len());
    until(even).await;
}

async fn until(done: impl Fn() -> bool) {
    let begun = std::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it does not come about");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
