//! The audit when writing fails.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests are tests too")]

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use schloss_audit::{
    Audit, AuditConfig, AuditError, CloudEvent, Event, MAX_CHANGE_BYTES, MAX_TEXT_BYTES, QUEUE_EVENTS_MAX,
    Query, Sink, query,
};
use tempfile::TempDir;

/// A disk that can be full, lose its flushes, or hang.
#[derive(Clone, Default)]
struct Disk {
    written: Arc<Mutex<Vec<u8>>>,
    full: Arc<Mutex<bool>>,
    broken_flush: Arc<Mutex<bool>>,
    /// Held by a test to make the writer wait.
    gate: Arc<Mutex<()>>,
    flushes: Arc<AtomicU32>,
}

impl Disk {
    fn audit(&self) -> Audit {
        Audit::with_sink(Box::new(self.clone()), "/test").unwrap()
    }

    fn events(&self) -> Vec<CloudEvent> {
        let written = self.written.lock();
        written
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect()
    }

    fn methods(&self) -> Vec<String> {
        self.events().into_iter().map(|event| event.data.method_name).collect()
    }
}

impl Sink for Disk {
    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        let _gate = self.gate.lock();
        if *self.full.lock() {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        self.written.lock().extend_from_slice(lines);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let _gate = self.gate.lock();
        self.flushes.fetch_add(1, Ordering::SeqCst);
        if *self.broken_flush.lock() {
            return Err(io::Error::other("the disk lost a page"));
        }
        Ok(())
    }
}

async fn becomes(what: impl Fn() -> bool) {
    tokio::time::timeout(Duration::from_secs(10), async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .expect("it happens in time");
}

#[tokio::test]
async fn a_full_disk_refuses_durable_records_and_loses_none() {
    let disk = Disk::default();
    let audit = disk.audit();
    audit.record_durably(vec![Event::system("a")]).await.unwrap();
    assert!(audit.is_writable());

    *disk.full.lock() = true;
    let refused = audit.record_durably(vec![Event::system("b")]).await.unwrap_err();
    assert!(matches!(refused, AuditError::Write { source } if source.kind() == io::ErrorKind::StorageFull));
    assert!(!audit.is_writable());
    audit.record(Event::system("c")).await;
    audit.try_record(Event::system("d"));
    audit.flush().await;
    assert!(!audit.is_writable());

    *disk.full.lock() = false;
    audit.record_durably(vec![Event::system("e")]).await.unwrap();
    assert!(audit.is_writable());
    assert_eq!(disk.methods(), ["a", "b", "c", "d", "e"]);
}

#[tokio::test]
async fn writing_is_tried_again_even_if_nothing_more_is_recorded() {
    let disk = Disk::default();
    let audit = disk.audit();
    *disk.full.lock() = true;
    audit.record_durably(vec![Event::system("a")]).await.unwrap_err();
    *disk.full.lock() = false;
    becomes(|| audit.is_writable()).await;
    assert_eq!(disk.methods(), ["a"]);
}

#[tokio::test]
async fn a_failed_flush_is_an_error_and_the_records_go_out_again_with_the_same_id() {
    let disk = Disk::default();
    let audit = disk.audit();
    *disk.broken_flush.lock() = true;
    audit.record_durably(vec![Event::system("a")]).await.unwrap_err();
    assert!(!audit.is_writable());
    *disk.broken_flush.lock() = false;
    audit.record_durably(vec![Event::system("b")]).await.unwrap();
    let events = disk.events();
    let of_a: Vec<&str> =
        events.iter().filter(|event| event.data.method_name == "a").map(|event| event.id.as_str()).collect();
    assert!(of_a.len() >= 2);
    assert!(of_a.iter().all(|id| *id == of_a[0]));
}

#[tokio::test]
async fn what_does_not_fit_the_queue_is_counted_and_the_count_is_an_event() {
    let disk = Disk::default();
    let audit = disk.audit();
    let hanging = disk.gate.lock();
    let sent = 3 * QUEUE_EVENTS_MAX;
    for _ in 0..sent {
        audit.try_record(Event::system("flood"));
    }
    drop(hanging);
    audit.flush().await;
    drop(audit);
    let events = disk.events();
    let written = events.iter().filter(|event| event.data.method_name == "flood").count();
    let dropped: u64 = events
        .iter()
        .filter(|event| event.data.method_name == "audit.Dropped")
        .map(|event| event.data.change.as_ref().unwrap()["dropped"].as_u64().unwrap())
        .sum();
    assert!(dropped > 0);
    assert_eq!(written as u64 + dropped, sent as u64);
}

#[tokio::test]
async fn a_disk_that_stays_full_takes_bounded_memory_and_the_loss_is_told() {
    let disk = Disk::default();
    let audit = disk.audit();
    *disk.full.lock() = true;
    let text = "x".repeat(MAX_TEXT_BYTES);
    let sent = 30_000;
    for _ in 0..sent {
        audit.record(Event::system("lost").message(text.as_str())).await;
    }
    audit.flush().await;
    *disk.full.lock() = false;
    audit.record_durably(vec![Event::system("after")]).await.unwrap();
    drop(audit);
    assert!(disk.written.lock().len() < 20 * 1024 * 1024);
    let events = disk.events();
    let written = events.iter().filter(|event| event.data.method_name == "lost").count();
    let dropped: u64 =
        events.iter().filter_map(|event| event.data.change.as_ref()?["dropped"].as_u64()).sum();
    let after = events.iter().filter(|event| event.data.method_name == "after").count();
    assert_eq!(written as u64 + dropped + after as u64, sent + 1);
    assert!(written > 1000 && dropped > 1000, "{written} written, {dropped} dropped");
}

#[tokio::test]
#[allow(clippy::await_holding_lock, reason = "it holds back the writer thread, not a task")]
async fn callers_that_wait_at_the_same_time_share_a_flush() {
    let disk = Disk::default();
    let audit = disk.audit();
    let hanging = disk.gate.lock();
    let waiting: Vec<_> = (0..100)
        .map(|_| {
            let audit = audit.clone();
            tokio::spawn(async move { audit.record_durably(vec![Event::system("a")]).await })
        })
        .collect();
    // Every one of them is in the queue once it has run until it waits.
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
    drop(hanging);
    for task in waiting {
        task.await.unwrap().unwrap();
    }
    assert!(disk.flushes.load(Ordering::SeqCst) <= 3);
    assert_eq!(disk.methods().len(), 100);
}

#[tokio::test]
async fn a_directory_removed_under_the_audit_is_noticed_and_when_it_is_back_writing_goes_on() {
    let home = TempDir::new().unwrap();
    let directory = home.path().join("audit");
    let moved = home.path().join("moved");
    let audit = Audit::open(AuditConfig::new(&directory)).unwrap();
    audit.record_durably(vec![Event::system("a")]).await.unwrap();

    fs::rename(&directory, &moved).unwrap();
    audit.record_durably(vec![Event::system("b")]).await.unwrap_err();
    assert!(!audit.is_writable());

    fs::create_dir(&directory).unwrap();
    audit.record_durably(vec![Event::system("c")]).await.unwrap();
    assert!(audit.is_writable());
    assert_eq!(methods(&moved), ["a"]);
    assert_eq!(methods(&directory), ["b", "c", "audit.FileChanged"]);
}

#[tokio::test]
async fn a_file_that_somebody_else_changes_is_left_alone_and_told() {
    let home = TempDir::new().unwrap();
    let audit = Audit::open(AuditConfig::new(home.path())).unwrap();
    audit.record_durably(vec![Event::system("a"), Event::system("b")]).await.unwrap();
    let file = fs::read_dir(home.path()).unwrap().next().unwrap().unwrap().path();
    fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(10).unwrap();
    audit.record_durably(vec![Event::system("c")]).await.unwrap();
    assert_eq!(methods(home.path()), ["c", "audit.FileChanged"]);
}

fn methods(directory: &Path) -> Vec<String> {
    let records = query(directory, &Query::default()).unwrap();
    records.map(|record| record.unwrap().event.data.method_name).collect()
}

#[tokio::test]
async fn text_and_changes_from_outside_are_bounded() {
    let disk = Disk::default();
    let audit = disk.audit();
    let huge = "\u{1}".repeat(1_000_000);
    let event = Event::authentication(huge.as_str())
        .principal(huge.as_str())
        .listener(huge.as_str())
        .mechanism(huge.as_str())
        .operation(huge.as_str())
        .resource(huge.as_str(), huge.as_str())
        .pattern_type(huge.as_str())
        .decision(false, huge.as_str())
        .client_id(huge.as_str())
        .connection_id(huge.as_str())
        .result(huge.as_str())
        .message(huge.as_str())
        .change(serde_json::json!({ "huge": huge }));
    audit.record_durably(vec![event]).await.unwrap();
    assert!(disk.written.lock().len() < 256 * 1024, "the reader takes lines of 512 KiB");
    let event = disk.events().pop().unwrap();
    let change = event.data.change.unwrap();
    assert_eq!(change["tooLarge"], true);
    assert!(change["bytes"].as_u64().unwrap() > MAX_CHANGE_BYTES as u64);
    assert!(event.data.result.status.contains("bytes more"));
}

#[test]
fn a_directory_that_can_not_be_made_is_an_error_at_the_start() {
    let home = TempDir::new().unwrap();
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    let error = Audit::open(AuditConfig::new(file.join("audit"))).unwrap_err();
    assert!(error.to_string().contains("file/audit"), "{error}");
}
