//! What a decision costs, beside Apache Kafka's StandardAuthorizer: `cargo xtask bench policy`.
//!
//! 100,000 ACLs of 1,000 users and 200 groups, each user in 20 of them. The other side gets ACLs of users alone,
//! since it knows no groups; so do we in the lines that compare.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a benchmark may fail loudly")]
#![allow(clippy::print_stdout, reason = "its findings are what it prints")]

#[path = "../tests/standard_authorizer/kafka.rs"]
mod kafka;

use std::collections::BTreeSet;
use std::hint::black_box;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use kafka::Kafka;
use schloss_policy::{
    Acl, AclSet, DecisionCache, Groups, Judge, Operation, PatternType, Permission, ResourceType, RuleChanges,
    Rules, Subject,
};
use schloss_wire::Principal;

const ACLS: usize = 100_000;
const USERS: usize = 1_000;
const GROUPS: usize = 200;
const GROUPS_OF_EACH: usize = 20;
const TOPICS: usize = 20_000;
const REQUESTS: usize = 20_000;
const ROUNDS: usize = 21;
/// Changes of one round.
const CHANGES: usize = 100;
/// Names that one session asks for again and again.
const NAMES_OF_A_SESSION: usize = 100;

/// Numbers that follow one from another, the same in each run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    /// A hundred teams with two hundred topics each.
    fn topic(&mut self) -> String {
        let number = self.roll(TOPICS);
        format!("team-{:03}.orders.{:05}", number % 100, number)
    }

    fn acl(&mut self, principal: String) -> Acl {
        let topic = self.topic();
        let (pattern_type, resource_name) = match self.roll(10) {
            0..=6 => (PatternType::Literal, topic),
            // Its team, or a part of it.
            _ => (PatternType::Prefixed, topic[..9 + self.roll(topic.len() - 9)].to_owned()),
        };
        let operation =
            [Operation::Read, Operation::Write, Operation::Describe, Operation::All][self.roll(4)];
        let permission = if self.roll(20) > 0 { Permission::Allow } else { Permission::Deny };
        let host = "*".to_owned();
        let resource_type = ResourceType::Topic;
        Acl { resource_type, pattern_type, resource_name, principal, host, operation, permission }
    }
}

fn user(number: usize) -> Principal {
    Principal::user(&format!("user-{number:04}"))
}

fn group(number: usize) -> Principal {
    Principal::group(&format!("group-{number:03}"))
}

/// One request: who, what, to which topic.
struct Asked {
    subject: Subject,
    operation: Operation,
    topic: String,
}

fn requests(dice: &mut Dice) -> Vec<Asked> {
    let host: IpAddr = "10.1.2.3".parse().unwrap();
    let one = |dice: &mut Dice| Asked {
        subject: Subject::new(user(dice.roll(USERS)), host),
        operation: [Operation::Read, Operation::Write][dice.roll(2)],
        topic: dice.topic(),
    };
    (0..REQUESTS).map(|_| one(dice)).collect()
}

/// So many ACLs, none twice: Kafka takes no two of one kind.
fn different(mut make: impl FnMut(usize) -> Acl) -> Vec<Acl> {
    let mut all = BTreeSet::new();
    for number in 0.. {
        if all.len() == ACLS {
            break;
        }
        all.insert(make(number));
    }
    all.into_iter().collect()
}

/// The median over some rounds, in nanoseconds for each of `count`; as many rounds go before.
fn median(count: usize, mut round: impl FnMut()) -> f64 {
    let mut each: Vec<f64> = (0..2 * ROUNDS)
        .map(|_| {
            let begun = Instant::now();
            round();
            begun.elapsed().as_nanos() as f64 / count as f64
        })
        .skip(ROUNDS)
        .collect();
    each.sort_by(f64::total_cmp);
    each[ROUNDS / 2]
}

/// Each of many askers asks once: nothing is known of anybody.
fn uncached(set: &AclSet, asked: &[Asked]) -> f64 {
    median(asked.len(), || {
        for Asked { subject, operation, topic } in asked {
            black_box(set.decide(subject, *operation, ResourceType::Topic, topic).allowed);
        }
    })
}

/// One session asks for the same names in one request after another.
fn cached(set: &AclSet, asked: &[Asked]) -> f64 {
    let subject = &asked[0].subject;
    let names: Vec<&str> = asked.iter().map(|asked| asked.topic.as_str()).take(NAMES_OF_A_SESSION).collect();
    let mut cache = DecisionCache::default();
    median(NAMES_OF_A_SESSION, || {
        let mut judge = Judge::new(set, subject, &mut cache);
        for name in &names {
            black_box(judge.check(Operation::Read, ResourceType::Topic, name));
        }
    })
}

fn line(what: &str, ours: f64, theirs: Option<f64>) {
    let theirs = theirs.map_or("-".to_owned(), |theirs| format!("{theirs:.0}"));
    println!("| {what} | {ours:.0} | {theirs} |");
}

fn main() {
    let mut dice = Dice(1);
    let of_users = different(|number| dice.acl(user(number % USERS).to_string()));
    let of_groups = different(|number| {
        let holder = if number % 2 == 0 { user(dice.roll(USERS)) } else { group(dice.roll(GROUPS)) };
        dice.acl(holder.to_string())
    });
    let mut groups = Groups::new();
    for number in 0..USERS {
        for step in 0..GROUPS_OF_EACH {
            let name = group((number * 7 + step * 11) % GROUPS).name().to_owned();
            groups.entry(name).or_default().insert(user(number));
        }
    }
    let asked = requests(&mut dice);

    let plain = AclSet::new(of_users.clone(), Vec::new(), 1);
    let theirs = std::env::var_os("KAFKA_LIBS").is_some().then(|| kafka(&of_users, &asked));
    println!("\n| {ACLS} ACLs, {USERS} users; nanoseconds for a decision | Schloss | StandardAuthorizer |");
    println!("|---|---:|---:|");
    line("ACLs of users, first time", uncached(&plain, &asked), theirs);
    line("ACLs of users, again in the same session", cached(&plain, &asked), None);
    let rules = || Rules { acls: of_groups.clone(), groups: groups.clone().into(), ..Rules::default() };
    let set = AclSet::compile(rules(), 1);
    line(&format!("{GROUPS_OF_EACH} groups each, first time"), uncached(&set, &asked), None);
    line(&format!("{GROUPS_OF_EACH} groups each, again in the same session"), cached(&set, &asked), None);
    let rules = rules();
    let begun = Instant::now();
    black_box(AclSet::compile(rules, 2));
    let start = begun.elapsed().as_secs_f64() * 1000.0;
    let (acl, member) = (changed_acl(&set, &mut dice), changed_member(&set));
    println!(
        "\nA change of one ACL is compiled in {acl:.0} us, one of a group's member in {member:.0} us; all \
         {ACLS} ACLs at a start in {start:.0} ms."
    );
}

/// Microseconds until the set is there that follows when one ACL comes, and later goes.
fn changed_acl(set: &AclSet, dice: &mut Dice) -> f64 {
    let new: Vec<Acl> = (0..CHANGES).map(|number| dice.acl(user(number % USERS).to_string())).collect();
    let round = || {
        let mut now = set.clone();
        for (acl, comes) in new.iter().map(|acl| (acl, true)).chain(new.iter().map(|acl| (acl, false))) {
            now = now.after(RuleChanges { acls: vec![(acl.clone(), comes)], ..unchanged(&now) }, 2);
        }
        black_box(now);
    };
    median(2 * CHANGES, round) / 1000.0
}

/// The same for a new member of a group.
fn changed_member(set: &AclSet) -> f64 {
    let round = || {
        let mut now = set.clone();
        for number in 0..CHANGES {
            let mut groups = now.groups().clone();
            let members = Arc::make_mut(&mut groups).entry(group(number % GROUPS).name().to_owned());
            members.or_default().insert(Principal::user("newcomer"));
            now = now.after(RuleChanges { groups, ..unchanged(&now) }, 2);
        }
        black_box(now);
    };
    median(CHANGES, round) / 1000.0
}

fn unchanged(set: &AclSet) -> RuleChanges {
    let (groups, roles, bindings) = (set.groups().clone(), set.roles().clone(), set.bindings().clone());
    RuleChanges { acls: Vec::new(), groups, roles, bindings }
}

/// What the other side takes for the same.
fn kafka(acls: &[Acl], asked: &[Asked]) -> f64 {
    let mut kafka = Kafka::start();
    let mut stdin = kafka.stdin.take().unwrap();
    let mut told = String::from("S\tUser:root\n");
    acls.iter().for_each(|acl| told.push_str(&kafka::told(acl)));
    told.push_str("L\n");
    for Asked { subject, operation, topic } in asked {
        let who = (&subject.principal, subject.host);
        told.push_str(&kafka::asked('R', who, *operation, ResourceType::Topic, topic));
    }
    told.push_str(&format!("T\t{ROUNDS}\n"));
    stdin.write_all(told.as_bytes()).unwrap();
    stdin.flush().unwrap();
    let each = kafka.answer().parse().unwrap();
    drop(stdin);
    kafka.end();
    each
}
