//! What a run found, as it is kept in JSON, and how its numbers are compared.

use serde::Serialize;

use super::machine::Machine;
use super::rush::Rush;
use super::statistics::{Summary, ratio};
use super::turn::{Load, Turn};

/// One whole run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// UTC, RFC 3339.
    pub(super) date: String,
    /// As typed.
    pub(super) command: String,
    /// Too small a run, or one without Schloss: says something about the harness only.
    pub(super) smoke: bool,
    pub(super) versions: Versions,
    pub(super) machine: Machine,
    pub(super) rounds: u32,
    #[serde(flatten)]
    pub(super) findings: Findings,
    pub(super) seconds: u64,
}

/// What was measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    /// None where starts are not compared.
    pub(super) starts: Vec<Start>,
    pub(super) pairs: Vec<Pair>,
    pub(super) ladder: Option<Ladder>,
}

/// One server with more and more of something.
#[derive(Debug, Serialize)]
pub(super) struct Ladder {
    pub(super) load: Load,
    /// Each has all that those before it have.
    pub(super) rungs: Vec<Rung>,
    /// CPU seconds that this machine needs to seal a GiB once.
    pub(super) aes_seconds_per_gib: f64,
}

#[derive(Debug, Serialize)]
pub(super) struct Rung {
    pub(super) named: Named,
    pub(super) turns: Vec<Turn>,
}

impl Rung {
    /// `None` where it was not measured.
    pub(super) fn summary(&self, value: fn(&Turn) -> f64) -> Option<Summary> {
        Summary::of(&self.turns.iter().map(value).collect::<Vec<_>>())
    }
}

#[derive(Debug, Serialize)]
pub(super) struct Versions {
    /// `None` where Kafka was compared with itself.
    pub(super) schloss: Option<String>,
    pub(super) commit: String,
    pub(super) kafka: String,
    pub(super) java: String,
}

/// One start of a server on existing, empty data.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Start {
    pub(super) server: String,
    pub(super) side: Side,
    /// From before the program was started to its first authenticated answer.
    pub(super) ready_seconds: f64,
    /// The share of the question itself, asked again later.
    pub(super) asking_seconds: f64,
    pub(super) idle_memory_mib: f64,
    /// Many connections at once, after as many that were not counted.
    pub(super) rush: Rush,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// Two contenders with the same load, such as two servers that promise the same about durability.
#[derive(Debug, Serialize)]
pub(super) struct Pair {
    pub(super) title: String,
    pub(super) ours: Named,
    pub(super) theirs: Named,
    pub(super) load: Load,
    pub(super) turns: Vec<Turn>,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Named {
    pub(super) name: String,
    /// What is special about it, such as the setting for durability.
    pub(super) setting: String,
}

/// One line of comparison.
#[derive(Clone, Copy, Debug)]
pub(super) struct Comparison {
    pub(super) metric: &'static str,
    pub(super) unit: &'static str,
    pub(super) ours: Summary,
    pub(super) theirs: Summary,
}

impl Comparison {
    /// Of the medians, ours to theirs.
    pub(super) fn ratio(&self) -> Option<f64> {
        ratio(self.ours.median, self.theirs.median)
    }

    /// Whether some round of either was as the other's: the run does not show a difference.
    pub(super) fn overlaps(&self) -> bool {
        self.ours.min <= self.theirs.max && self.theirs.min <= self.ours.max
    }
}

/// Name, unit and value.
pub(super) type Metric<Of> = (&'static str, &'static str, fn(&Of) -> f64);

/// What is compared in every pair, in the order of the report.
pub(super) const METRICS: [Metric<Turn>; 13] = [
    ("produce: broker CPU", "CPU s/GiB", |turn| turn.produce.server_cpu),
    ("consume: broker CPU", "CPU s/GiB", |turn| turn.consume.server_cpu),
    ("fixed rate: broker CPU", "CPU s/GiB", |turn| turn.paced.server_cpu),
    ("produce: client CPU", "CPU s/GiB", |turn| turn.produce.client_cpu),
    ("produce: throughput", "MiB/s", |turn| turn.produce.mib_per_second),
    ("consume: throughput", "MiB/s", |turn| turn.consume.mib_per_second),
    ("acknowledged: mean latency", "ms", |turn| turn.latency.average_ms),
    ("acknowledged: p50 latency", "ms", |turn| turn.latency.p50_ms),
    ("acknowledged: p99 latency", "ms", |turn| turn.latency.p99_ms),
    ("acknowledged: p99.9 latency", "ms", |turn| turn.latency.p999_ms),
    ("end to end: p50 latency", "ms", |turn| turn.delivery.p50_ms),
    ("end to end: p99 latency", "ms", |turn| turn.delivery.p99_ms),
    ("end to end: p99.9 latency", "ms", |turn| turn.delivery.p999_ms),
];

/// Compares what `ours` and `theirs` say about each metric; leaves out what was not measured.
pub(super) fn compare<'a, Of: 'a>(
    metrics: &[Metric<Of>],
    ours: impl Iterator<Item = &'a Of> + Clone,
    theirs: impl Iterator<Item = &'a Of> + Clone,
) -> Vec<Comparison> {
    let line = |&(metric, unit, value): &Metric<Of>| {
        Some(Comparison {
            metric,
            unit,
            ours: Summary::of(&ours.clone().map(value).collect::<Vec<_>>())?,
            theirs: Summary::of(&theirs.clone().map(value).collect::<Vec<_>>())?,
        })
    };
    metrics.iter().filter_map(line).collect()
}

impl Pair {
    pub(super) fn comparisons(&self, metrics: &[Metric<Turn>]) -> Vec<Comparison> {
        compare(metrics, self.turns_of(&self.ours), self.turns_of(&self.theirs))
    }

    pub(super) fn turns_of(&self, named: &Named) -> impl Iterator<Item = &Turn> + Clone {
        self.turns.iter().filter(|turn| turn.server == named.name)
    }

    /// How much more ours is than theirs, round by round. `None` without a round of both.
    pub(super) fn added(&self, value: fn(&Turn) -> f64) -> Option<Summary> {
        let differences = self.turns_of(&self.ours).filter_map(|ours| {
            let theirs = self.turns_of(&self.theirs).find(|theirs| theirs.round == ours.round)?;
            Some(value(ours) - value(theirs))
        });
        Summary::of(&differences.collect::<Vec<_>>())
    }
}

#[cfg(test)]
pub(super) mod samples {
    use super::super::clients::Latency;
    use super::super::shape::Shape;
    use super::super::turn::Run;
    use super::*;

    /// A turn of a contender whose every number follows from `size`.
    pub(in super::super) fn turn(server: &str, round: u32, size: f64) -> Turn {
        let run = Run { mib_per_second: 50.0, server_cpu: 4.0 * size, other_cpu: size, client_cpu: 9.0 };
        let latency =
            Latency { average_ms: size, p50_ms: size, p95_ms: size, p99_ms: 2.0 * size, p999_ms: 3.0 * size };
        Turn {
            server: server.to_owned(),
            round,
            records: 1000,
            produce: run,
            consume: run,
            paced: run,
            latency,
            delivery: latency,
            peak_memory_mib: 800.0,
            other: "gateway".to_owned(),
            other_peak_memory_mib: 20.0,
            other_cpu_seconds: size,
        }
    }

    /// A report about the turns of `gateway` and `direct`.
    pub(in super::super) fn report(turns: Vec<Turn>) -> Report {
        let named = |name: &str| Named { name: name.to_owned(), setting: "a setting".to_owned() };
        Report {
            date: "2026-01-01T00:00:00Z".to_owned(),
            command: "cargo xtask bench".to_owned(),
            smoke: false,
            versions: Versions {
                schloss: Some("0.1.0".to_owned()),
                commit: "abc".to_owned(),
                kafka: "4.3.1".to_owned(),
                java: "25".to_owned(),
            },
            machine: Machine::of(std::path::Path::new("/")),
            rounds: 1,
            findings: Findings {
                starts: Vec::new(),
                pairs: vec![Pair {
                    title: "A pair".to_owned(),
                    ours: named("gateway"),
                    theirs: named("direct"),
                    load: Load {
                        shape: Shape::USUAL,
                        records: 1000,
                        paced_per_second: 25_600,
                        paced_seconds: 10,
                    },
                    turns,
                }],
                ladder: None,
            },
            seconds: 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_reach_into_each_other_show_no_difference() {
        let summary = |min: f64, max: f64| Summary { median: f64::midpoint(min, max), min, max };
        let comparison = |ours, theirs| Comparison { metric: "x", unit: "s", ours, theirs };
        assert!(comparison(summary(1.0, 2.0), summary(2.0, 3.0)).overlaps());
        assert!(!comparison(summary(1.0, 1.9), summary(2.0, 3.0)).overlaps());
        assert!(!comparison(summary(4.0, 5.0), summary(2.0, 3.0)).overlaps());
        assert_eq!(comparison(summary(1.0, 1.0), summary(4.0, 4.0)).ratio(), Some(0.25));
    }

    #[test]
    fn what_is_added_is_the_difference_within_a_round() {
        let turns = [("gateway", 1, 3.0), ("direct", 1, 1.0), ("direct", 2, 9.0), ("gateway", 2, 10.0)];
        let report =
            samples::report(turns.map(|(name, round, size)| samples::turn(name, round, size)).into());
        let added = report.findings.pairs[0].added(|turn| turn.latency.average_ms).unwrap();
        assert_eq!(added, Summary { median: 1.5, min: 1.0, max: 2.0 });
        let alone = samples::report(vec![samples::turn("gateway", 1, 3.0), samples::turn("direct", 2, 1.0)]);
        assert_eq!(alone.findings.pairs[0].added(|turn| turn.latency.average_ms), None);
    }
}
