//! The chapter about Schloss beside Apache Kafka.

use super::super::account::CIPHER_SUITE;
use super::super::results::{METRICS, Metric, Report, Side, Start, compare};
use super::super::rush::CONNECTIONS;
use super::super::table::number;
use super::super::turn::Turn;
use super::{COSTS, Chapter, comparison_table, turns_in_words};

/// Two brokers with the same clients.
pub(in super::super) const BROKERS: Chapter = Chapter {
    key: "brokers",
    title: "Schloss beside Apache Kafka",
    tables,
    method,
    noise,
    columns: &[
        ("produce CPU", |turn| turn.produce.server_cpu),
        ("consume CPU", |turn| turn.consume.server_cpu),
        ("fixed CPU", |turn| turn.paced.server_cpu),
        ("produce", |turn| turn.produce.mib_per_second),
        ("consume", |turn| turn.consume.mib_per_second),
        ("mean", |turn| turn.latency.average_ms),
        ("p50", |turn| turn.latency.p50_ms),
        ("p95", |turn| turn.latency.p95_ms),
        ("p99", |turn| turn.latency.p99_ms),
        ("p99.9", |turn| turn.latency.p999_ms),
        ("end to end p50", |turn| turn.delivery.p50_ms),
        ("end to end p99", |turn| turn.delivery.p99_ms),
        ("peak", |turn| turn.peak_memory_mib),
        ("client CPU", |turn| turn.produce.client_cpu),
        ("other's CPU s", |turn| turn.other_cpu_seconds),
    ],
};

const PEAK_MEMORY: Metric<Turn> = ("peak memory", "MiB", |turn| turn.peak_memory_mib);
const STARTS: [Metric<Start>; 6] = [
    ("time to ready", "s", |start| start.ready_seconds),
    ("idle memory", "MiB", |start| start.idle_memory_mib),
    ("1,000 connections: all open after", "s", |start| start.rush.seconds),
    ("1,000 connections: p50 of one", "ms", |start| start.rush.p50_ms),
    ("1,000 connections: p99 of one", "ms", |start| start.rush.p99_ms),
    ("1,000 connections: broker CPU of one", "CPU ms", |start| start.rush.cpu_ms),
];

fn tables(report: &Report) -> String {
    let mut text = String::new();
    for pair in &report.findings.pairs {
        let comparisons = pair.comparisons(&[&METRICS[..], &[PEAK_MEMORY]].concat());
        let table = comparison_table(&comparisons, &pair.ours.name, &pair.theirs.name);
        text += &format!("### {}\n\n{table}\n", pair.title);
    }
    if let Some(pair) = report.findings.pairs.first() {
        let of = |side: Side| report.findings.starts.iter().filter(move |start| start.side == side);
        let starts = compare(&STARTS, of(Side::Ours), of(Side::Theirs));
        let table = comparison_table(&starts, &pair.ours.name, &pair.theirs.name);
        text += &format!("### Start and rest\n\n{table}\n");
    }
    text
}

fn method(_report: &Report) -> String {
    format!(
        "Both servers run on this machine, as does the client, so throughput is bounded by all of them together; \
         CPU per GiB is what compares the servers. Kafka is a single KRaft node (broker and controller in one \
         process) with `SASL_SSL`, SCRAM-SHA-512, `StandardAuthorizer`, the same certificate as Schloss, and its \
         own defaults for everything else, its log level included (it logs denials only); Schloss is what \
         `schloss quickstart` makes, with its audit on. TLS 1.3 with {CIPHER_SUITE} at both. Accounts, ACLs (one \
         account may write, another read, both by prefix) and topics are made at both by Kafka's own tools.\n\n\
         The servers of a pair are started, warmed up by one turn that is not counted, and then, while the other \
         waits, {}\n\n\
         {COSTS} Idle memory is `VmRSS` some seconds after the start. Time to ready is from before the program is \
         started on formatted, empty data to the end of the first authenticated metadata request over TLS (by a \
         waiting librdkafka client, tried every few milliseconds). Then one client program opens {CONNECTIONS} \
         connections at once, each with its own TLS handshake and SCRAM exchange, and holds them until the last \
         is authenticated; it does so twice, and the second time counts.\n",
        turns_in_words()
    )
}

fn noise(report: &Report) -> String {
    let mut text = String::new();
    for pair in &report.findings.pairs {
        let waiting = pair.turns.iter().map(|turn| turn.other_cpu_seconds).fold(0.0, f64::max);
        text += &format!(
            "* {}: a waiting server used at most {} CPU s during the other's turn.\n",
            pair.title,
            number(waiting)
        );
    }
    let asking = report.findings.starts.iter().map(|start| start.asking_seconds).fold(0.0, f64::max);
    text + &format!("* Of each time to ready, up to {} s are the question itself.\n", number(asking))
}
