//! The report in words and tables: what the terminal shows, and `docs/benchmarks.md`.

use super::account::CIPHER_SUITE;
use super::administration::PARTITIONS;
use super::clients::RECORD_BYTES;
use super::kafka_server::JVM;
use super::results::{Comparison, Named, Pair, Report};
use super::table::{number, table};

/// The tables of medians and ratios.
pub(super) fn results(report: &Report) -> String {
    let mut text = String::new();
    for pair in &report.pairs {
        text += &format!(
            "## {}\n\n{}\n",
            pair.title,
            comparison_table(&pair.comparisons(), &pair.ours, &pair.theirs)
        );
    }
    if let Some(pair) = report.pairs.first() {
        let starts = comparison_table(&report.start_comparisons(), &pair.ours, &pair.theirs);
        text += &format!("## Start and rest\n\n{starts}\n");
    }
    text
}

fn comparison_table(comparisons: &[Comparison], ours: &Named, theirs: &Named) -> String {
    let rows: Vec<Vec<String>> = comparisons
        .iter()
        .map(|line| {
            let range = |summary: super::statistics::Summary| {
                format!("{}..{}", number(summary.min), number(summary.max))
            };
            let mark = if line.overlaps() { "~" } else { "" };
            vec![
                format!("{} ({})", line.metric, line.unit),
                number(line.ours.median),
                number(line.theirs.median),
                line.ratio().map_or_else(|| "-".to_owned(), |ratio| format!("{mark}{}", number(ratio))),
                range(line.ours),
                range(line.theirs),
            ]
        })
        .collect();
    let ranges = [&ours.name, &theirs.name].map(|name| format!("{name} min..max"));
    table(&["median", &ours.name, &theirs.name, "ratio", &ranges[0], &ranges[1]], &rows)
}

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let mut text = String::from("# Benchmarks\n\n");
    text += "Written by `cargo xtask bench`; do not edit. The ratio is the first server's median divided by the second's: below 1 is less, which is better for \
             CPU, latency, memory and time, and worse for throughput. `~` marks a ratio where rounds of the two \
             overlap, so that this run shows no difference.\n\n";
    if report.smoke {
        text += "**A smoke run: too short, or without Schloss. The numbers mean nothing.**\n\n";
    }
    text += &results(report);
    text += &method(report);
    text += &noise(report);
    text += &raw(report);
    text
}

fn method(report: &Report) -> String {
    let (machine, versions) = (&report.machine, &report.versions);
    let mut rows = vec![
        ("date".to_owned(), report.date.clone()),
        ("command".to_owned(), format!("`{}` ({} s)", report.command, report.seconds)),
        ("CPU".to_owned(), format!("{}, {} cores", machine.cpu, machine.cores)),
        ("memory".to_owned(), format!("{:.1} GiB", machine.memory_gib)),
        ("kernel".to_owned(), format!("Linux {}", machine.kernel)),
        ("file system of both servers".to_owned(), machine.file_system.clone()),
        ("load average before".to_owned(), number(machine.load_before)),
        (
            "Schloss".to_owned(),
            match &versions.schloss {
                Some(version) => format!("{version}, commit {}", versions.commit),
                None => "none: Kafka was compared with itself".to_owned(),
            },
        ),
        ("Apache Kafka, server and clients".to_owned(), versions.kafka.clone()),
        ("Java, server and clients".to_owned(), versions.java.clone()),
        ("Kafka's JVM".to_owned(), format!("`{}`", JVM.join(" "))),
    ];
    for pair in &report.pairs {
        let load = &pair.load;
        rows.push((
            pair.title.clone(),
            format!(
                "{} ({}), {} ({}); {} records a turn; fixed rate {} records/s for {} s",
                pair.ours.name,
                pair.ours.setting,
                pair.theirs.name,
                pair.theirs.setting,
                load.records,
                load.paced_per_second,
                load.paced_seconds
            ),
        ));
    }
    let facts: String = rows.into_iter().map(|(key, value)| format!("* {key}: {value}\n")).collect();
    format!(
        "## How it was measured\n\n{facts}\n\
         Both servers run on this machine, as does the client, so throughput is bounded by all of them together; \
         CPU per GiB is what compares the servers. Kafka is a single KRaft node (broker and controller in one \
         process) with `SASL_SSL`, SCRAM-SHA-512, `StandardAuthorizer`, the same certificate as Schloss, and its \
         own defaults for everything else, its log level included (it logs denials only); Schloss is what \
         `schloss quickstart` makes, with its audit on. TLS 1.3 with {CIPHER_SUITE} at both. Accounts, ACLs (one \
         account may write, another read, both by prefix) and topics are made at both by Kafka's own tools.\n\n\
         The servers of a pair are started, warmed up by one turn that is not counted, and then take turns in the \
         order A B, B A, A B, ... while the other waits. A turn on topics of {PARTITIONS} partitions: \
         `ProducerPerformance` writes records of {RECORD_BYTES} bytes with `acks=all` as fast as it goes; \
         `ConsumerPerformance` reads them from the start in a new group (what was just written: from the page \
         cache; its rate excludes the time until the group is joined); `ProducerPerformance` writes at a fixed \
         rate with `linger.ms=0`, where latency is counted after its first seconds. It reports latencies in whole \
         milliseconds, so the mean tells small differences better than the percentiles. All other client settings \
         are the defaults. Before each run `sync` writes out what earlier ones left.\n\n\
         CPU is user and system time of the server process from `/proc/<pid>/stat`; what the kernel's own threads \
         do later (writing pages back) is in nobody's account. Memory is `VmHWM` (peak) and `VmRSS` (idle, some \
         seconds after the start). Time to ready is from before the program is started on formatted, empty data \
         to the end of the first authenticated metadata request over TLS (by a waiting librdkafka client, tried every few milliseconds).\n\n",
    )
}

fn noise(report: &Report) -> String {
    let mut text = String::from("## Noise\n\n");
    for pair in &report.pairs {
        let widest = pair
            .comparisons()
            .into_iter()
            .flat_map(|line| {
                let side = |name: &str, summary: super::statistics::Summary| {
                    summary.spread().map(|spread| (spread, format!("{} of {name}", line.metric)))
                };
                [side(&pair.ours.name, line.ours), side(&pair.theirs.name, line.theirs)]
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
        for turn in pair.turns.iter().filter(|turn| !pair.load.is_kept_by(turn.paced_mib_per_second)) {
            text += &format!(
                "* {}: {} did not keep the fixed rate in round {} ({} MiB/s): its latency there is that of a queue.\n",
                pair.title,
                turn.server,
                turn.round,
                number(turn.paced_mib_per_second)
            );
        }
        let waiting = pair.turns.iter().map(|turn| turn.other_server_cpu_seconds).fold(0.0, f64::max);
        text += &format!(
            "* {}: a waiting server used at most {} CPU s during the other's turn.\n",
            pair.title,
            number(waiting)
        );
    }
    let asking = report.starts.iter().map(|start| start.asking_seconds).fold(0.0, f64::max);
    text += &format!("* Of each time to ready, up to {} s are the question itself.\n\n", number(asking));
    text
}

fn raw(report: &Report) -> String {
    let mut text = String::from("## Rounds\n\n");
    for pair in &report.pairs {
        text += &format!(
            "### {}\n\nIn the order in which they ran. CPU in s/GiB, throughput in MiB/s, latency in ms, \
            memory in MiB.\n\n{}\n",
            pair.title,
            turns_table(pair)
        );
    }
    let starts: Vec<Vec<String>> = report
        .starts
        .iter()
        .map(|start| {
            vec![
                start.server.clone(),
                number(start.ready_seconds),
                number(start.asking_seconds),
                number(start.idle_memory_mib),
            ]
        })
        .collect();
    text +=
        &format!("### Starts\n\n{}", table(&["server", "ready (s)", "asking (s)", "idle (MiB)"], &starts));
    text
}

fn turns_table(pair: &Pair) -> String {
    let header = [
        "server",
        "round",
        "produce CPU",
        "consume CPU",
        "fixed CPU",
        "produce",
        "consume",
        "mean",
        "p50",
        "p95",
        "p99",
        "p99.9",
        "peak",
        "client CPU",
        "other's CPU s",
    ];
    let rows: Vec<Vec<String>> = pair
        .turns
        .iter()
        .map(|turn| {
            let values = [
                turn.produce_cpu_seconds_per_gib,
                turn.consume_cpu_seconds_per_gib,
                turn.paced_cpu_seconds_per_gib,
                turn.produce_mib_per_second,
                turn.consume_mib_per_second,
                turn.paced_average_ms,
                turn.paced_p50_ms,
                turn.paced_p95_ms,
                turn.paced_p99_ms,
                turn.paced_p999_ms,
                turn.peak_memory_mib,
                turn.produce_client_cpu_seconds_per_gib,
                turn.other_server_cpu_seconds,
            ];
            let mut row = vec![turn.server.clone(), turn.round.to_string()];
            row.extend(values.map(number));
            row
        })
        .collect();
    table(&header, &rows)
}
