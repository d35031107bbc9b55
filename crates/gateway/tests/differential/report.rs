//! What was compared and what came of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use schloss_wire::Api;

use crate::Played;
use crate::case::Case;
use crate::known::{self, KNOWN, Place};
use crate::names::Twin;
use crate::side::Exchange;
use crate::tree::compare;

/// What is answered before anybody is asked for a right.
const BEFORE_POLICY: [Api; 3] = [Api::SaslHandshake, Api::ApiVersions, Api::SaslAuthenticate];

#[derive(Default)]
pub(crate) struct Report {
    /// By the key of the API that a case is about.
    apis: BTreeMap<i16, Sum>,
    met: BTreeSet<&'static str>,
    unmeant: Vec<String>,
}

#[derive(Default)]
struct Sum {
    name: &'static str,
    versions: BTreeSet<i16>,
    answers: usize,
    meant: usize,
    unmeant: usize,
    seconds: f64,
}

impl Report {
    pub(crate) fn add(&mut self, played: &Played<'_>) {
        for (version, kafka, gateway) in &played.told {
            self.compare(played.case, *version, kafka, gateway);
        }
        self.apis.entry(played.case.api.key()).or_default().seconds += played.seconds;
    }

    fn compare(&mut self, case: &Case, version: i16, kafka: &[Exchange], gateway: &[Exchange]) {
        let sum = self.apis.entry(case.api.key()).or_default();
        sum.name = case.api.name();
        sum.versions.insert(version);
        let head = format!("{} v{version}, {}", case.api.name(), case.scenario);
        if kafka.len() != gateway.len() {
            self.unmeant.push(format!("{head}: {} answers, {} of the gateway", kafka.len(), gateway.len()));
            sum.unmeant += 1;
        }
        for (one, other) in kafka.iter().zip(gateway) {
            sum.answers += 1;
            let (mut meant, mut unmeant) = (false, String::new());
            for difference in compare(&one.answer, &other.answer) {
                let api = one.step.split(' ').next().unwrap_or_default();
                let scenario = format!("{}: {}", case.scenario, one.step);
                let place = Place { api, version, scenario: &scenario, difference: &difference };
                if let Some(row) = known::row(&place) {
                    self.met.insert(row);
                    meant = true;
                    continue;
                }
                let (left, right) = (Twin::Kafka.called(), Twin::Gateway.called());
                let _ = write!(
                    unmeant,
                    "\n  {}\n    {left}: {}\n    {right}: {}",
                    difference.path, difference.left, difference.right
                );
            }
            sum.meant += usize::from(meant);
            if !unmeant.is_empty() {
                sum.unmeant += 1;
                self.unmeant.push(format!("{head} [{}] ({}){unmeant}", case.grants.join("; "), one.step));
            }
        }
    }

    /// Prints everything, and ends the test if a difference is not meant, or one that is meant was not met.
    ///
    /// `offered` is what both sides offer, if everything was asked.
    pub(crate) fn conclude(&self, offered: Option<&[Api]>) {
        println!(
            "{:>3} {:<32} {:>9} {:>8} {:>6} {:>8} {:>8}",
            "key", "API", "versions", "answers", "meant", "unmeant", "seconds"
        );
        for (key, sum) in self.apis.iter().filter(|(_, sum)| sum.answers > 0) {
            let (first, last) = (sum.versions.first().unwrap_or(&0), sum.versions.last().unwrap_or(&0));
            let versions = format!("{first}-{last}");
            let Sum { name, answers, meant, unmeant, seconds, .. } = sum;
            println!("{key:>3} {name:<32} {versions:>9} {answers:>8} {meant:>6} {unmeant:>8} {seconds:>8.1}");
        }
        let answers: usize = self.apis.values().map(|sum| sum.answers).sum();
        println!("{answers} answers of {} APIs compared", self.apis.len());
        for text in self.unmeant.iter() {
            println!("\n{text}");
        }
        assert!(self.unmeant.is_empty(), "{} answers differ in what is not documented", self.unmeant.len());
        let Some(offered) = offered else { return };
        let stale: Vec<&str> =
            KNOWN.iter().map(|known| known.row).filter(|row| !self.met.contains(row)).collect();
        assert!(stale.is_empty(), "documented, but no difference any more: {stale:?}");
        let is_missing = |api: &&Api| !BEFORE_POLICY.contains(api) && !self.compared(**api);
        let missing: Vec<&Api> = offered.iter().filter(is_missing).collect();
        assert!(missing.is_empty(), "offered, but never asked: {missing:?}");
    }

    fn compared(&self, api: Api) -> bool {
        self.apis.get(&api.key()).is_some_and(|sum| sum.answers > 0)
    }
}
