//! What is found in words and tables: what the terminal shows, and the chapters of `docs/benchmarks.md`.

mod brokers;
mod document;
mod gateway;
mod layers;
mod workloads;

use super::kafka_server::JVM;
use super::results::{Comparison, METRICS, Report};
use super::shape::Shape;
use super::statistics::Summary;
use super::table::{number, table};
use super::turn::{Load, Turn};

pub(super) use self::brokers::BROKERS;
pub(super) use self::document::{FILE, POLICY, page, with_body, with_chapter};
pub(super) use self::gateway::GATEWAY;
pub(super) use self::layers::LAYERS;
pub(super) use self::workloads::WORKLOADS;

/// How one kind of comparison is told.
pub(super) struct Chapter {
    /// In the markers around the chapter.
    key: &'static str,
    title: &'static str,
    /// The tables of medians and ratios.
    pub(super) tables: fn(&Report) -> String,
    /// How it was measured.
    method: fn(&Report) -> String,
    /// What else there is to say about noise.
    noise: fn(&Report) -> String,
    /// Of the table of all turns.
    columns: &'static [Column],
}

/// A header and what stands below it.
type Column = (&'static str, fn(&Turn) -> f64);

/// The columns of turns without a run at a fixed rate.
const FULL_SPEED: &[Column] = &[
    ("produce CPU", |turn| turn.produce.server_cpu),
    ("consume CPU", |turn| turn.consume.server_cpu),
    ("produce", |turn| turn.produce.mib_per_second),
    ("consume", |turn| turn.consume.mib_per_second),
    ("peak", |turn| turn.peak_memory_mib),
    ("client CPU", |turn| turn.produce.client_cpu),
];

impl Chapter {
    fn text(&self, report: &Report) -> String {
        let mut text = format!("## {}\n\n", self.title);
        if report.smoke {
            text += "**A smoke run: too short, or without Schloss. The numbers mean nothing.**\n\n";
        }
        text += &(self.tables)(report);
        text += &format!("### How it was measured\n\n{}\n{}\n", facts(report), (self.method)(report));
        text += &format!("### Noise\n\n{}{}\n", noise(report), (self.noise)(report));
        text + &self.rounds(report)
    }

    /// All that the medians are of.
    fn rounds(&self, report: &Report) -> String {
        let mut text = String::from(
            "### Rounds\n\nIn the order in which they ran. CPU in s/GiB, throughput in MiB/s, latency in ms, \
             memory in MiB.\n\n",
        );
        for pair in &report.findings.pairs {
            text += &format!("#### {}\n\n{}\n", pair.title, self.turns(&pair.turns));
        }
        for rung in report.findings.ladder.iter().flat_map(|ladder| &ladder.rungs) {
            text += &format!("#### {}\n\n{}\n", rung.named.name, self.turns(&rung.turns));
        }
        if !report.findings.starts.is_empty() {
            text += &format!("#### Starts\n\n{}\n", starts(report));
        }
        text
    }

    fn turns(&self, turns: &[Turn]) -> String {
        let mut header = vec!["", "round"];
        header.extend(self.columns.iter().map(|(name, _)| *name));
        let row = |turn: &Turn| {
            let numbers = self.columns.iter().map(|(_, value)| number(value(turn)));
            [turn.server.clone(), turn.round.to_string()].into_iter().chain(numbers).collect()
        };
        table(&header, &turns.iter().map(row).collect::<Vec<Vec<String>>>())
    }
}

fn starts(report: &Report) -> String {
    let rows = report.findings.starts.iter().map(|start| {
        let numbers = [
            start.ready_seconds,
            start.asking_seconds,
            start.idle_memory_mib,
            start.rush.seconds,
            start.rush.cpu_ms,
        ]
        .map(number);
        [start.server.clone()].into_iter().chain(numbers).collect()
    });
    table(
        &["server", "ready (s)", "asking (s)", "idle (MiB)", "connections (s)", "CPU of one (ms)"],
        &rows.collect::<Vec<Vec<String>>>(),
    )
}

/// Medians and ranges of two, and their ratio.
fn comparison_table(comparisons: &[Comparison], ours: &str, theirs: &str) -> String {
    let row = |line: &Comparison| comparison_row(format!("{} ({})", line.metric, line.unit), line);
    comparison_rows(ours, theirs, &comparisons.iter().map(row).collect::<Vec<_>>())
}

fn comparison_row(label: String, line: &Comparison) -> Vec<String> {
    let mark = if line.overlaps() { "~" } else { "" };
    vec![
        label,
        number(line.ours.median),
        number(line.theirs.median),
        line.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{mark}{}", number(ratio))),
        range(line.ours),
        range(line.theirs),
    ]
}

fn comparison_rows(ours: &str, theirs: &str, rows: &[Vec<String>]) -> String {
    let ranges = [ours, theirs].map(|name| format!("{name} min..max"));
    table(&["median", ours, theirs, "ratio", &ranges[0], &ranges[1]], rows)
}

fn range(summary: Summary) -> String {
    format!("{}..{}", number(summary.min), number(summary.max))
}

/// What the numbers depend on.
fn facts(report: &Report) -> String {
    let (machine, versions) = (&report.machine, &report.versions);
    let schloss = match &versions.schloss {
        Some(version) => format!("{version}, commit {}", versions.commit),
        None => "none: Kafka was compared with itself".to_owned(),
    };
    let mut rows = vec![
        ("date", report.date.clone()),
        ("command", format!("`{}` ({} s)", report.command, report.seconds)),
        ("CPU", format!("{}, {} cores", machine.cpu, machine.cores)),
        ("memory", format!("{:.1} GiB", machine.memory_gib)),
        ("kernel", format!("Linux {}", machine.kernel)),
        ("file system of all servers", machine.file_system.clone()),
        ("load average before", number(machine.load_before)),
        ("Schloss", schloss),
        ("Apache Kafka, server and clients", versions.kafka.clone()),
        ("Java, server and clients", versions.java.clone()),
        ("Kafka's JVM", format!("`{}`", JVM.join(" "))),
    ];
    for pair in &report.findings.pairs {
        let (ours, theirs, load) = (&pair.ours, &pair.theirs, &pair.load);
        rows.push((
            &pair.title,
            format!(
                "{} ({}), {} ({}); {} records a turn{}",
                ours.name,
                ours.setting,
                theirs.name,
                theirs.setting,
                load.records,
                fixed_rate(load)
            ),
        ));
    }
    rows.into_iter().map(|(key, value)| format!("* {key}: {value}\n")).collect()
}

fn fixed_rate(load: &Load) -> String {
    match load.paced_per_second {
        0 => String::new(),
        rate => format!("; fixed rate {rate} records/s for {} s", load.paced_seconds),
    }
}

/// What a turn is, for the method of every chapter that has the usual ones.
fn turns_in_words() -> String {
    let Shape { record_bytes, partitions, .. } = Shape::USUAL;
    format!(
        "take turns in the order A B, B A, A B, ... A turn on topics of {partitions} partitions: \
         `ProducerPerformance` writes records of {record_bytes} bytes with `acks=all` as fast as it goes; \
         `ConsumerPerformance` reads them from the start in a new group (what was just written: from the page \
         cache; its rate excludes the time until the group is joined); then Kafka's producer with `acks=all` \
         and `linger.ms=0` writes at a fixed rate, paced as `ProducerPerformance` paces, while a consumer in the \
         same process reads, with latencies in microseconds from before a record is sent to its acknowledgement, \
         and until the consumer has it (end to end), counted after its first seconds. All other client settings \
         are the defaults. Before each run `sync` writes out what earlier ones left."
    )
}

/// Where figures of CPU and memory come from, for the method of every chapter.
const COSTS: &str = "CPU is user and system time of a process from `/proc/<pid>/stat`, per GiB of the records' \
                     values; what the kernel's own threads do later (writing pages back) is in nobody's account. \
                     Peak memory is `VmHWM`.";

/// How far the rounds lie apart, and which rates were not kept.
fn noise(report: &Report) -> String {
    let mut text = String::new();
    for pair in &report.findings.pairs {
        let widest = pair
            .comparisons(&METRICS)
            .into_iter()
            .flat_map(|line| {
                [(&pair.ours, line.ours), (&pair.theirs, line.theirs)].map(|(named, summary)| {
                    Some((summary.spread()?, format!("{} of {}", line.metric, named.name)))
                })
            })
            .flatten()
            .max_by(|a, b| a.0.total_cmp(&b.0));
        if let Some((spread, name)) = widest {
            text += &format!(
                "* {}: the rounds of *{name}* lie furthest apart, by {:.0} % of the median.\n",
                pair.title,
                spread * 100.0
            );
        }
        for turn in pair.turns.iter().filter(|turn| !pair.load.is_kept_by(turn.paced.mib_per_second)) {
            text += &format!(
                "* {}: {} did not keep the fixed rate in round {} ({} MiB/s): its latency there is that of a queue.\n",
                pair.title,
                turn.server,
                turn.round,
                number(turn.paced.mib_per_second)
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::results::samples::{report, turn};
    use super::*;

    #[test]
    fn a_rate_that_was_not_kept_and_the_widest_spread_are_noise() {
        let mut turns = vec![turn("gateway", 1, 1.0), turn("direct", 1, 1.0), turn("gateway", 2, 3.0)];
        turns[0].paced.mib_per_second = 20.0;
        turns[1].paced.mib_per_second = 24.9;
        turns[2].paced.mib_per_second = 25.0;
        let text = noise(&report(turns));
        assert!(text.contains("of gateway* lie furthest apart, by 100 % of the median"), "{text}");
        assert_eq!(text.matches("did not keep").count(), 1, "{text}");
        assert!(text.contains("gateway did not keep the fixed rate in round 1 (20.0 MiB/s)"), "{text}");
    }
}
