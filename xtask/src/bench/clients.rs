//! The clients that make the load: Kafka's own performance tools, the same for both servers.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context, bail};
use serde::Serialize;

use super::account::Account;
use super::java::Java;
use super::process::{Process, last_lines};

/// Size of a record's value, bytes.
pub(super) const RECORD_BYTES: u64 = 1024;
/// Records of a fixed-rate run are not counted for this long at its start, while the client's Java warms up.
const PACED_WARM_UP_SECONDS: u64 = 3;
/// What one run of a client may take.
const RUN_LIMIT: Duration = Duration::from_secs(240);
/// As in `kafka-producer-perf-test.sh` and `kafka-consumer-perf-test.sh`.
const JVM: &[&str] = &["-Xmx512M"];

/// What the producing tool says at its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Produced {
    pub(super) records: u64,
    pub(super) mib_per_second: f64,
    pub(super) average_ms: f64,
    pub(super) p50_ms: f64,
    pub(super) p95_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) p999_ms: f64,
}

/// What the consuming tool says at its end.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Consumed {
    pub(super) records: u64,
    /// Without the time until the group had its members.
    pub(super) mib_per_second: f64,
}

/// The two accounts of one server, and what runs with them.
pub(super) struct Clients {
    pub(super) java: Rc<Java>,
    pub(super) bootstrap: String,
    pub(super) producer: Account,
    pub(super) consumer: Account,
    /// Where each run leaves its output.
    pub(super) logs: PathBuf,
}

impl Clients {
    /// Writes records as fast as it goes.
    ///
    /// # Errors
    /// The tool fails or some record was not acknowledged.
    pub(super) fn produce(&self, topic: &str, records: u64) -> anyhow::Result<Produced> {
        self.run_producer(&format!("produce-{topic}"), topic, records, None, &[])
    }

    /// Writes at a fixed rate for some seconds; the result is without the first ones.
    ///
    /// # Errors
    /// As of [`Clients::produce`].
    pub(super) fn produce_paced(
        &self,
        topic: &str,
        per_second: u64,
        seconds: u64,
    ) -> anyhow::Result<Produced> {
        let (warm_up, records) = paced_records(per_second, seconds);
        let more = ["--warmup-records".to_owned(), warm_up.to_string()];
        self.run_producer(&format!("paced-{topic}"), topic, records, Some(per_second), &more)
    }

    fn run_producer(
        &self,
        name: &str,
        topic: &str,
        records: u64,
        paced: Option<u64>,
        more: &[String],
    ) -> anyhow::Result<Produced> {
        let mut command = self.java.command(JVM, "org.apache.kafka.tools.ProducerPerformance");
        command
            .args(["--bootstrap-server", &self.bootstrap, "--topic", topic])
            .args(["--num-records", &records.to_string(), "--record-size", &RECORD_BYTES.to_string()])
            .args(["--throughput", &paced.map_or_else(|| "-1".to_owned(), |rate| rate.to_string())])
            .args(more)
            .arg("--command-config")
            .arg(&self.producer.properties)
            .args(["--command-property", "acks=all"]);
        if paced.is_some() {
            // Waiting for more records would be most of what is measured.
            command.arg("linger.ms=0");
        }
        let text = self.run(name, &mut command)?;
        let total = summary(&text, " records sent").context("the producer printed no result")?;
        if total.records != records {
            bail!("{name}: {} of {records} records were acknowledged:\n{}", total.records, last_lines(&text));
        }
        if paced.is_some() {
            return summary(&text, " steady state records sent")
                .context("the producer printed no steady state");
        }
        Ok(total)
    }

    /// Reads that many records from the start of the topic as a new group.
    ///
    /// # Errors
    /// The tool fails or gets fewer.
    pub(super) fn consume(&self, topic: &str, records: u64) -> anyhow::Result<Consumed> {
        let name = format!("consume-{topic}");
        let mut command = self.java.command(JVM, "org.apache.kafka.tools.ConsumerPerformance");
        command
            .args(["--bootstrap-server", &self.bootstrap, "--topic", topic, "--group", topic])
            .args(["--num-records", &records.to_string(), "--timeout", "30000"])
            .arg("--command-config")
            .arg(&self.consumer.properties);
        let text = self.run(&name, &mut command)?;
        let consumed = consumed(&text).context("the consumer printed no result")?;
        if consumed.records < records {
            bail!("{name}: only {} of {records} records came:\n{}", consumed.records, last_lines(&text));
        }
        Ok(consumed)
    }

    fn run(&self, name: &str, command: &mut Command) -> anyhow::Result<String> {
        let log = self.logs.join(format!("{name}.log"));
        Process::start(name, command, &log)?.wait(RUN_LIMIT)?;
        Ok(fs::read_to_string(&log)?)
    }
}

/// How many records a fixed-rate run warms up with, and how many it writes in all.
pub(super) fn paced_records(per_second: u64, seconds: u64) -> (u64, u64) {
    (per_second * PACED_WARM_UP_SECONDS, per_second * (PACED_WARM_UP_SECONDS + seconds))
}

/// Reads the last line such as `9 records sent, 1.0 records/sec (0.10 MB/sec), 2.00 ms avg latency, 3.00 ms max
/// latency, 2 ms 50th, 2 ms 95th, 3 ms 99th, 3 ms 99.9th.`; lines on the way have no percentiles.
fn summary(text: &str, words: &str) -> Option<Produced> {
    let line = text.lines().rfind(|line| {
        line.split_once(words).is_some_and(|(count, _)| count.parse::<u64>().is_ok())
            && line.contains("ms 99.9th")
    })?;
    let before = |ending: &str| {
        let part = line
            .split([',', '('])
            .find_map(|part| part.trim().trim_end_matches(['.', ')']).strip_suffix(ending))?;
        part.trim().parse().ok()
    };
    Some(Produced {
        records: line.split_once(words)?.0.parse().ok()?,
        mib_per_second: before("MB/sec")?,
        average_ms: before("ms avg latency")?,
        p50_ms: before("ms 50th")?,
        p95_ms: before("ms 95th")?,
        p99_ms: before("ms 99th")?,
        p999_ms: before("ms 99.9th")?,
    })
}

/// Reads the line under the header `start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg,
/// nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec`.
fn consumed(text: &str) -> Option<Consumed> {
    text.lines().rev().find_map(|line| {
        let fields: Vec<&str> = line.split(", ").collect();
        let [_, _, _, _, records, _, _, _, mib_per_second, _] = fields.as_slice() else { return None };
        Some(Consumed { records: records.parse().ok()?, mib_per_second: mib_per_second.parse().ok()? })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCER: &str = "\
[main] INFO org.apache.kafka.common.security.authenticator.AbstractLogin - Successfully logged in.
Warmup first 10 records. Steady state results will print after the complete test summary.
24971 records sent, 4994.2 records/sec (4.88 MB/sec), 1.5 ms avg latency, 271.0 ms max latency.
64971 records sent, 4996.5 records/sec (4.88 MB/sec), 1.49 ms avg latency, 271.00 ms max latency, 1 ms 50th, 2 ms 95th, 12 ms 99th, 40 ms 99.9th.
49990 steady state records sent, 4990.5 records/sec (4.87 MB/sec), 0.90 ms avg latency, 20.00 ms max latency, 1 ms 50th, 2 ms 95th, 7 ms 99th, 15 ms 99.9th.
";

    #[test]
    fn the_totals_and_the_steady_state_of_a_producer_are_told_apart() {
        let total = summary(PRODUCER, " records sent").unwrap();
        assert_eq!(
            total,
            Produced {
                records: 64_971,
                mib_per_second: 4.88,
                average_ms: 1.49,
                p50_ms: 1.0,
                p95_ms: 2.0,
                p99_ms: 12.0,
                p999_ms: 40.0
            }
        );
        let steady = summary(PRODUCER, " steady state records sent").unwrap();
        assert_eq!((steady.records, steady.average_ms, steady.p99_ms), (49_990, 0.9, 7.0));
    }

    #[test]
    fn a_producer_that_did_not_end_well_has_no_result() {
        let cut = PRODUCER.lines().take(3).collect::<Vec<_>>().join("\n");
        assert_eq!(summary(&cut, " records sent"), None);
        assert_eq!(summary("", " records sent"), None);
    }

    #[test]
    fn the_result_of_a_consumer_counts_the_time_of_fetching_only() {
        let text = "\
[main] INFO org.apache.kafka.tools.ConsumerPerformance - Starting consumer...
start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec
2026-01-01 10:00:00:123, 2026-01-01 10:00:10:123, 976.5625, 97.6563, 1000000, 100000.0000, 3500, 6500, 150.2404, 153846.1538
";
        assert_eq!(consumed(text), Some(Consumed { records: 1_000_000, mib_per_second: 150.2404 }));
        assert_eq!(consumed("start.time, end.time\n"), None);
        assert_eq!(consumed(text.lines().nth(1).unwrap()), None, "a header is no result");
    }

    #[test]
    fn a_paced_run_warms_up_before_it_counts() {
        assert_eq!(paced_records(5000, 10), (15_000, 65_000));
    }
}
