//! The shared metadata on a real Apache Kafka. Ignored unless asked for:
//!
//! `SCHLOSS_TEST_CLIENT=admin.properties cargo test -p schloss-metadata-topic --test real_kafka -- --ignored
//! --test-threads=1`
//!
//! The file is that of a super user. Each test makes a topic of its own. One test restarts the broker, which is
//! why they run one at a time: with the command in `SCHLOSS_TEST_RESTART`, which must not return before the
//! broker listens again. It says so if that is not set; and one says so if the client speaks TLS, since it has
//! to see what goes over the wire.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use common::proxy::{Lost, Proxy};
use common::{Raw, acl, client, cluster, config, credential, eventually, forged, names, open_new, unique};
use schloss_client::{ClientConfig, NewTopic, Security};
use schloss_identity::Mechanism;
use schloss_keys::SealingKey;
use schloss_metadata::{Metadata, MetadataError, Record, Refusal, Snapshot};
use schloss_metadata_topic::{Health, Notice, OpenError, TopicLedgerConfig, open};
use schloss_policy::{Acl, AclFilter};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs a cluster"]
async fn a_new_topic_is_founded_once_and_opens_again_with_everything() {
    let (topic, key) = (unique(), SealingKey::generate().unwrap());
    // Several gateways start at once.
    let opening: Vec<_> = (0..3).map(|_| tokio::spawn(open(config(&topic, &key)))).collect();
    let mut gateways = Vec::new();
    for opening in opening {
        gateways.push(opening.await.unwrap().unwrap());
    }
    let salts: Vec<_> =
        gateways.iter().map(|gateway| *gateway.metadata.snapshot().fake_salt_key().as_bytes()).collect();
    assert!(salts.iter().all(|salt| *salt == salts[0]), "only one may found it");
    assert!(gateways[0].founded);

    let mut cluster = cluster().await;
    let snapshot = gateways[0].metadata.snapshot();
    assert_eq!(Some(&**snapshot.cluster_id()), cluster.cluster_id());
    let configs = cluster.describe_topic_configs(&topic).await.unwrap();
    let policy = configs.iter().find(|config| config.name == "cleanup.policy").unwrap();
    assert_eq!(policy.value.as_deref(), Some("compact"));
    assert_eq!(cluster.fresh_topic(&topic).await.unwrap().partitions.len(), 1);

    let metadata = &gateways[0].metadata;
    metadata.add_acls(vec![acl("alice"), acl("bob"), acl("carol")]).await.unwrap();
    let bob = AclFilter { principal: Some("User:bob".to_owned()), ..AclFilter::default() };
    assert_eq!(metadata.delete_acls(vec![bob]).await.unwrap()[0].len(), 1);
    metadata.set_scram("alice", credential(4096)).await.unwrap();
    metadata.set_scram("alice", credential(8192)).await.unwrap();
    metadata.set_scram("gone", credential(4096)).await.unwrap();
    metadata.remove_scram("gone", Mechanism::ScramSha512).await.unwrap();
    let many = (0..9000).map(|n| acl(&format!("{n}{}", "x".repeat(200)))).collect();
    assert!(metadata.add_acls(many).await.unwrap().iter().all(|added| *added == Ok(true)));
    let before = names(&metadata.snapshot());
    for gateway in gateways {
        gateway.shutdown().await;
    }

    let again = open(config(&topic, &key)).await.unwrap();
    assert!(!again.founded);
    assert_eq!(names(&again.metadata.snapshot()), before);
    assert_eq!(*again.metadata.snapshot().fake_salt_key().as_bytes(), salts[0]);
    let records = vec![Record::ProducerIds { next: 1 }];
    let unsupported = again.metadata.change(|_| Ok::<_, MetadataError>((records.clone(), ()))).await;
    assert!(matches!(unsupported, Err(MetadataError::Unsupported(_))));

    // No secret is in the topic for all to read.
    let raw = Raw::connect(&topic).await.all().await;
    assert!(!raw.is_empty());
    let text = String::from_utf8_lossy(&raw);
    assert!(text.contains("User:carol") && text.contains("SCRAM-SHA-512"));
    assert!(!text.contains("stored_key") && !text.contains("iterations"));
}

/// Adds ACLs as an administrator would who is told that others were always faster: again.
async fn add_in_turn(metadata: &Arc<Metadata>, acls: &[Acl]) -> Vec<Result<bool, Refusal>> {
    loop {
        match metadata.add_acls(acls.to_vec()).await {
            Err(MetadataError::Contended { .. }) => {}
            added => return added.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn two_administrators_lose_nothing_of_a_hundred_concurrent_changes() {
    let (one, key, topic) = open_new().await;
    let two = open(config(&topic, &key)).await.unwrap();
    let begun = Instant::now();
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let metadata = Arc::clone(if n % 2 == 0 { &one.metadata } else { &two.metadata });
            tokio::spawn(async move {
                let added = add_in_turn(&metadata, &[acl(&format!("u{n}")), acl("all")]).await;
                // In force here as soon as it is answered.
                assert!(metadata.snapshot().acls().iter().any(|known| *known == acl(&format!("u{n}"))));
                assert_eq!(added[0], Ok(true));
                u32::from(added[1] == Ok(true))
            })
        })
        .collect();
    let mut first = 0;
    for task in tasks {
        first += task.await.unwrap();
    }
    println!("100 changes by two gateways: {:?}", begun.elapsed());
    assert_eq!(first, 1, "exactly one of them added the ACL that they all wanted");
    eventually(|| one.metadata.snapshot().acls().iter().len() == 101).await;
    eventually(|| names(&one.metadata.snapshot()) == names(&two.metadata.snapshot())).await;
    let third = open(config(&topic, &key)).await.unwrap();
    assert_eq!(names(&third.metadata.snapshot()), names(&one.metadata.snapshot()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn a_change_is_in_force_on_the_other_gateway_within_a_second() {
    let (one, key, topic) = open_new().await;
    let two = open(config(&topic, &key)).await.unwrap();
    let mut changes = two.metadata.changes();
    let mut spans = Vec::new();
    for n in 0..40 {
        let (from, mut seen) = (Arc::clone(&one.metadata), changes.clone());
        let wanted = acl(&format!("u{n}"));
        let shown = wanted.clone();
        let watcher = tokio::spawn(async move {
            seen.wait_for(|snapshot| snapshot.acls().iter().any(|known| *known == shown)).await.unwrap();
            Instant::now()
        });
        let begun = Instant::now();
        from.add_acls(vec![wanted]).await.unwrap();
        let answered = Instant::now();
        let seen = watcher.await.unwrap();
        spans.push((
            answered - begun,
            seen.saturating_duration_since(begun),
            seen.saturating_duration_since(answered),
        ));
        changes.mark_unchanged();
    }
    let most = |spans: Vec<Duration>| {
        let mut spans = spans;
        spans.sort();
        (spans[spans.len() / 2], spans[spans.len() - 1])
    };
    let (answer, other) =
        (most(spans.iter().map(|s| s.0).collect()), most(spans.iter().map(|s| s.1).collect()));
    let after = most(spans.iter().map(|s| s.2).collect());
    println!(
        "answered after {answer:?}; in force on the other after {other:?}, {after:?} after the answer (median, worst)"
    );
    assert!(after.1 < Duration::from_secs(1), "{after:?}");
}

/// The decision of a writer that stands still while another one writes, and goes on after it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs a cluster"]
async fn a_writer_that_was_paused_is_fenced_and_decides_again() {
    let (one, key, topic) = open_new().await;
    let two = open(config(&topic, &key)).await.unwrap();
    let (paused, is_paused) = std::sync::mpsc::channel();
    let (wake, woken) = std::sync::mpsc::channel::<()>();
    let decisions = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&decisions);
    let slow = Arc::clone(&one.metadata);
    let change = tokio::spawn(async move {
        slow.change(move |snapshot: &Snapshot| {
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                paused.send(()).unwrap();
                tokio::task::block_in_place(|| woken.recv().unwrap());
            }
            let known = snapshot.acls().iter().len();
            Ok::<_, MetadataError>((vec![Record::Acl(acl(&format!("known{known}")))], known))
        })
        .await
    });
    tokio::task::spawn_blocking(move || is_paused.recv().unwrap()).await.unwrap();
    two.metadata.add_acls(vec![acl("between")]).await.unwrap();
    wake.send(()).unwrap();
    assert_eq!(change.await.unwrap().unwrap(), 1, "it decides on what came between");
    assert_eq!(decisions.load(Ordering::SeqCst), 2);
    eventually(|| names(&two.metadata.snapshot()) == names(&one.metadata.snapshot())).await;
    assert_eq!(two.metadata.snapshot().acls().iter().len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn what_was_aborted_is_not_seen_and_an_open_transaction_of_another_is_waited_for() {
    let (mut one, key, topic) = open_new().await;
    let mut notices = one.notices().unwrap();
    let mut raw = Raw::connect(&topic).await;
    raw.begin().await;
    raw.write(vec![forged::head()]).await;
    // What is open hides what comes after it, so nothing can be decided.
    let held_up = one.metadata.add_acls(vec![acl("alice")]).await.unwrap_err();
    assert!(
        matches!(&held_up, MetadataError::Unavailable(why) if why.contains("kafka-transactions.sh")),
        "{held_up}"
    );
    raw.end(false).await;
    one.metadata.add_acls(vec![acl("alice")]).await.unwrap();
    assert!(notices.try_recv().is_err(), "an aborted record is no record");
    assert!(open(config(&topic, &key)).await.is_ok());

    raw.begin().await;
    raw.write(vec![forged::head()]).await;
    raw.end(true).await;
    let notice = notices.recv().await.unwrap();
    assert!(matches!(notice, Notice::Forged { .. }), "{notice:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn a_forged_record_is_passed_over_told_and_healed() {
    let (mut one, key, topic) = open_new().await;
    let mut notices = one.notices().unwrap();
    one.metadata.add_acls(vec![acl("alice"), acl("bob")]).await.unwrap();
    one.metadata.set_scram("alice", credential(4096)).await.unwrap();
    let before = names(&one.metadata.snapshot());
    let genuine = Raw::connect(&topic).await.records().await;

    // Without a mark; a tombstone; a copy of a record of ours that was valid once.
    let acl_of_alice = genuine.iter().find(|record| forged::is_about(record, "User:alice")).unwrap();
    let nobody = forged::plain(&topic, br#"{"acl":{"resource_type":"TOPIC"}}"#, Some(b"{}"));
    for record in [nobody, forged::tombstone(&topic, acl_of_alice), forged::copy(&topic, acl_of_alice)] {
        forged::write(record).await;
        let notice = notices.recv().await.unwrap();
        assert!(matches!(notice, Notice::Forged { .. }), "{notice:?}");
        let healed = notices.recv().await.unwrap();
        assert_eq!(healed, Notice::Healed { keys: 1 });
        assert_eq!(names(&one.metadata.snapshot()), before, "it is not in force");
        // What is healed hinders nobody.
        let two = open(config(&topic, &key)).await.unwrap();
        assert_eq!(names(&two.metadata.snapshot()), before);
    }
    one.shutdown().await;

    // Nobody is there to heal it.
    forged::write(forged::tombstone(&topic, acl_of_alice)).await;
    let refused = open(config(&topic, &key)).await.err().unwrap();
    assert!(matches!(refused, OpenError::Forged { .. }), "{refused}");
    let text = refused.to_string();
    assert!(text.contains("User:alice") && text.contains("offset") && text.contains(&topic), "{text}");
    let mut bold = open(TopicLedgerConfig { ignore_forged: true, ..config(&topic, &key) }).await.unwrap();
    assert_eq!(names(&bold.metadata.snapshot()), before);
    let mut notices = bold.notices().unwrap();
    while !matches!(notices.recv().await.unwrap(), Notice::Healed { .. }) {}
    bold.shutdown().await;
    assert!(open(config(&topic, &key)).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn a_wrong_key_and_an_unfit_topic_are_refused_with_what_to_do() {
    let (one, key, topic) = open_new().await;
    one.metadata.add_acls(vec![acl("alice")]).await.unwrap();
    let other = SealingKey::generate().unwrap();
    let text = open(config(&topic, &other)).await.err().unwrap().to_string();
    assert!(text.contains(&key.id()) && text.contains(&other.id()) && text.contains("key file"), "{text}");
    let boldly = TopicLedgerConfig { ignore_forged: true, ..config(&topic, &other) };
    assert!(matches!(open(boldly).await.err().unwrap(), OpenError::WrongKey { .. }));

    let mut cluster = cluster().await;
    for (partitions, policy, word) in
        [(2, "compact", "2 partitions"), (1, "delete", "cleanup.policy=compact")]
    {
        let name = unique();
        let new = NewTopic {
            name: name.clone(),
            partitions: Some(partitions),
            replication: Some(1),
            configs: [("cleanup.policy".to_owned(), policy.to_owned())].into(),
        };
        cluster.create_topic(&new).await.unwrap();
        let text = open(config(&name, &key)).await.err().unwrap().to_string();
        assert!(text.contains(&name) && text.contains(word), "{text}");
    }
    for name in ["orders", "__schloss_a/b"] {
        assert!(matches!(open(config(name, &key)).await.err().unwrap(), OpenError::Name { .. }));
    }
}

/// A topic that is gone and made anew holds less than the gateway knows: it must not fall back to that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn a_topic_that_was_made_anew_changes_nothing_in_a_running_gateway() {
    let (one, key, topic) = open_new().await;
    for user in ["alice", "bob", "carol"] {
        one.metadata.add_acls(vec![acl(user)]).await.unwrap();
    }
    let before = names(&one.metadata.snapshot());
    let mut health = one.health();
    assert_eq!(*health.borrow(), Health::Following);
    cluster().await.delete_topic(&topic).await.unwrap();
    health.wait_for(|health| *health != Health::Following).await.unwrap();
    let two = loop {
        match open(config(&topic, &key)).await {
            Ok(two) => break two,
            Err(error) => println!("not yet: {error}"),
        }
    };
    assert!(two.founded);
    let stopped = |health: &Health| matches!(health, Health::Behind { why, .. } if why.contains("Restore"));
    tokio::time::timeout(Duration::from_secs(30), health.wait_for(stopped)).await.unwrap().unwrap();
    assert_eq!(names(&one.metadata.snapshot()), before);
    let error = one.metadata.add_acls(vec![acl("dave")]).await.unwrap_err();
    assert!(error.to_string().contains("Restore"), "{error}");
    assert_eq!(two.metadata.snapshot().acls().iter().len(), 0);
}

/// The topic is deleted, and put back from a copy of its records: a gateway that ran all the while goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn a_topic_that_was_restored_is_taken_again() {
    let (one, key, topic) = open_new().await;
    one.metadata.add_acls(vec![acl("alice"), acl("bob")]).await.unwrap();
    one.metadata.set_scram("alice", credential(4096)).await.unwrap();
    let before = names(&one.metadata.snapshot());
    let copy = Raw::connect(&topic).await.records().await;
    let mut cluster = cluster().await;
    cluster.delete_topic(&topic).await.unwrap();
    let new = NewTopic {
        name: topic.clone(),
        partitions: Some(1),
        replication: Some(1),
        configs: [("cleanup.policy".to_owned(), "compact".to_owned())].into(),
    };
    while cluster.create_topic(&new).await.is_err() {}
    let mut health = one.health();
    let stopped = |health: &Health| matches!(health, Health::Behind { why, .. } if why.contains("Restore"));
    tokio::time::timeout(Duration::from_secs(30), health.wait_for(stopped)).await.unwrap().unwrap();

    let mut raw = Raw::connect(&topic).await;
    // Every change ends with a head.
    for change in copy.split_inclusive(|record| forged::is_about(record, "\"head\"")) {
        raw.begin().await;
        raw.write(change.to_vec()).await;
        raw.end(true).await;
    }
    let follows = |health: &Health| *health == Health::Following;
    tokio::time::timeout(Duration::from_secs(30), health.wait_for(follows)).await.unwrap().unwrap();
    assert_eq!(names(&one.metadata.snapshot()), before);
    one.metadata.add_acls(vec![acl("carol")]).await.unwrap();
    let two = open(config(&topic, &key)).await.unwrap();
    assert_eq!(names(&two.metadata.snapshot()), names(&one.metadata.snapshot()));
}

/// The answer to the commit is lost, before or after the broker has committed: the change is made once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[ignore = "needs a cluster"]
async fn a_commit_without_an_answer_is_found_out_about() {
    if !matches!(client().security, Security::Plaintext) {
        println!("skipped: what goes to the cluster is encrypted, so no answer can be picked out to be lost");
        return;
    }
    let proxy = Proxy::start().await;
    let (topic, key) = (unique(), SealingKey::generate().unwrap());
    let through = ClientConfig { bootstrap: vec![proxy.address.clone()], ..client() };
    let one = open(TopicLedgerConfig { client: Arc::new(through), ..config(&topic, &key) }).await.unwrap();
    for (n, (lost, decided)) in [(Lost::Answer, 1), (Lost::Request, 2)].into_iter().enumerate() {
        proxy.lose_next_commit(lost);
        let mut decisions = 0;
        let known = one
            .metadata
            .change(|snapshot| {
                decisions += 1;
                let known = snapshot.acls().iter().len();
                Ok::<_, MetadataError>((vec![Record::Acl(acl(&format!("u{n}")))], known))
            })
            .await
            .unwrap();
        assert!(proxy.has_lost_it(), "nothing was lost, so nothing was tested");
        assert_eq!((known, decisions), (n, decided), "{lost:?}");
        assert_eq!(one.metadata.snapshot().acls().iter().len(), n + 1);
    }
}

/// Kafka's own cleaner, made busy by tiny segments.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn a_topic_that_kafka_has_compacted_holds_the_same_state() {
    let (topic, key) = (unique(), SealingKey::generate().unwrap());
    let configs = [
        ("cleanup.policy", "compact"),
        ("segment.ms", "500"),
        ("min.cleanable.dirty.ratio", "0.0"),
        ("delete.retention.ms", "0"),
        ("min.compaction.lag.ms", "0"),
    ];
    let new = NewTopic {
        name: topic.clone(),
        partitions: Some(1),
        replication: Some(1),
        configs: configs.map(|(key, value)| (key.to_owned(), value.to_owned())).into(),
    };
    cluster().await.create_topic(&new).await.unwrap();
    let one = open(config(&topic, &key)).await.unwrap();
    assert!(one.founded);
    let mut raw = Raw::connect(&topic).await;
    let begun = Instant::now();
    let mut changes = 0;
    loop {
        for n in 0..10 {
            one.metadata.add_acls(vec![acl(&format!("u{n}")), acl("stays")]).await.unwrap();
            one.metadata.set_scram("alice", credential(4096 + changes)).await.unwrap();
            let gone = AclFilter { principal: Some(format!("User:u{n}")), ..AclFilter::default() };
            one.metadata.delete_acls(vec![gone]).await.unwrap();
            changes += 3;
        }
        let left = raw.records().await.len();
        if left < changes as usize / 2 {
            println!("{changes} changes, {left} records are left after {:?}", begun.elapsed());
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(90), "nothing was compacted");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let two = open(config(&topic, &key)).await.unwrap();
    assert_eq!(names(&two.metadata.snapshot()), names(&one.metadata.snapshot()));
    two.metadata.add_acls(vec![acl("later")]).await.unwrap();
    eventually(|| names(&one.metadata.snapshot()) == names(&two.metadata.snapshot())).await;
    assert_eq!(*one.health().borrow(), Health::Following);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a cluster"]
async fn a_restart_of_the_broker_is_survived() {
    let Ok(restart) = std::env::var("SCHLOSS_TEST_RESTART") else {
        println!("skipped: SCHLOSS_TEST_RESTART holds no command that restarts the broker");
        return;
    };
    let (one, key, topic) = open_new().await;
    let two = open(config(&topic, &key)).await.unwrap();
    one.metadata.add_acls(vec![acl("before")]).await.unwrap();
    let mut health = two.health();
    let restarting = tokio::task::spawn_blocking(move || {
        std::process::Command::new("sh").args(["-c", &restart]).status().unwrap()
    });
    health.wait_for(|health| matches!(health, Health::Behind { .. })).await.unwrap();
    let error = one.metadata.add_acls(vec![acl("during")]).await;
    assert!(
        error.is_ok()
            || matches!(
                error,
                Err(MetadataError::Unavailable(_)
                    | MetadataError::Undecided(_)
                    | MetadataError::Contended { .. })
            )
    );
    assert!(restarting.await.unwrap().success());
    eventually_ok(|| async { one.metadata.add_acls(vec![acl("after")]).await.map(|_| ()) }).await;
    health.wait_for(|health| *health == Health::Following).await.unwrap();
    eventually(|| names(&two.metadata.snapshot()) == names(&one.metadata.snapshot())).await;
    let known = names(&two.metadata.snapshot());
    assert!(known.contains("before") && known.contains("after"), "{known}");
}

async fn eventually_ok<F: Future<Output = Result<(), MetadataError>>>(mut change: impl FnMut() -> F) {
    let begun = Instant::now();
    while let Err(error) = change().await {
        assert!(begun.elapsed() < Duration::from_secs(60), "{error}");
    }
}
