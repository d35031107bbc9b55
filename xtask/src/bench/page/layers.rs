//! The chapter about what each layer costs.

use super::super::results::{Ladder, Report, Rung};
use super::super::statistics::Summary;
use super::super::table::{number, table};
use super::super::turn::Turn;
use super::{COSTS, Chapter, FULL_SPEED, range};

/// Schloss alone, with more and more of its security.
pub(in super::super) const LAYERS: Chapter = Chapter {
    key: "layers",
    title: "The price of each layer",
    tables,
    method,
    noise: |_| String::new(),
    columns: FULL_SPEED,
};

/// Title, and the value of a turn.
type Told = (&'static str, fn(&Turn) -> f64);

const TOLD: [Told; 2] = [
    ("Server CPU to produce, s/GiB", |turn| turn.produce.server_cpu),
    ("Server CPU to consume, s/GiB", |turn| turn.consume.server_cpu),
];

fn tables(report: &Report) -> String {
    let Some(ladder) = &report.findings.ladder else { return String::new() };
    let mut text = String::new();
    for (title, value) in TOLD {
        text += &format!("### {title}\n\n{}\n", climb(ladder, value));
    }
    let aes = ladder.aes_seconds_per_gib;
    let everything = ladder.rungs.last();
    let passes = |value: fn(&Turn) -> f64| {
        let cpu = everything.and_then(|rung| rung.summary(value)).map(|summary| summary.median);
        cpu.map_or_else(|| "-".to_owned(), |cpu| number(cpu / (2.0 * aes)))
    };
    let [(_, produce), (_, consume)] = TOLD;
    text + &format!(
        "One pass of AES-256-GCM over a GiB takes one thread of this machine {} s. Each way needs two: what comes by TLS \
         is opened and sealed for the disk, what leaves is opened and sealed for TLS. All that the server does, with \
         everything on, is {} times these two passes to produce and {} times to consume.\n\n",
        number(aes),
        passes(produce),
        passes(consume)
    )
}

fn climb(ladder: &Ladder, value: fn(&Turn) -> f64) -> String {
    let mut before: Option<Summary> = None;
    let row = |rung: &Rung| {
        let summary = rung.summary(value)?;
        let more = before.replace(summary).map_or_else(String::new, |before| {
            let touches = summary.min <= before.max && before.min <= summary.max;
            format!("{}{}", if touches { "~" } else { "" }, number(summary.median - before.median))
        });
        Some(vec![rung.named.setting.clone(), number(summary.median), more, range(summary)])
    };
    table(&["with", "median", "more", "min..max"], &ladder.rungs.iter().filter_map(row).collect::<Vec<_>>())
}

fn method(report: &Report) -> String {
    let load = report.findings.ladder.as_ref().map(|ladder| ladder.load);
    format!(
        "Each line is a server of its own, all of them running, and turns go round among them; the first one of each is not \
         counted. A turn writes {} records of {} bytes to {} partitions with `ProducerPerformance` (`acks=all`, \
         acknowledged from the page cache) and reads them with `ConsumerPerformance`. `~` marks a difference \
         within which rounds of both lines lie. Schloss has neither a listener without TLS or authentication nor a \
         way to turn its audit off, and a data directory is sealed from its making, so what these cost is in the first \
         line and can't be told apart by a measurement of the product as it is.\n\n{COSTS}\n",
        load.map_or(0, |load| load.records),
        load.map_or(0, |load| load.shape.record_bytes),
        load.map_or(0, |load| load.shape.partitions),
    )
}

#[cfg(test)]
mod tests {
    use super::super::super::results::{Named, samples};
    use super::*;

    #[test]
    fn each_line_says_what_it_takes_more_than_the_one_before() {
        let rung = |setting: &str, sizes: [f64; 2]| Rung {
            named: Named { name: "x".to_owned(), setting: setting.to_owned() },
            turns: sizes.map(|size| samples::turn("x", 1, size)).into(),
        };
        let load = samples::report(Vec::new()).findings.pairs[0].load;
        let rungs = vec![rung("bare", [1.0, 1.5]), rung("ACLs", [1.5, 2.0]), rung("sealing", [3.0, 4.0])];
        let mut report = samples::report(Vec::new());
        report.findings.ladder = Some(Ladder { load, rungs, aes_seconds_per_gib: 0.5 });
        let text = tables(&report);
        // A turn takes four times its size to produce.
        assert!(text.contains("| bare    |   5.00 |       | 4.00..6.00 |"), "{text}");
        assert!(text.contains("| ACLs    |   7.00 | ~2.00 | 6.00..8.00 |"), "{text}");
        assert!(text.contains("| sealing |   14.0 |  7.00 | 12.0..16.0 |"), "{text}");
        assert!(text.contains("is 14.0 times these two passes to produce and 14.0 times"), "{text}");
    }
}
