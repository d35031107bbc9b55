//! What a run found, as it is kept in JSON, and which of its numbers are compared.

use serde::Serialize;

use super::machine::Machine;
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
    pub(super) starts: Vec<Start>,
    pub(super) pairs: Vec<Pair>,
    pub(super) seconds: u64,
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
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Side {
    Ours,
    Theirs,
}

/// Two servers that promise the same about durability.
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
    /// The setting for durability.
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
type Metric<Of> = (&'static str, &'static str, fn(&Of) -> f64);

/// In the order of the report.
const METRICS: [Metric<Turn>; 11] = [
    ("produce: server CPU", "CPU s/GiB", |turn| turn.produce_cpu_seconds_per_gib),
    ("consume: server CPU", "CPU s/GiB", |turn| turn.consume_cpu_seconds_per_gib),
    ("fixed rate: server CPU", "CPU s/GiB", |turn| turn.paced_cpu_seconds_per_gib),
    ("produce: throughput", "MiB/s", |turn| turn.produce_mib_per_second),
    ("consume: throughput", "MiB/s", |turn| turn.consume_mib_per_second),
    ("fixed rate: mean latency", "ms", |turn| turn.paced_average_ms),
    ("fixed rate: p50 latency", "ms", |turn| turn.paced_p50_ms),
    ("fixed rate: p99 latency", "ms", |turn| turn.paced_p99_ms),
    ("fixed rate: p99.9 latency", "ms", |turn| turn.paced_p999_ms),
    ("peak memory", "MiB", |turn| turn.peak_memory_mib),
    ("client CPU (produce)", "CPU s/GiB", |turn| turn.produce_client_cpu_seconds_per_gib),
];

impl Pair {
    pub(super) fn comparisons(&self) -> Vec<Comparison> {
        let of = |name: &str, value: fn(&Turn) -> f64| {
            let turns = self.turns.iter().filter(|turn| turn.server == name);
            Summary::of(&turns.map(value).collect::<Vec<_>>())
        };
        METRICS
            .iter()
            .filter_map(|&(metric, unit, value)| {
                Some(Comparison {
                    metric,
                    unit,
                    ours: of(&self.ours.name, value)?,
                    theirs: of(&self.theirs.name, value)?,
                })
            })
            .collect()
    }
}

impl Report {
    pub(super) fn start_comparisons(&self) -> Vec<Comparison> {
        let of = |side: Side, value: fn(&Start) -> f64| {
            let starts = self.starts.iter().filter(|start| start.side == side);
            Summary::of(&starts.map(value).collect::<Vec<_>>())
        };
        let metrics: [Metric<Start>; 2] = [
            ("time to ready", "s", |start| start.ready_seconds),
            ("idle memory", "MiB", |start| start.idle_memory_mib),
        ];
        metrics
            .into_iter()
            .filter_map(|(metric, unit, value)| {
                Some(Comparison {
                    metric,
                    unit,
                    ours: of(Side::Ours, value)?,
                    theirs: of(Side::Theirs, value)?,
                })
            })
            .collect()
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
}
