//! What ACLs mean: Kafka's rules, each as a sentence, and a naive reference that agrees with the index.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::net::IpAddr;

use proptest::prelude::*;
use schloss_policy::{
    Acl, AclFilter, AclSet, DecisionCache, Judge, Operation, PatternFilter, PatternType, Permission, Reason,
    ResourceType, Subject,
};
use schloss_wire::Principal;

use Operation as O;
use ResourceType as R;

/// Reads "allow User:a write topic literal orders from *".
fn acl(sentence: &str) -> Acl {
    let words: Vec<&str> = sentence.split(' ').collect();
    let [permission, principal, operation, resource_type, pattern_type, name, "from", host] = words[..]
    else {
        panic!("not an ACL: {sentence}");
    };
    Acl {
        resource_type: resource_type.parse().unwrap(),
        pattern_type: pattern_type.parse().unwrap(),
        resource_name: name.to_owned(),
        principal: principal.to_owned(),
        host: host.to_owned(),
        operation: operation.parse().unwrap(),
        permission: permission.parse().unwrap(),
    }
}

fn set(sentences: &[&str]) -> AclSet {
    AclSet::new(sentences.iter().map(|sentence| acl(sentence)).collect(), vec![Principal::user("root")], 1)
}

fn subject(user: &str, host: &str) -> Subject {
    Subject::new(Principal::user(user), host.parse().unwrap())
}

/// Whether `a`, coming from 10.0.0.1, may.
fn may(set: &AclSet, operation: Operation, resource_type: ResourceType, name: &str) -> bool {
    set.decide(&subject("a", "10.0.0.1"), operation, resource_type, name).allowed
}

#[test]
fn without_any_acl_everything_is_denied() {
    let decision = set(&[]).decide(&subject("a", "10.0.0.1"), O::Read, R::Topic, "orders");
    assert!(!decision.allowed);
    assert_eq!(decision.reason, Reason::NoMatchingAcl);
    assert_eq!(decision.reason.to_string(), "no ACL matches, denied by default");
}

#[test]
fn an_allow_is_for_its_principal_operation_type_and_name_only() {
    let set = set(&["allow User:a write topic literal orders from *"]);
    assert!(may(&set, O::Write, R::Topic, "orders"));
    assert!(!may(&set, O::Read, R::Topic, "orders"));
    assert!(!may(&set, O::Write, R::Group, "orders"));
    assert!(!may(&set, O::Write, R::Topic, "orders2") && !may(&set, O::Write, R::Topic, "order"));
    assert!(!may(&set, O::Write, R::Topic, "Orders"), "names are case-sensitive");
    assert!(!set.decide(&subject("b", "10.0.0.1"), O::Write, R::Topic, "orders").allowed);
}

#[test]
fn a_decision_names_the_rule_that_decided() {
    let set = set(&["allow User:a write topic literal orders from *"]);
    let decision = set.decide(&subject("a", "10.0.0.1"), O::Write, R::Topic, "orders");
    assert_eq!(decision.reason.to_string(), "ACL allow User:a write topic literal orders from *");
}

#[test]
fn a_deny_beats_every_allow() {
    let set = set(&[
        "allow User:a all topic literal orders from *",
        "allow User:* all topic literal * from *",
        "deny User:a read topic prefixed ord from *",
    ]);
    assert!(!may(&set, O::Read, R::Topic, "orders") && may(&set, O::Write, R::Topic, "orders"));
}

#[test]
fn a_super_user_is_allowed_even_what_is_denied() {
    let set = set(&["deny User:* all topic literal * from *"]);
    let decision = set.decide(&subject("root", "10.0.0.1"), O::Delete, R::Topic, "orders");
    assert!(decision.allowed);
    assert_eq!(decision.reason, Reason::SuperUser);
    assert!(set.decide_any(&subject("root", "10.0.0.1"), O::Write, R::Topic).allowed);
    let imposter = Subject::new("Token:root".parse().unwrap(), "10.0.0.1".parse().unwrap());
    assert!(
        !set.decide(&imposter, O::Delete, R::Topic, "orders").allowed,
        "the type is part of the principal"
    );
}

#[test]
fn the_literal_star_is_every_resource_so_deny_all_denies_all() {
    let set = set(&[
        "allow User:a all topic literal orders from *",
        "allow User:a all topic prefixed o from *",
        "deny User:* all topic literal * from *",
    ]);
    for operation in Operation::ALL {
        assert!(!may(&set, *operation, R::Topic, "orders"), "{operation}");
    }
    assert!(!set.decide_any(&subject("a", "10.0.0.1"), O::Write, R::Topic).allowed);
}

#[test]
fn a_literal_star_allow_covers_every_name_of_its_type() {
    let set = set(&["allow User:a read topic literal * from *"]);
    assert!(may(&set, O::Read, R::Topic, "anything") && !may(&set, O::Read, R::Group, "anything"));
}

#[test]
fn a_prefixed_star_is_no_wildcard() {
    let set = set(&["allow User:a read topic prefixed * from *"]);
    assert!(!may(&set, O::Read, R::Topic, "orders") && may(&set, O::Read, R::Topic, "*orders"));
}

#[test]
fn a_prefix_covers_names_that_begin_so_itself_included() {
    let set = set(&[
        "allow User:a read topic prefixed team.a. from *",
        "allow User:a read group prefixed g from *",
    ]);
    assert!(may(&set, O::Read, R::Topic, "team.a.x") && may(&set, O::Read, R::Topic, "team.a."));
    assert!(!may(&set, O::Read, R::Topic, "team.a") && !may(&set, O::Read, R::Topic, "team.b.x"));
    assert!(may(&set, O::Read, R::Group, "g1"));
}

#[test]
fn everybody_is_user_star_and_nothing_else_is_a_pattern() {
    let set = set(&["allow User:* read topic literal a from *", "allow User:b* read topic literal b from *"]);
    assert!(may(&set, O::Read, R::Topic, "a"));
    let token = Subject::new("Token:t".parse().unwrap(), "10.0.0.1".parse().unwrap());
    assert!(set.decide(&token, O::Read, R::Topic, "a").allowed, "principals of every type, as in Kafka");
    assert!(!set.decide(&subject("bob", "10.0.0.1"), O::Read, R::Topic, "b").allowed);
}

#[test]
fn hosts_are_addresses_or_networks_and_mapped_addresses_are_v4() {
    let set = set(&[
        "allow User:a read topic literal one from 10.0.0.1",
        "allow User:a read topic literal net from 10.0.0.0/8",
        "allow User:a read topic literal six from 2001:db8::/32",
    ]);
    let may = |host: &str, name: &str| set.decide(&subject("a", host), O::Read, R::Topic, name).allowed;
    assert!(may("10.0.0.1", "one") && may("::ffff:10.0.0.1", "one") && !may("10.0.0.2", "one"));
    assert!(may("10.9.9.9", "net") && may("::ffff:10.9.9.9", "net") && !may("11.0.0.1", "net"));
    assert!(may("2001:db8::7", "six") && !may("2001:db9::7", "six") && !may("10.0.0.1", "six"));
}

#[test]
fn a_deny_from_a_network_denies_only_from_there() {
    let set =
        set(&["allow User:a read topic literal t from *", "deny User:* all topic literal t from 10.0.0.0/8"]);
    assert!(!may(&set, O::Read, R::Topic, "t"));
    assert!(set.decide(&subject("a", "192.168.0.1"), O::Read, R::Topic, "t").allowed);
}

#[test]
fn an_unreadable_host_fails_closed() {
    let set = set(&[
        "allow User:a read topic literal t from nonsense",
        "allow User:a write topic literal t from *",
        "deny User:a write topic literal t from nonsense",
    ]);
    assert!(!may(&set, O::Read, R::Topic, "t"), "an allow allows nobody");
    assert!(!may(&set, O::Write, R::Topic, "t"), "a deny denies everybody");
}

#[test]
fn read_write_delete_and_alter_imply_describe() {
    for operation in ["read", "write", "delete", "alter"] {
        let set = set(&[&format!("allow User:a {operation} topic literal t from *")]);
        assert!(may(&set, O::Describe, R::Topic, "t"), "{operation}");
        assert!(!may(&set, O::DescribeConfigs, R::Topic, "t"), "{operation}");
    }
    let set = set(&[
        "allow User:a create topic literal t from *",
        "allow User:a alter-configs topic literal t from *",
    ]);
    assert!(!may(&set, O::Describe, R::Topic, "t"), "neither CREATE nor ALTER_CONFIGS imply it");
    assert!(may(&set, O::DescribeConfigs, R::Topic, "t"), "ALTER_CONFIGS implies DESCRIBE_CONFIGS");
}

#[test]
fn a_denied_read_leaves_describe_and_a_denied_describe_leaves_read() {
    let reading =
        set(&["allow User:a all topic literal t from *", "deny User:a read topic literal t from *"]);
    assert!(!may(&reading, O::Read, R::Topic, "t") && may(&reading, O::Describe, R::Topic, "t"));
    let describing =
        set(&["allow User:a read topic literal t from *", "deny User:a describe topic literal t from *"]);
    assert!(may(&describing, O::Read, R::Topic, "t") && !may(&describing, O::Describe, R::Topic, "t"));
}

#[test]
fn any_topic_means_one_that_no_deny_dominates() {
    let any =
        |sentences: &[&str]| set(sentences).decide_any(&subject("a", "10.0.0.1"), O::Write, R::Topic).allowed;
    assert!(!any(&[]));
    assert!(any(&["allow User:a write topic literal t from *"]));
    assert!(any(&["allow User:* all topic prefixed t from *"]));
    assert!(!any(&["allow User:a read topic literal * from *"]), "another operation");
    assert!(!any(&["allow User:a write topic literal t from 10.0.0.2"]), "another host");
    assert!(!any(&["allow User:a write topic literal * from *", "deny User:a write topic literal * from *"]));
    assert!(!any(&["allow User:a write topic literal t from *", "deny User:* write topic literal t from *"]));
    assert!(!any(&[
        "allow User:a write topic literal team.t from *",
        "deny User:a all topic prefixed team from *"
    ]));
    assert!(!any(&[
        "allow User:a write topic prefixed team.t from *",
        "deny User:a all topic prefixed team from *"
    ]));
    assert!(any(&["allow User:a write topic prefixed t from *", "deny User:a write topic literal t from *"]));
    assert!(any(&["allow User:a write topic literal * from *", "deny User:a write topic prefixed t from *"]));
    assert!(any(&[
        "allow User:a write topic prefixed t from *",
        "deny User:a write topic prefixed team from *"
    ]));
    let refused = set(&[]).decide_any(&subject("a", "10.0.0.1"), O::Write, R::Topic);
    assert_eq!((&*refused.resource_name, refused.reason), ("*", Reason::NoneOfType));
}

#[test]
fn acls_that_mean_nothing_are_refused_in_words() {
    let refused = |change: fn(&mut Acl)| {
        let mut acl = acl("allow User:a write topic literal orders from *");
        change(&mut acl);
        acl.validate().unwrap_err().to_string()
    };
    assert_eq!(
        refused(|acl| acl.resource_name.clear()),
        "the resource name is empty: name a topic, or use * for all"
    );
    assert_eq!(
        refused(|acl| acl.principal = "a".into()),
        "'a' is not a principal: expected Type:name, such as User:alice"
    );
    assert!(refused(|acl| acl.principal = "User:".into()).contains("not a principal"));
    assert_eq!(
        refused(|acl| acl.host = "localhost".into()),
        "'localhost' is not a host: use *, an IP address, or a network such as 10.0.0.0/8"
    );
    assert_eq!(
        refused(|acl| acl.operation = O::IdempotentWrite),
        "operation idempotent-write means nothing on a topic: use one of read, write, create, delete, alter, \
         describe, describe-configs, alter-configs, all"
    );
    assert!(refused(|acl| acl.resource_name = "x".repeat(40_000)).contains("more than the 32767"));
    let cluster = |acl: &mut Acl| {
        acl.resource_type = R::Cluster;
        acl.operation = O::Alter;
        acl.resource_name = "*".into();
    };
    assert_eq!(refused(cluster), "'*' is not the cluster: its only name is kafka-cluster");
}

#[test]
fn every_operation_of_a_resource_is_acceptable_on_it_and_all_is_on_each() {
    for &resource_type in ResourceType::ALL {
        for &operation in Operation::ALL {
            let name = if resource_type == R::Cluster { "kafka-cluster" } else { "*" };
            let acl = Acl {
                resource_type,
                operation,
                resource_name: name.into(),
                ..acl("deny User:* all topic prefixed x from 10.0.0.0/8")
            };
            let meaningful = operation == O::All || resource_type.operations().contains(&operation);
            assert_eq!(acl.validate().is_ok(), meaningful, "{operation} on {resource_type}");
        }
    }
}

#[test]
fn acls_are_stored_in_words_and_unknown_fields_are_refused() {
    let acl = acl("allow User:a describe-configs transactional-id prefixed x from 10.0.0.0/8");
    let json = serde_json::to_string(&acl).unwrap();
    assert!(json.contains(r#""operation":"describe-configs""#), "{json}");
    assert_eq!(serde_json::from_str::<Acl>(&json).unwrap(), acl);
    let unknown = json.replace("\"host\"", "\"hosts\"");
    assert!(serde_json::from_str::<Acl>(&unknown).is_err());
}

#[test]
fn an_empty_filter_matches_everything_and_each_field_narrows_exactly() {
    let one = acl("allow User:a read topic literal orders from 10.0.0.1");
    assert!(AclFilter::default().matches(&one));
    let narrowed = [
        (AclFilter { resource_type: Some(R::Topic), ..AclFilter::default() }, true),
        (AclFilter { resource_type: Some(R::Group), ..AclFilter::default() }, false),
        (AclFilter { principal: Some("User:a".into()), ..AclFilter::default() }, true),
        (AclFilter { principal: Some("User:*".into()), ..AclFilter::default() }, false),
        (AclFilter { host: Some("10.0.0.1".into()), ..AclFilter::default() }, true),
        (AclFilter { host: Some("*".into()), ..AclFilter::default() }, false),
        (AclFilter { operation: Some(O::Read), ..AclFilter::default() }, true),
        (AclFilter { operation: Some(O::Describe), ..AclFilter::default() }, false),
        (AclFilter { permission: Some(Permission::Deny), ..AclFilter::default() }, false),
    ];
    for (filter, expected) in narrowed {
        assert_eq!(filter.matches(&one), expected, "{filter:?}");
    }
}

#[test]
fn the_pattern_filters_any_match_literal_and_prefixed_are_kafkas() {
    let acls = ["literal orders", "literal *", "prefixed ord", "prefixed orders"]
        .map(|pattern| acl(&format!("allow User:a read topic {pattern} from *")));
    let matched = |pattern: PatternFilter, name: Option<&str>| -> Vec<bool> {
        let filter = AclFilter { pattern, resource_name: name.map(str::to_owned), ..AclFilter::default() };
        acls.iter().map(|acl| filter.matches(acl)).collect()
    };
    use PatternFilter::{Any, Match, Only};
    assert_eq!(matched(Any, Some("orders")), [true, false, false, true]);
    assert_eq!(matched(Match, Some("orders")), [true, true, true, true]);
    assert_eq!(matched(Match, Some("order")), [false, true, true, false]);
    assert_eq!(matched(Only(PatternType::Literal), Some("orders")), [true, false, false, false]);
    assert_eq!(matched(Only(PatternType::Literal), Some("*")), [false, true, false, false]);
    assert_eq!(matched(Only(PatternType::Prefixed), Some("orders")), [false, false, false, true]);
    assert_eq!(matched(Only(PatternType::Prefixed), None), [false, false, true, true]);
    assert_eq!(matched(Match, None), [true; 4]);
}

#[test]
fn a_judge_records_each_decision_once_and_peeking_never() {
    let (set, subject) = (set(&["allow User:a read topic literal t from *"]), subject("a", "10.0.0.1"));
    let mut cache = DecisionCache::default();
    for _session_request in 0..2 {
        let mut judge = Judge::new(&set, &subject, &mut cache);
        assert!(judge.peek(O::Describe, R::Topic, "t") && !judge.peek(O::Read, R::Topic, "other"));
        assert!(judge.check(O::Read, R::Topic, "t") && judge.check(O::Read, R::Topic, "t"));
        assert!(!judge.check_any(O::Write, R::Topic) && !judge.check(O::Write, R::Topic, "*"));
        let decisions = judge.into_decisions();
        let seen: Vec<(bool, Operation, &str)> =
            decisions.iter().map(|d| (d.allowed, d.operation, &*d.resource_name)).collect();
        assert_eq!(seen, [(true, O::Read, "t"), (false, O::Write, "*"), (false, O::Write, "*")]);
        assert_eq!(
            (&decisions[1].reason, &decisions[2].reason),
            (&Reason::NoneOfType, &Reason::NoMatchingAcl)
        );
    }
}

#[test]
fn a_change_of_acls_or_of_the_subject_is_in_force_at_once() {
    let mut cache = DecisionCache::default();
    let a = subject("a", "10.0.0.1");
    let allowed = AclSet::new(vec![acl("allow User:a read topic literal t from *")], vec![], 1);
    assert!(Judge::new(&allowed, &a, &mut cache).check(O::Read, R::Topic, "t"));
    assert!(Judge::new(&allowed, &a, &mut cache).check(O::Read, R::Topic, "t"));
    let b = subject("b", "10.0.0.1");
    assert!(!Judge::new(&allowed, &b, &mut cache).check(O::Read, R::Topic, "t"));
    assert!(Judge::new(&allowed, &a, &mut cache).check(O::Read, R::Topic, "t"));
    let revoked = AclSet::new(vec![], vec![], 2);
    assert!(!Judge::new(&revoked, &a, &mut cache).check(O::Read, R::Topic, "t"));
}

#[test]
fn a_full_cache_and_names_too_long_for_it_still_decide_right() {
    let (set, a) = (set(&["allow User:a read topic prefixed yes from *"]), subject("a", "10.0.0.1"));
    let mut cache = DecisionCache::default();
    let mut judge = Judge::new(&set, &a, &mut cache);
    for index in 0..5_000 {
        assert!(judge.peek(O::Read, R::Topic, &format!("yes{index}")));
        assert!(!judge.peek(O::Read, R::Topic, &format!("no{index}")));
    }
    let long = "x".repeat(10_000);
    assert!(judge.peek(O::Read, R::Topic, &format!("yes{long}")) && !judge.peek(O::Read, R::Topic, &long));
}

#[test]
fn authorized_operations_are_a_bit_for_each_operation_of_the_resource() {
    let (set, a) = (
        set(&["allow User:a read topic literal t from *", "allow User:a all group literal g from *"]),
        subject("a", "10.0.0.1"),
    );
    let mut cache = DecisionCache::default();
    let mut judge = Judge::new(&set, &a, &mut cache);
    assert_eq!(judge.authorized_operations(R::Topic, "t"), 1 << 3 | 1 << 8);
    assert_eq!(judge.authorized_operations(R::Group, "g"), 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11);
    assert_eq!(judge.authorized_cluster_operations(), 0);
    assert!(judge.into_decisions().is_empty());
}

#[test]
fn a_hundred_thousand_acls_are_decided_in_microseconds() {
    let of_many_users = (0..50_000).map(|n| acl(&format!("allow User:u{n} write topic literal t{n} from *")));
    let of_one_user = (0..50_000).map(|n| {
        let pattern = if n % 2 == 0 { "literal" } else { "prefixed" };
        acl(&format!("allow User:a read topic {pattern} team{n}. from *"))
    });
    let set = AclSet::new(of_many_users.chain(of_one_user).collect(), vec![], 1);
    assert_eq!(set.iter().len(), 100_000);
    let a = subject("a", "10.0.0.1");
    let started = std::time::Instant::now();
    for n in 0..1_000 {
        assert!(set.decide(&a, O::Read, R::Topic, &format!("team{}.x", 2 * n + 1)).allowed);
        assert!(!set.decide(&a, O::Read, R::Topic, &format!("team{}.x", 2 * n)).allowed);
    }
    // A scan of the set takes milliseconds each; the bound leaves room for an unoptimised build on a busy
    // machine.
    assert!(started.elapsed().as_micros() / 2_000 < 200, "{:?} for 2000 decisions", started.elapsed());
}

/// What the rules say, without any index.
fn reference(acls: &[Acl], subject: &Subject, operation: Operation, kind: ResourceType, name: &str) -> bool {
    let applies = |acl: &&Acl| {
        let covers = match acl.pattern_type {
            PatternType::Literal => acl.resource_name == name || acl.resource_name == "*",
            PatternType::Prefixed => name.starts_with(&acl.resource_name),
        };
        let everybody = acl.principal == "User:*";
        let from = match acl.host.split_once('/') {
            _ if acl.host == "*" => true,
            Some(("10.0.0.0", "8")) => matches!(subject.host, IpAddr::V4(v4) if v4.octets()[0] == 10),
            _ => acl.host == subject.host.to_string(),
        };
        acl.resource_type == kind
            && covers
            && from
            && (everybody || acl.principal == subject.principal.as_str())
    };
    let relevant = || acls.iter().filter(applies);
    let implies = |acl: &Acl| {
        use Operation::{All, Alter, AlterConfigs, Delete, Describe, DescribeConfigs, Read, Write};
        acl.operation == operation
            || acl.operation == All
            || (operation == Describe && [Read, Write, Delete, Alter].contains(&acl.operation))
            || (operation == DescribeConfigs && acl.operation == AlterConfigs)
    };
    let denied = relevant().any(|acl| {
        acl.permission == Permission::Deny && [operation, Operation::All].contains(&acl.operation)
    });
    !denied && relevant().any(|acl| acl.permission == Permission::Allow && implies(acl))
}

fn any_acl() -> impl Strategy<Value = Acl> {
    let operation =
        proptest::sample::select(vec![O::All, O::Read, O::Write, O::Describe, O::AlterConfigs, O::Alter]);
    let name = proptest::sample::select(vec!["*", "a", "ab", "abc", "b", "ba"]);
    (
        proptest::sample::select(vec![R::Topic, R::Group]),
        proptest::sample::select(PatternType::ALL),
        name,
        proptest::sample::select(vec!["User:a", "User:b", "User:*"]),
        proptest::sample::select(vec!["*", "10.0.0.1", "10.0.0.0/8", "192.168.0.1"]),
        operation,
        // More allows than denies, or nearly everything is denied.
        proptest::sample::select(vec![Permission::Allow, Permission::Allow, Permission::Deny]),
    )
        .prop_map(|(resource_type, pattern_type, name, principal, host, operation, permission)| Acl {
            resource_type,
            pattern_type,
            resource_name: name.to_owned(),
            principal: principal.to_owned(),
            host: host.to_owned(),
            operation,
            permission,
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_index_decides_as_a_scan_of_all_acls_does(
        acls in proptest::collection::vec(any_acl(), 0..12),
        name in "[ab*]{0,4}",
        operation in proptest::sample::select(Operation::ALL),
        kind in proptest::sample::select(vec![R::Topic, R::Group]),
        host in proptest::sample::select(vec!["10.0.0.1", "10.9.9.9", "192.168.0.1", "::1"]),
    ) {
        let subject = subject("a", host);
        let set = AclSet::new(acls.clone(), vec![], 1);
        let decision = set.decide(&subject, operation, kind, &name);
        prop_assert_eq!(decision.allowed, reference(&acls, &subject, operation, kind, &name));
        let mut cache = DecisionCache::default();
        for _cached in 0..2 {
            let mut judge = Judge::new(&set, &subject, &mut cache);
            prop_assert_eq!(judge.check(operation, kind, &name), decision.allowed);
            prop_assert_eq!(&judge.into_decisions(), std::slice::from_ref(&decision));
        }
        if let Reason::Acl(acl) = &decision.reason {
            prop_assert!(acls.contains(acl));
            prop_assert_eq!(acl.permission == Permission::Allow, decision.allowed);
        }
    }

    #[test]
    fn any_is_allowed_exactly_when_some_name_is(
        acls in proptest::collection::vec(any_acl(), 0..12),
        // Operations that no other implies: see the next test.
        operation in proptest::sample::select(vec![O::Read, O::Write, O::AlterConfigs]),
    ) {
        let subject = subject("a", "10.0.0.1");
        // A name under every pattern that no rule speaks of further, and one outside all.
        let mut names = vec!["~".to_owned()];
        for acl in &acls {
            names.push(acl.resource_name.clone());
            names.push(format!("{}~", acl.resource_name));
        }
        let some = names.iter().any(|name| reference(&acls, &subject, operation, R::Topic, name));
        let any = AclSet::new(acls, vec![], 1).decide_any(&subject, operation, R::Topic);
        prop_assert_eq!(any.allowed, some);
    }
}

#[test]
fn on_any_resource_kafka_goes_by_the_operation_itself_unless_all_are_allowed() {
    let any = |acl: &str| set(&[acl]).decide_any(&subject("a", "10.0.0.1"), O::Describe, R::Topic).allowed;
    assert!(!any("allow User:a read topic literal orders from *"));
    assert!(any("allow User:a describe topic literal orders from *"));
    assert!(any("allow User:a read topic literal * from *"));
}

#[test]
fn what_is_reserved_is_out_of_reach_even_for_super_users_and_while_observing() {
    let root = Principal::user("root");
    let set = AclSet::new(Vec::new(), vec![root.clone()], 1);
    let subject = Subject::new(root, "10.0.0.1".parse().unwrap());
    let mut cache = DecisionCache::default();
    for observes in [false, true, false] {
        let mut judge = Judge::new(&set, &subject, &mut cache).observing(observes);
        assert!(!judge.check(Operation::Describe, ResourceType::Topic, "__schloss_metadata"));
        assert!(judge.check(Operation::Describe, ResourceType::Topic, "__schlos"));
        assert!(judge.check(Operation::Describe, ResourceType::Group, "__schloss_metadata"));
        let decisions = judge.into_decisions();
        assert_eq!((decisions[0].allowed, decisions[0].enforced), (false, true));
        assert_eq!(decisions[0].reason, Reason::Reserved);
    }
}

#[test]
fn an_observing_judge_lets_through_and_records_what_it_would_deny() {
    let set = AclSet::new(Vec::new(), Vec::new(), 1);
    let subject = Subject::new(Principal::user("a"), "10.0.0.1".parse().unwrap());
    let mut cache = DecisionCache::default();
    // The second round answers from the cache, the last one enforces what the cache still knows.
    for observes in [true, true, false] {
        let mut judge = Judge::new(&set, &subject, &mut cache).observing(observes);
        assert_eq!(judge.check(Operation::Read, ResourceType::Topic, "t"), observes);
        assert_eq!(judge.peek(Operation::Write, ResourceType::Topic, "t"), observes);
        let [decision] = &judge.into_decisions()[..] else { panic!() };
        assert_eq!((decision.allowed, decision.enforced), (false, !observes));
    }
}
