//! Apache Kafka's own StandardAuthorizer and ours, with the same random ACLs, asked the same.
//!
//! Groups and roles, which Kafka has not, are told to it spelled out: a group's ACLs for each member, a role's
//! operations one by one. Needs a JDK and the jars of Apache Kafka:
//!
//! `KAFKA_LIBS=target/interop/kafka-libs cargo test -p schloss-policy --test standard_authorizer -- --ignored`
//!
//! `SCHLOSS_SEED` repeats a run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

#[path = "../common/mod.rs"]
mod common;
mod kafka;

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use common::spelled_out;
use kafka::Kafka;
use schloss_policy::{
    Acl, AclSet, Binding, Bindings, Groups, Operation, Pattern, PatternType, Permission, ResourceType, Rules,
    Subject,
};
use schloss_wire::Principal;

const SETS: usize = 500;
const QUESTIONS: usize = 240;
const QUESTIONS_BY_TYPE: usize = 40;

const USERS: [&str; 4] = ["alice", "bob", "root", "User:odd"];
const NAMES: [&str; 12] =
    ["*", "a", "ab", "abc", "abcd", "b", "ba", "orders", "order", "o", "kafka-cluster", "hardcode"];
const HOSTS: [&str; 4] = ["*", "10.0.0.1", "10.0.0.2", "192.168.1.9"];
const GROUPS: [&str; 2] = ["dev", "ops"];
const ROLES: [&str; 4] = ["DeveloperRead", "DeveloperWrite", "DeveloperManage", "ResourceOwner"];

/// Numbers that follow from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap()
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    fn resource_type(&mut self) -> ResourceType {
        // Topics most of the time, so that rules meet.
        if self.roll(3) > 0 { ResourceType::Topic } else { self.one(ResourceType::ALL) }
    }

    fn pattern_type(&mut self) -> PatternType {
        self.one(PatternType::ALL)
    }

    fn acl(&mut self, with_groups: bool) -> Acl {
        let principal = match self.roll(if with_groups { 8 } else { 6 }) {
            0 => "User:*".to_owned(),
            1..=5 => Principal::user(self.one(&USERS)).to_string(),
            _ => Principal::group(self.one(&GROUPS)).to_string(),
        };
        Acl {
            resource_type: self.resource_type(),
            pattern_type: self.pattern_type(),
            resource_name: self.one(&NAMES).to_owned(),
            principal,
            host: if self.roll(3) > 0 { "*".to_owned() } else { self.one(&HOSTS).to_owned() },
            operation: self.one(Operation::ALL),
            permission: if self.roll(3) > 0 { Permission::Allow } else { Permission::Deny },
        }
    }

    fn binding(&mut self) -> Binding {
        let resource_type =
            if self.roll(3) > 0 { ResourceType::Topic } else { ResourceType::TransactionalId };
        let resource = Pattern {
            resource_type,
            pattern_type: self.pattern_type(),
            resource_name: self.one(&NAMES).to_owned(),
        };
        let principal = if self.roll(2) > 0 {
            Principal::group(self.one(&GROUPS))
        } else {
            Principal::user(self.one(&USERS))
        };
        Binding { role: self.one(&ROLES).to_owned(), principal, resource: Some(resource), expires: None }
    }

    fn groups(&mut self) -> Groups {
        let mut groups = Groups::new();
        for name in GROUPS {
            let members =
                USERS.iter().filter(|_| self.roll(2) > 0).map(|user| Principal::user(user)).collect();
            groups.insert(name.to_owned(), members);
        }
        groups
    }
}

#[derive(Debug)]
enum Question {
    One(Subject, Operation, ResourceType, &'static str),
    Any(Subject, Operation, ResourceType),
}

/// One set of rules, as text for the other side and compiled, with what is asked.
struct Round {
    told: String,
    ours: AclSet,
    questions: Vec<Question>,
    acls: Vec<Acl>,
}

impl Round {
    fn new(dice: &mut Dice) -> Self {
        let with_groups = dice.roll(2) > 0;
        let acls: Vec<Acl> = (0..dice.roll(60)).map(|_| dice.acl(with_groups)).collect();
        let (groups, bindings): (Groups, Bindings) = if with_groups {
            (dice.groups(), (0..dice.roll(8)).map(|_| dice.binding()).collect())
        } else {
            Default::default()
        };
        let plain = spelled_out(&acls, &groups, &bindings);
        let mut told = String::from("S\tUser:root\n");
        for acl in &plain {
            told.push_str(&kafka::told(acl));
        }
        told.push_str("L\n");
        let subject = |dice: &mut Dice| {
            let host: IpAddr = dice.one(&HOSTS[1..]).parse().unwrap();
            Subject::new(Principal::user(dice.one(&USERS)), host)
        };
        let mut questions = Vec::new();
        for _ in 0..QUESTIONS {
            let who = subject(dice);
            questions.push(Question::One(
                who,
                dice.one(Operation::ALL),
                dice.resource_type(),
                dice.one(&NAMES),
            ));
        }
        for _ in 0..QUESTIONS_BY_TYPE {
            let who = subject(dice);
            questions.push(Question::Any(who, dice.one(&Operation::ALL[1..]), dice.resource_type()));
        }
        for question in &questions {
            match question {
                Question::One(who, operation, kind, name) => {
                    told.push_str(&kafka::asked('Q', (&who.principal, who.host), *operation, *kind, name));
                }
                Question::Any(who, operation, kind) => {
                    let Subject { principal, host, .. } = who;
                    let (operation, kind) = (operation.code(), kind.code());
                    told.push_str(&format!("B\t{principal}\t{host}\t{operation}\t{kind}\n"));
                }
            }
        }
        told.push_str("E\n");
        let rules = Rules {
            acls: acls.clone(),
            groups: groups.into(),
            bindings: bindings.into(),
            super_users: vec![Principal::user("root")],
            ..Rules::default()
        };
        Self { told, ours: AclSet::compile(rules, 1), questions, acls: plain }
    }

    fn answer(&self, question: &Question) -> bool {
        match question {
            Question::One(who, operation, kind, name) => {
                self.ours.decide(who, *operation, *kind, name).allowed
            }
            Question::Any(who, operation, kind) => self.ours.decide_any(who, *operation, *kind).allowed,
        }
    }
}

#[test]
#[ignore = "needs a JDK and Apache Kafka"]
fn decisions_are_those_of_apache_kafkas_authorizer() {
    let seed = std::env::var("SCHLOSS_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| {
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
    });
    let mut dice = Dice(seed);
    let rounds: Arc<Vec<Round>> = Arc::new((0..SETS).map(|_| Round::new(&mut dice)).collect());
    let mut kafka = Kafka::start();
    let mut stdin = kafka.stdin.take().unwrap();
    let told = Arc::clone(&rounds);
    let writer = std::thread::spawn(move || {
        told.iter().for_each(|round| stdin.write_all(round.told.as_bytes()).unwrap());
    });
    let (mut asked, mut allowed) = (0, 0);
    for round in rounds.iter() {
        let theirs = kafka.answer();
        assert_eq!(theirs.len(), round.questions.len());
        for (question, bit) in round.questions.iter().zip(theirs.bytes()) {
            let ours = round.answer(question);
            let rules: Vec<String> = round.acls.iter().map(Acl::to_string).collect();
            assert_eq!(ours, bit == b'1', "SCHLOSS_SEED={seed}: {question:?}, with\n{}", rules.join("\n"));
            asked += 1;
            allowed += usize::from(ours);
        }
    }
    writer.join().unwrap();
    kafka.end();
    assert!(asked >= 100_000, "{asked}");
    // Neither side says the same to everything.
    assert!(allowed > asked / 10 && allowed < asked * 9 / 10, "{allowed} of {asked}");
    println!("{asked} decisions as Apache Kafka's, {allowed} of them allowed");
}
