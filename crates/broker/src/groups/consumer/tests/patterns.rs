//! Subscriptions by regular expression.

use super::*;
use crate::groups::consumer::pattern::PatternError;

impl Bench {
    /// A heartbeat with what regular expressions come to now, for everybody.
    fn beat_resolved(&mut self, beat: &Beat, patterns: &[&str]) -> (i32, Option<usize>) {
        let resolved = patterns.iter().map(|pattern| resolve(&self.known, pattern, &subject())).collect();
        let reply = self.group.heartbeat(self.now, &self.config, beat, Ok(resolved), &self.known).unwrap();
        (reply.epoch, reply.assignment.map(|owned| owned.len()))
    }
}

fn matching(id: &str, pattern: &str) -> Beat {
    Beat { names: None, pattern: Some(pattern.into()), ..join(id, &[]) }
}

#[test]
fn a_pattern_follows_the_topics_and_adds_to_the_names() {
    let mut bench = Bench::new(&[("a-1", 1), ("a-2", 1), ("b", 1)]);
    assert_eq!(bench.beat_resolved(&matching("m", "a-.*"), &["a-.*"]), (1, Some(2)));
    bench.known.set("a-3", 2);
    assert_eq!(bench.beat_resolved(&beat("m", 1), &["a-.*"]), (2, Some(4)));
    bench.known.set("c", 2);
    assert_eq!(bench.beat_resolved(&beat("m", 2), &["a-.*"]), (2, None), "it doesn't match");
    let names = Beat { names: join("m", &["b"]).names, ..beat("m", 2) };
    assert_eq!(bench.beat(&names).0, 3);
    assert_eq!(bench.group.members["m"].place.assigned.len(), 5);
    // An empty expression is none.
    let without = Beat { pattern: Some("".into()), ..beat("m", 3) };
    assert_eq!(bench.beat(&without).1.unwrap(), bench.partitions("b", &[0]));
}

#[test]
fn another_pattern_is_another_subscription() {
    let mut bench = Bench::new(&[("a", 1), ("b", 1)]);
    bench.beat_resolved(&matching("m", "a"), &["a"]);
    let other = Beat { pattern: Some("b".into()), ..beat("m", 1) };
    assert_eq!(bench.beat_resolved(&other, &["b"]), (1, Some(0)), "the other topic is given up first");
    let reply = bench.beat(&owning("m", 1, &[]));
    assert_eq!(reply, (2, Some(bench.partitions("b", &[0]))));
}

#[test]
fn all_members_follow_a_new_topic_in_one_epoch() {
    let mut bench = Bench::new(&[("a-1", 2)]);
    bench.beat_resolved(&matching("m", "a-.*"), &["a-.*"]);
    bench.beat_resolved(&matching("n", "a-.*"), &["a-.*"]);
    assert_eq!(bench.group.epoch, 2);
    bench.known.set("a-2", 2);
    bench.beat_resolved(&beat("n", 2), &["a-.*"]);
    assert_eq!(bench.group.epoch, 3);
    bench.beat_resolved(&beat("m", 1), &[]);
    assert_eq!(bench.group.epoch, 3);
    assert!(bench.group.members.values().all(|member| member.place.target.len() == 2));
}

#[test]
fn a_malformed_pattern_is_refused_and_changes_nothing() {
    let mut bench = Bench::alone();
    let error = || Err(PatternError::Malformed("unclosed".to_owned()));
    let mut ask = |beat: &Beat| {
        bench.group.heartbeat(bench.now, &bench.config, beat, error(), &bench.known).unwrap_err().code
    };
    assert_eq!(ask(&matching("b", "(")), ErrorCode::InvalidRegularExpression);
    assert_eq!(ask(&Beat { pattern: Some("(".into()), ..beat("a", 1) }), ErrorCode::InvalidRegularExpression);
    assert_eq!(ask(&Beat { pattern: Some("(".into()), ..beat("x", 1) }), ErrorCode::UnknownMemberId);
    assert_eq!((bench.group.members.len(), bench.group.epoch), (1, 1));
    assert_eq!(bench.group.members["a"].pattern, None);
}
