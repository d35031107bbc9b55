//! The chapter about the gateway before Apache Kafka.

use super::super::account::CIPHER_SUITE;
use super::super::results::{Comparison, METRICS, Metric, Pair, Report};
use super::super::statistics::{Summary, ratio};
use super::super::table::{number, table};
use super::super::turn::Turn;
use super::{COSTS, Chapter, comparison_table, range, turns_in_words};

/// One broker with and without the gateway.
pub(in super::super) const GATEWAY: Chapter = Chapter {
    key: "gateway",
    title: "The gateway before Apache Kafka",
    tables,
    method,
    noise,
    columns: &[
        ("produce", |turn| turn.produce.mib_per_second),
        ("broker CPU", |turn| turn.produce.server_cpu),
        ("gateway CPU", |turn| turn.produce.other_cpu),
        ("client CPU", |turn| turn.produce.client_cpu),
        ("consume", |turn| turn.consume.mib_per_second),
        ("broker CPU", |turn| turn.consume.server_cpu),
        ("gateway CPU", |turn| turn.consume.other_cpu),
        ("client CPU", |turn| turn.consume.client_cpu),
        ("fixed", |turn| turn.paced.mib_per_second),
        ("broker CPU", |turn| turn.paced.server_cpu),
        ("gateway CPU", |turn| turn.paced.other_cpu),
        ("mean", |turn| turn.latency.average_ms),
        ("p50", |turn| turn.latency.p50_ms),
        ("p95", |turn| turn.latency.p95_ms),
        ("p99", |turn| turn.latency.p99_ms),
        ("p99.9", |turn| turn.latency.p999_ms),
        ("end to end p50", |turn| turn.delivery.p50_ms),
        ("end to end p99", |turn| turn.delivery.p99_ms),
        ("gateway peak", |turn| turn.other_peak_memory_mib),
    ],
};

/// What the gateway should add at p99 at most, milliseconds.
const GOAL_MS: f64 = 1.0;
const P99: Metric<Turn> = ("p99 latency", "ms", |turn| turn.latency.p99_ms);
const ADDED: [Metric<Turn>; 4] = [
    ("mean latency", "ms", |turn| turn.latency.average_ms),
    ("p50 latency", "ms", |turn| turn.latency.p50_ms),
    P99,
    ("p99.9 latency", "ms", |turn| turn.latency.p999_ms),
];

/// A quantity of the gateway and of the broker behind it.
type Both = (&'static str, &'static str, fn(&Turn) -> f64, fn(&Turn) -> f64);

const PRODUCE_CPU: Both =
    ("produce: CPU", "CPU s/GiB", |turn| turn.produce.other_cpu, |turn| turn.produce.server_cpu);
const CONSUME_CPU: Both =
    ("consume: CPU", "CPU s/GiB", |turn| turn.consume.other_cpu, |turn| turn.consume.server_cpu);
const BEHIND: [Both; 4] = [
    PRODUCE_CPU,
    CONSUME_CPU,
    ("fixed rate: CPU", "CPU s/GiB", |turn| turn.paced.other_cpu, |turn| turn.paced.server_cpu),
    ("peak memory", "MiB", |turn| turn.other_peak_memory_mib, |turn| turn.peak_memory_mib),
];

fn tables(report: &Report) -> String {
    let mut text = String::new();
    for pair in &report.findings.pairs {
        let with_and_without =
            comparison_table(&pair.comparisons(&METRICS), &pair.ours.name, &pair.theirs.name);
        let behind: Vec<Comparison> = BEHIND.iter().filter_map(|both| behind(pair, both)).collect();
        text += &format!(
            "{}\n### {}\n\n{with_and_without}\n### What the gateway adds at the fixed rate\n\n{}\n\
             ### The gateway and the broker behind it\n\n{}\n",
            goals(pair),
            pair.title,
            added_table(pair),
            comparison_table(&behind, "gateway", "broker"),
        );
    }
    text
}

/// The gateway and the broker while clients go through the gateway.
fn behind(pair: &Pair, &(metric, unit, gateway, broker): &Both) -> Option<Comparison> {
    let of = |value: fn(&Turn) -> f64| Summary::of(&pair.turns_of(&pair.ours).map(value).collect::<Vec<_>>());
    Some(Comparison { metric, unit, ours: of(gateway)?, theirs: of(broker)? })
}

fn added_table(pair: &Pair) -> String {
    let rows = ADDED.iter().filter_map(|&(metric, unit, value)| {
        let added = pair.added(value)?;
        Some(vec![format!("{metric} ({unit})"), number(added.median), range(added)])
    });
    table(&["more than direct in the same round", "median", "min..max"], &rows.collect::<Vec<_>>())
}

/// Whether it is as it should be.
fn goals(pair: &Pair) -> String {
    let (_, _, p99) = P99;
    let latency = pair.added(p99).map(|added| {
        let kept = all_kept(pair);
        let limit = if kept { "" } else { "; but the rate was not kept in every round" };
        (kept && added.median < GOAL_MS, format!("{} ms, {}{limit}", number(added.median), range(added)))
    });
    let cpu = [PRODUCE_CPU, CONSUME_CPU].map(|both| {
        let line = behind(pair, &both)?;
        Some((line.ours.median < line.theirs.median, number(line.ratio()?)))
    });
    let [produce, consume] = cpu;
    let goals = [
        (format!("a p99 latency of under {GOAL_MS} ms more at the fixed rate"), latency),
        ("less CPU than the broker behind it, to produce".to_owned(), produce),
        ("less CPU than the broker behind it, to consume".to_owned(), consume),
    ];
    let mut text = String::new();
    for (goal, found) in goals {
        let words = match found {
            Some((true, value)) => format!("reached ({value})"),
            Some((false, value)) => format!("**missed** ({value})"),
            None => "not measured".to_owned(),
        };
        text += &format!("* {goal}: {words}\n");
    }
    text
}

fn all_kept(pair: &Pair) -> bool {
    pair.turns.iter().all(|turn| pair.load.is_kept_by(turn.paced.mib_per_second))
}

fn method(_report: &Report) -> String {
    format!(
        "Broker, gateway and client run on this machine, so at full speed what one of them uses is missing to the \
         others: throughput through the gateway is that of a machine that does its work too. CPU per GiB is what \
         tells its cost. Kafka is a single KRaft node (broker and controller in one process) with `SASL_SSL`, \
         SCRAM-SHA-512, `StandardAuthorizer`, and its own defaults for everything else. The gateway is what `schloss \
         gateway quickstart` makes, with its audit on; its own accounts and ACLs are in force before it, and it \
         goes to the broker as a super user over TLS and SCRAM-SHA-512 (identity `service`). TLS 1.3 with \
         {CIPHER_SUITE} and ECDSA P-256 on all ways. Accounts, ACLs (one account may write, another read, both by \
         prefix) and topics are made by Kafka's own tools: at the broker for the clients that go there, at the \
         gateway for the others.\n\n\
         Both ways lead to the same running broker, each to topics of its own. After one turn each that is not \
         counted, and a run that finds out the full rate without the gateway, half of which is the fixed rate (unless `--rate` \
         sets it), they \
         {} What the gateway adds is the difference within a round.\n\n\
         {COSTS} Idle or not, broker and gateway are both running in all turns.\n",
        turns_in_words()
    )
}

fn noise(report: &Report) -> String {
    let mut text = String::new();
    for pair in &report.findings.pairs {
        let waiting = pair.turns_of(&pair.theirs).map(|turn| turn.other_cpu_seconds).fold(0.0, f64::max);
        text +=
            &format!("* The waiting gateway used at most {} CPU s in a turn without it.\n", number(waiting));
        if let Some(share) = share_of_full_rate(pair) {
            text += &format!(
                "* The fixed rate was {:.0} % of the median of the full rates without the gateway.\n",
                share * 100.0
            );
        }
    }
    text
}

/// The fixed rate as a share of what the broker took without the gateway in the rounds that count.
fn share_of_full_rate(pair: &Pair) -> Option<f64> {
    let rates: Vec<f64> = pair.turns_of(&pair.theirs).map(|turn| turn.produce.mib_per_second).collect();
    let wanted = pair.load.paced_mib_per_second();
    ratio(wanted, Summary::of(&rates)?.median)
}

#[cfg(test)]
mod tests {
    use super::super::super::results::samples::{report, turn};
    use super::*;

    fn text(turns: Vec<Turn>) -> String {
        GATEWAY.text(&report(turns))
    }

    #[test]
    fn goals_are_reached_where_little_is_added() {
        let text = text(vec![turn("direct", 1, 1.0), turn("gateway", 1, 1.2)]);
        assert!(
            text.contains("* a p99 latency of under 1 ms more at the fixed rate: reached (0.400 ms, "),
            "{text}"
        );
        assert_eq!(text.matches(" it, to produce: reached (0.250)").count(), 1, "{text}");
        assert_eq!(text.matches(" it, to consume: reached (0.250)").count(), 1, "{text}");
        assert!(text.contains("The waiting gateway used at most 1.00 CPU s"), "{text}");
        assert!(text.contains("The fixed rate was 50 % of"), "{text}");
    }

    #[test]
    fn goals_are_missed_where_much_is_added() {
        let mut dear = turn("gateway", 1, 2.0);
        dear.produce.other_cpu = 9.0;
        let text = text(vec![turn("direct", 1, 1.0), dear]);
        assert!(text.contains("at the fixed rate: **missed** (2.00 ms, "), "{text}");
        assert!(text.contains(" it, to produce: **missed** (1.12)"), "{text}");
        assert!(text.contains(" it, to consume: reached (0.250)"), "{text}");
    }

    #[test]
    fn latency_of_a_rate_that_was_not_kept_reaches_no_goal() {
        let mut slow = turn("gateway", 1, 1.0);
        slow.paced.mib_per_second = 10.0;
        let text = text(vec![turn("direct", 1, 1.0), slow]);
        assert!(text.contains("**missed** (0.00 ms, 0.00..0.00; but the rate was not kept"), "{text}");
    }

    #[test]
    fn the_broker_behind_is_that_of_the_turns_through_the_gateway() {
        let pair = report(vec![turn("direct", 1, 100.0), turn("gateway", 1, 2.0)]).findings.pairs.remove(0);
        let line = behind(&pair, &PRODUCE_CPU).unwrap();
        assert_eq!((line.ours.median, line.theirs.median), (2.0, 8.0));
    }
}
