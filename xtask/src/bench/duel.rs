//! Two servers against each other, turn by turn.

use std::fs;
use std::path::Path;
use std::rc::Rc;
use std::thread::sleep;
use std::time::Duration;

use super::administration::Administrator;
use super::certificates::Certificates;
use super::clients::Clients;
use super::java::Java;
use super::prober::Prober;
use super::progress::Progress;
use super::results::{Named, Pair, Side, Start};
use super::server::{Running, Server};
use super::turn::{Contender, Load, Turn};

/// How long a producing run may take at the slower server; more records are not written then.
const PRODUCE_SECONDS: f64 = 20.0;
/// Fewer records are not worth measuring.
const MIN_RECORDS: u64 = 10_000;
/// A warm-up writes this share of a turn's records, and at most so many.
const WARM_UP_SHARE: u64 = 4;
const MAX_WARM_UP_RECORDS: u64 = 200_000;
/// How long after its start a server is idle.
const IDLE_AFTER: Duration = Duration::from_secs(3);

/// Two prepared servers.
pub(super) struct Duel<'a> {
    pub(super) title: &'a str,
    /// For progress.
    pub(super) word: &'a str,
    pub(super) ours: (Server, Named),
    pub(super) theirs: (Server, Named),
    pub(super) certificates: Certificates,
    pub(super) java: &'a Rc<Java>,
    pub(super) prober: &'a Prober,
    /// For clients' files.
    pub(super) directory: &'a Path,
    pub(super) progress: &'a Progress,
}

impl Duel<'_> {
    /// Starts each server `rounds` times on its empty data.
    ///
    /// # Errors
    /// A server's.
    pub(super) fn starts(&self, rounds: u32) -> anyhow::Result<Vec<Start>> {
        let mut starts = Vec::new();
        for round in 1..=rounds {
            for side in order(round) {
                let (server, named) = self.side(side);
                let running = server.start(self.prober)?;
                sleep(IDLE_AFTER);
                let start = Start {
                    server: named.name.clone(),
                    side,
                    ready_seconds: running.ready_after.as_secs_f64(),
                    asking_seconds: server.time_to_ask(self.prober)?.as_secs_f64(),
                    idle_memory_mib: running.process.memory()?.resident_kib as f64 / 1024.0,
                };
                running.process.stop()?;
                self.progress.step(&format!(
                    "start {round}/{rounds}, {}: ready after {:.3} s, {:.1} MiB",
                    named.name, start.ready_seconds, start.idle_memory_mib
                ));
                starts.push(start);
            }
        }
        Ok(starts)
    }

    /// Runs both servers, warms them up, and lets them take turns.
    ///
    /// # Errors
    /// A server's or a client's.
    pub(super) fn fight(&self, rounds: u32, wanted: Load) -> anyhow::Result<Pair> {
        let ours = self.ours.0.start(self.prober)?;
        let theirs = self.theirs.0.start(self.prober)?;
        let clients = (self.set_up(Side::Ours, rounds)?, self.set_up(Side::Theirs, rounds)?);
        let ring = Ring { duel: self, ours, theirs, clients };

        let warm_up =
            Load { records: (wanted.records / WARM_UP_SHARE).clamp(1, MAX_WARM_UP_RECORDS), ..wanted };
        let mut slowest = f64::INFINITY;
        for side in order(1) {
            let turn = ring.turn(side, 0, warm_up, &format!("{}, warm-up", self.word))?;
            slowest = slowest.min(turn.produce_mib_per_second);
        }
        let load = Load { records: bounded(wanted.records, slowest), ..wanted };
        if load.records < wanted.records {
            self.progress.step(&format!("{}: {} records a turn, to stay in time", self.word, load.records));
        }

        let mut turns = Vec::new();
        for round in 1..=rounds {
            for side in order(round) {
                turns.push(ring.turn(
                    side,
                    round,
                    load,
                    &format!("{}, round {round}/{rounds}", self.word),
                )?);
            }
        }
        ring.ours.process.stop()?;
        ring.theirs.process.stop()?;
        let (ours, theirs) = (self.ours.1.clone(), self.theirs.1.clone());
        Ok(Pair { title: self.title.to_owned(), ours, theirs, load, turns })
    }

    fn side(&self, side: Side) -> (&Server, &Named) {
        let (server, named) = match side {
            Side::Ours => &self.ours,
            Side::Theirs => &self.theirs,
        };
        (server, named)
    }

    fn set_up(&self, side: Side, rounds: u32) -> anyhow::Result<Clients> {
        let (server, named) = self.side(side);
        let directory = self.directory.join(format!("{side:?}-clients").to_lowercase());
        fs::create_dir_all(&directory)?;
        let administrator =
            Administrator { java: self.java, server, directory: &directory, ca: &self.certificates.ca };
        let clients = administrator.make_clients()?;
        administrator.make_topic(PACED_TOPIC)?;
        for round in 0..=rounds {
            administrator.make_topic(&round.to_string())?;
        }
        self.progress.step(&format!("{}, {}: accounts, ACLs and topics made", self.word, named.name));
        Ok(clients)
    }
}

const PACED_TOPIC: &str = "paced";

/// Two running servers with their clients.
struct Ring<'a> {
    duel: &'a Duel<'a>,
    ours: Running,
    theirs: Running,
    clients: (Clients, Clients),
}

impl Ring<'_> {
    fn turn(&self, side: Side, round: u32, load: Load, step: &str) -> anyhow::Result<Turn> {
        let (process, clients, other) = match side {
            Side::Ours => (&self.ours.process, &self.clients.0, &self.theirs.process),
            Side::Theirs => (&self.theirs.process, &self.clients.1, &self.ours.process),
        };
        let name = self.duel.side(side).1.name.as_str();
        let topics = (format!("bench-{round}"), format!("bench-{PACED_TOPIC}"));
        Contender { name, process, clients }.take_turn(
            round,
            (&topics.0, &topics.1),
            load,
            other,
            &mut |words| self.duel.progress.step(&format!("{step}, {name}: {words}")),
        )
    }
}

/// Who begins changes from round to round: what grows or slows down with time hits both alike.
fn order(round: u32) -> [Side; 2] {
    if round.is_multiple_of(2) { [Side::Theirs, Side::Ours] } else { [Side::Ours, Side::Theirs] }
}

/// As many records as the slower server takes in the time of one run.
fn bounded(wanted: u64, slowest_mib_per_second: f64) -> u64 {
    // Records of 1 KiB; a float that is too large or no number becomes a bound by the conversion.
    let fitting = (slowest_mib_per_second * 1024.0 * PRODUCE_SECONDS) as u64;
    wanted.min(fitting.max(MIN_RECORDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_begin_in_turn() {
        let four: Vec<Side> = (1..=2).flat_map(order).collect();
        assert_eq!(four, [Side::Ours, Side::Theirs, Side::Theirs, Side::Ours]);
    }

    #[test]
    fn a_slow_server_gets_fewer_records_but_never_too_few() {
        assert_eq!(bounded(1_000_000, 100.0), 1_000_000);
        assert_eq!(bounded(1_000_000, 10.0), 204_800);
        assert_eq!(bounded(1_000_000, 0.001), MIN_RECORDS);
        assert_eq!(bounded(500, 0.001), 500);
        assert_eq!(bounded(500, f64::INFINITY), 500);
    }
}
