//! The audit on a real directory: written, rotated, torn, and read back.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests too")]

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use schloss_audit::{
    Audit, AuditConfig, CloudEvent, DecisionFilter, Event, EventKind, Query, Record, Tail, Traffic, query,
};
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};

fn open(directory: &Path) -> Audit {
    Audit::open(AuditConfig::new(directory)).unwrap()
}

fn small(directory: &Path, max_file_bytes: u64, max_files: usize) -> Audit {
    Audit::open(AuditConfig { max_file_bytes, max_files, ..AuditConfig::new(directory) }).unwrap()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn all(directory: &Path) -> Vec<CloudEvent> {
    found(directory, &Query::default())
}

fn found(directory: &Path, wanted: &Query) -> Vec<CloudEvent> {
    query(directory, wanted).unwrap().map(|record| record.unwrap().event).collect()
}

fn methods(events: &[CloudEvent]) -> Vec<&str> {
    events.iter().map(|event| event.data.method_name.as_str()).collect()
}

#[tokio::test]
async fn an_event_is_one_line_of_cloud_events_json_with_everything_that_was_told() {
    let home = TempDir::new().unwrap();
    let audit = Audit::open(AuditConfig {
        source: "/schloss/abc".to_owned(),
        ..AuditConfig::new(home.path().join("audit"))
    })
    .unwrap();
    let time = OffsetDateTime::from_unix_timestamp(1_785_585_600).unwrap();
    let event = Event::authorization("kafka.Produce")
        .at(time)
        .principal("User:alice")
        .groups(["Group:ops".to_owned()])
        .client_address("192.0.2.7:4711".parse().unwrap())
        .listener("SASL_SSL")
        .mechanism("SCRAM-SHA-512")
        .operation("Write")
        .resource("Topic", "orders")
        .pattern_type("LITERAL")
        .decision(false, "no ACL matches")
        .client_id("app\n\u{1b}[2J")
        .correlation_id(7)
        .api_version(9)
        .connection_id("12")
        .result("TOPIC_AUTHORIZATION_FAILED")
        .message("denied")
        .change(serde_json::json!({"a": 1}));
    audit.record_durably(vec![event]).await.unwrap();

    let path = files(&home.path().join("audit")).pop().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 1);
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let id = json.as_object_mut().unwrap().remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 36);
    assert_eq!(
        json,
        serde_json::json!({
            "specversion": "1.0",
            "source": "/schloss/abc",
            "type": "io.schloss.audit/authorization",
            "subject": "topic=orders",
            "time": "2026-08-01T12:00:00Z",
            "datacontenttype": "application/json",
            "data": {
                "serviceName": "schloss",
                "methodName": "kafka.Produce",
                "resourceName": "topic=orders",
                "authenticationInfo": {
                    "principal": "User:alice",
                    "metadata": {
                        "mechanism": "SCRAM-SHA-512", "connectionId": "12", "listener": "SASL_SSL",
                        "groups": ["Group:ops"],
                    },
                },
                "authorizationInfo": {
                    "granted": false, "operation": "Write", "resourceType": "Topic",
                    "resourceName": "orders", "patternType": "LITERAL", "rule": "no ACL matches",
                },
                "request": {"correlationId": 7, "clientId": "app\n\u{1b}[2J", "apiVersion": 9},
                "clientAddress": "192.0.2.7:4711",
                "result": {"status": "TOPIC_AUTHORIZATION_FAILED", "message": "denied"},
                "change": {"a": 1},
            },
        })
    );
    assert!(!text.contains('\u{1b}'), "control characters are escaped");
}

#[tokio::test]
async fn files_are_ours_alone_even_in_a_directory_that_was_open_to_all() {
    let home = TempDir::new().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    open(home.path()).record_durably(vec![Event::system("a")]).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.path()), 0o700);
    assert_eq!(mode(&files(home.path())[0]), 0o600);
}

#[tokio::test]
async fn what_is_queued_survives_the_drop_of_the_last_handle_and_the_next_start_goes_on() {
    let home = TempDir::new().unwrap();
    for run in 0..3 {
        let audit = open(home.path());
        for event in 0..100 {
            audit.try_record(Event::system(format!("{run}.{event}")));
        }
    }
    assert_eq!(files(home.path()).len(), 1);
    let events = all(home.path());
    let expected: Vec<String> = (0..300).map(|n| format!("{}.{}", n / 100, n % 100)).collect();
    assert_eq!(methods(&events), expected);
    let mut ids: Vec<&String> = events.iter().map(|event| &event.id).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 300);
}

#[tokio::test]
async fn a_line_that_a_crash_tore_is_closed_and_skipped_and_counted() {
    let home = TempDir::new().unwrap();
    open(home.path()).record_durably(vec![Event::system("before"), Event::system("torn")]).await.unwrap();
    let path = files(home.path()).pop().unwrap();
    let length = fs::metadata(&path).unwrap().len();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(length - 20).unwrap();

    open(home.path()).record_durably(vec![Event::system("after")]).await.unwrap();
    let mut matches = query(home.path(), &Query::default()).unwrap();
    let events: Vec<CloudEvent> = matches.by_ref().map(|record| record.unwrap().event).collect();
    assert_eq!(methods(&events), ["before", "after", "audit.TornLine"]);
    assert_eq!(matches.skipped(), 1);
}

#[tokio::test]
async fn files_are_rotated_by_size_and_retention_deletes_the_oldest_only_and_says_so() {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("audit-notes.jsonl"), "not ours").unwrap();
    let audit = small(home.path(), 2000, 3);
    for event in 0..60 {
        audit.record_durably(vec![Event::system(format!("e{event}"))]).await.unwrap();
    }
    drop(audit);
    let files = files(home.path());
    assert_eq!(files.len(), 4, "three of ours and the one that is not");
    assert!(files.iter().all(|file| fs::metadata(file).unwrap().len() <= 2500));
    let events = all(home.path());
    assert_eq!(events.iter().filter(|e| e.data.method_name == "e59").count(), 1);
    let kept = events.iter().filter(|event| event.data.method_name.starts_with('e')).count();
    assert!((5..60).contains(&kept), "{kept}");
    assert!(events.iter().any(|event| event.data.method_name == "audit.FileDeleted"));
    // What is left is the end, without a gap.
    let numbers: Vec<usize> =
        events.iter().filter_map(|event| event.data.method_name.strip_prefix('e')?.parse().ok()).collect();
    assert_eq!(numbers, (60 - kept..60).collect::<Vec<_>>());
}

#[tokio::test]
async fn files_smaller_than_one_event_do_not_stop_the_writer() {
    let home = TempDir::new().unwrap();
    let audit = small(home.path(), 1, 2);
    for event in 0..5 {
        audit.record_durably(vec![Event::system(format!("e{event}"))]).await.unwrap();
    }
    assert!(audit.is_writable());
    drop(audit);
    assert!(files(home.path()).len() <= 2);
}

#[tokio::test]
async fn a_query_finds_by_each_of_its_fields_and_by_all_together() {
    let home = TempDir::new().unwrap();
    let audit = open(home.path());
    let start = OffsetDateTime::now_utc().replace_nanosecond(0).unwrap();
    let sums = Traffic { requests: 3, records: 30, bytes: 300, from: start, to: start };
    let events = vec![
        Event::authentication("kafka.SaslAuthenticate").principal("User:alice").at(start),
        Event::authentication("kafka.SaslAuthenticate")
            .principal("User:mallory")
            .result("SASL_AUTHENTICATION_FAILED")
            .at(start + Duration::seconds(1)),
        Event::authorization("kafka.Fetch")
            .principal("User:alice")
            .operation("Read")
            .resource("Topic", "orders")
            .decision(false, "no ACL")
            .at(start + Duration::seconds(2)),
        Event::traffic("kafka.Produce", sums)
            .principal("User:alice")
            .operation("Write")
            .resource("Topic", "orders")
            .at(start + Duration::seconds(3)),
        Event::administration("kafka.IncrementalAlterConfigs")
            .principal("Role:alice")
            .operation("AlterConfigs")
            .resource("Group", "orders")
            .at(start + Duration::seconds(4)),
        Event::connection("kafka.Connect").result("PLAINTEXT_REFUSED").at(start + Duration::seconds(5)),
        Event::connection("kafka.Close").at(start + Duration::seconds(6)),
    ];
    audit.record_durably(events).await.unwrap();
    let seconds = |wanted: Query| -> Vec<i64> {
        found(home.path(), &wanted).iter().map(|event| (event.time - start).whole_seconds()).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    let none = Query::default;
    assert_eq!(seconds(none()), [0, 1, 2, 3, 4, 5, 6]);
    assert_eq!(seconds(Query { principal: text("alice"), ..none() }), [0, 2, 3]);
    assert_eq!(seconds(Query { principal: text("User:mallory"), ..none() }), [1]);
    assert_eq!(seconds(Query { operation: text("write"), ..none() }), [3]);
    assert_eq!(seconds(Query { operation: text("ALTER_CONFIGS"), ..none() }), [4]);
    assert_eq!(seconds(Query { operation: text("SaslAuthenticate"), ..none() }), [0, 1]);
    assert_eq!(seconds(Query { operation: text("kafka.Fetch"), ..none() }), [2]);
    assert_eq!(seconds(Query { resource: text("orders"), ..none() }), [2, 3, 4]);
    assert_eq!(seconds(Query { resource: text("topic=orders"), ..none() }), [2, 3]);
    assert_eq!(seconds(Query { decision: Some(DecisionFilter::Denied), ..none() }), [1, 2, 5]);
    assert_eq!(seconds(Query { decision: Some(DecisionFilter::Allowed), ..none() }), [0, 3]);
    assert_eq!(seconds(Query { kind: Some(EventKind::Traffic), ..none() }), [3]);
    let from_two = Some(start + Duration::seconds(2));
    assert_eq!(seconds(Query { since: from_two, ..none() }), [2, 3, 4, 5, 6]);
    assert_eq!(seconds(Query { until: from_two, ..none() }), [0, 1]);
    let both = Query { principal: text("alice"), decision: Some(DecisionFilter::Denied), ..none() };
    assert_eq!(seconds(both), [2]);
    assert_eq!(found(home.path(), &none())[3].data.traffic, Some(sums));
}

#[test]
fn files_outside_the_time_wanted_are_not_opened() {
    let home = TempDir::new().unwrap();
    let line = |time: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"1","source":"s","type":"io.schloss.audit/system","time":"{time}","datacontenttype":"application/json","data":{{"serviceName":"schloss","methodName":"{time}","result":{{"status":"SUCCESS"}}}}}}"#
        ) + "\n"
    };
    let write = |name: &str, text: &str| fs::write(home.path().join(name), text).unwrap();
    // A directory in the place of a file: opening it to read it is an error.
    fs::create_dir(home.path().join("audit-20260801T100000Z-000001.jsonl")).unwrap();
    write("audit-20260801T120000Z-000002.jsonl", &line("2026-08-01T12:30:00Z"));
    write("audit-20260801T130000Z-000003.jsonl", &line("2026-08-01T13:30:00Z"));
    fs::create_dir(home.path().join("audit-20260801T150000Z-000004.jsonl")).unwrap();
    let at = |hour: i64| Some(OffsetDateTime::from_unix_timestamp(1_785_585_600 + hour * 3600).unwrap());
    let wanted =
        Query { since: Some(at(0).unwrap() + Duration::minutes(20)), until: at(2), ..Query::default() };
    assert_eq!(methods(&found(home.path(), &wanted)), ["2026-08-01T12:30:00Z", "2026-08-01T13:30:00Z"]);
    let everything: Vec<_> = query(home.path(), &Query::default()).unwrap().collect();
    assert_eq!(everything.iter().filter(|result| result.is_err()).count(), 2);
    assert_eq!(everything.iter().filter(|result| result.is_ok()).count(), 2, "an error is not the end");
}

#[test]
fn garbage_and_endless_lines_are_skipped_and_counted() {
    let home = TempDir::new().unwrap();
    drop(open(home.path()));
    let path = files(home.path()).pop().unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"{}\n\xff\xfe\nnull\n\n").unwrap();
    for _ in 0..3 {
        file.write_all(&[b'x'; 1024 * 1024]).unwrap();
    }
    file.write_all(b"\n").unwrap();
    open(home.path()).try_record(Event::system("fine"));
    let mut matches = query(home.path(), &Query::default()).unwrap();
    let events: Vec<Record> = matches.by_ref().map(Result::unwrap).collect();
    assert_eq!(events.len(), 1);
    assert_eq!(matches.skipped(), 5);
}

#[tokio::test]
async fn a_tail_sees_every_event_once_across_rotations() {
    let home = TempDir::new().unwrap();
    let audit = small(home.path(), 3000, 0);
    audit.record_durably(vec![Event::system("old")]).await.unwrap();
    let mut tail = Tail::from_end(home.path(), Query::default()).unwrap();
    let mut from_start = Tail::from_start(home.path(), Query::default()).unwrap();
    let writer = tokio::spawn(async move {
        for event in 0..200 {
            audit.record_durably(vec![Event::system(format!("e{event}"))]).await.unwrap();
        }
    });
    for event in 0..200 {
        assert_eq!(tail.next().await.unwrap().event.data.method_name, format!("e{event}"));
    }
    writer.await.unwrap();
    assert!(files(home.path()).len() > 5);
    assert_eq!(tail.poll().unwrap().len(), 0);
    assert_eq!(tail.skipped(), 0);
    let seen = from_start.poll().unwrap();
    assert_eq!(seen.len(), 201);
    assert_eq!(seen[0].event.data.method_name, "old");
}

#[tokio::test]
async fn a_tail_waits_for_the_rest_of_a_line() {
    let home = TempDir::new().unwrap();
    open(home.path()).record_durably(vec![Event::system("whole")]).await.unwrap();
    let path = files(home.path()).pop().unwrap();
    let line = fs::read(&path).unwrap();
    let (beginning, rest) = line.split_at(30);
    let mut tail = Tail::from_end(home.path(), Query::default()).unwrap();
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(beginning).unwrap();
    assert!(tail.poll().unwrap().is_empty());
    file.write_all(rest).unwrap();
    assert_eq!(tail.poll().unwrap().len(), 1);
    assert_eq!(tail.skipped(), 0);
}
