//! Groups and roles in decisions.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;

use common::spelled_out;
use proptest::prelude::*;
use schloss_policy::{
    Access, Acl, AclSet, Asker, Binding, Bindings, DecisionCache, Groups, Judge, Operation, Pattern,
    PatternType, Permission, Reason, ResourceType, Rules, Subject,
};
use schloss_wire::Principal;
use time::{Duration, OffsetDateTime};

use Operation as O;
use ResourceType as R;

fn acl(permission: Permission, principal: &str, operation: Operation, pattern: (PatternType, &str)) -> Acl {
    Acl {
        resource_type: R::Topic,
        pattern_type: pattern.0,
        resource_name: pattern.1.to_owned(),
        principal: principal.to_owned(),
        host: "*".to_owned(),
        operation,
        permission,
    }
}

fn allow(principal: &str, operation: Operation, topic: &str) -> Acl {
    acl(Permission::Allow, principal, operation, (PatternType::Literal, topic))
}

fn deny(principal: &str, operation: Operation, topic: &str) -> Acl {
    acl(Permission::Deny, principal, operation, (PatternType::Literal, topic))
}

fn groups(all: &[(&str, &[&str])]) -> Arc<Groups> {
    let group = |(name, members): &(&str, &[&str])| {
        ((*name).to_owned(), members.iter().map(|user| Principal::user(user)).collect())
    };
    Arc::new(all.iter().map(group).collect())
}

fn bound(role: &str, principal: Principal, on: Option<(ResourceType, PatternType, &str)>) -> Binding {
    let resource = on.map(|(resource_type, pattern_type, name)| Pattern {
        resource_type,
        pattern_type,
        resource_name: name.to_owned(),
    });
    Binding { role: role.to_owned(), principal, resource, expires: None }
}

fn bindings(all: impl IntoIterator<Item = Binding>) -> Arc<Bindings> {
    Arc::new(all.into_iter().collect())
}

fn somebody(user: &str) -> Subject {
    Subject::new(Principal::user(user), "10.0.0.1".parse().unwrap())
}

fn may(set: &AclSet, subject: &Subject, operation: Operation, topic: &str) -> bool {
    set.decide(subject, operation, R::Topic, topic).allowed
}

#[test]
fn a_group_allows_and_denies_like_a_user() {
    let acls = vec![
        allow("Group:readers", O::Read, "orders"),
        allow("User:alice", O::Write, "orders"),
        deny("Group:suspended", O::All, "orders"),
    ];
    let groups = groups(&[("readers", &["alice", "bob"]), ("suspended", &["bob"])]);
    let set = AclSet::compile(Rules { acls, groups, ..Rules::default() }, 1);
    assert!(may(&set, &somebody("alice"), O::Read, "orders"));
    assert!(may(&set, &somebody("alice"), O::Write, "orders"));
    assert!(!may(&set, &somebody("bob"), O::Read, "orders"), "one group denies what another allows");
    assert!(!may(&set, &somebody("carol"), O::Read, "orders"));
    let decision = set.decide(&somebody("alice"), O::Read, R::Topic, "orders");
    assert!(matches!(decision.reason, Reason::Acl(acl) if acl.principal == "Group:readers"));
}

#[test]
fn groups_of_a_directory_count_as_local_ones_do() {
    let acls = vec![allow("Group:readers", O::Read, "orders"), deny("Group:suspended", O::Read, "orders")];
    let set =
        AclSet::compile(Rules { acls, groups: groups(&[("suspended", &["bob"])]), ..Rules::default() }, 1);
    let told = |user: &str, names: &[&str]| Subject {
        groups: names.iter().map(|name| Principal::group(name)).collect(),
        ..somebody(user)
    };
    assert!(may(&set, &told("alice", &["x", "readers"]), O::Read, "orders"));
    assert!(!may(&set, &told("alice", &["readers", "suspended"]), O::Read, "orders"));
    assert!(!may(&set, &told("bob", &["readers"]), O::Read, "orders"), "both kinds at once");
    assert!(!may(&set, &told("alice", &[]), O::Read, "orders"));
}

#[test]
fn a_user_named_like_a_group_is_not_in_it() {
    let acls = vec![allow("Group:ops", O::Read, "orders"), allow("User:ops", O::Write, "orders")];
    let set = AclSet::compile(Rules { acls, groups: groups(&[("ops", &["alice"])]), ..Rules::default() }, 1);
    assert!(!may(&set, &somebody("ops"), O::Read, "orders"));
    assert!(!may(&set, &somebody("Group:ops"), O::Read, "orders"));
    assert!(!may(&set, &somebody("alice"), O::Write, "orders"));
}

#[test]
fn names_with_stars_and_colons_are_names() {
    let acls = vec![
        allow("Group:*", O::Read, "a"),
        allow("Group:x:y", O::Read, "b"),
        allow("User:*", O::Read, "c"),
        allow("User:al*", O::Read, "d"),
    ];
    let set = AclSet::compile(Rules { acls, groups: groups(&[("x", &["alice"])]), ..Rules::default() }, 1);
    let in_group = |name: &str| Subject { groups: [Principal::group(name)].into(), ..somebody("alice") };
    let may_read = |subject: &Subject, topic: &str| may(&set, subject, O::Read, topic);
    assert!(!may_read(&somebody("alice"), "a") && may_read(&in_group("*"), "a"), "a group of that very name");
    assert!(!may_read(&in_group("x"), "b") && may_read(&in_group("x:y"), "b"));
    // A user or group called like everybody is one of everybody, and no more.
    assert!(may_read(&somebody("*"), "c") && !may_read(&somebody("*"), "d"));
    assert!(!may_read(&in_group("User:*"), "d") && !may_read(&somebody("alice"), "d"));
}

#[test]
fn a_role_allows_what_it_says_where_it_is_bound_and_a_deny_beats_it() {
    let bindings = bindings([
        bound("DeveloperRead", Principal::group("dev"), Some((R::Topic, PatternType::Prefixed, "team-"))),
        bound("SystemAdmin", Principal::user("root"), None),
    ]);
    let acls = vec![deny("User:alice", O::Read, "team-secret"), deny("User:root", O::Read, "team-secret")];
    let groups = groups(&[("dev", &["alice", "bob"])]);
    let set = AclSet::compile(Rules { acls, groups, bindings, ..Rules::default() }, 1);
    assert!(may(&set, &somebody("alice"), O::Read, "team-a"));
    assert!(may(&set, &somebody("alice"), O::Describe, "team-a"));
    assert!(!may(&set, &somebody("alice"), O::Write, "team-a"));
    assert!(!may(&set, &somebody("alice"), O::Read, "other"));
    assert!(!set.decide(&somebody("alice"), O::Read, R::Group, "team-a").allowed, "bound on topics alone");
    assert!(
        !may(&set, &somebody("alice"), O::Read, "team-secret")
            && may(&set, &somebody("bob"), O::Read, "team-secret")
    );
    assert!(!may(&set, &somebody("root"), O::Read, "team-secret"), "even the mightiest role");
    assert!(may(&set, &somebody("root"), O::Read, "anything"));
    assert!(set.decide(&somebody("root"), O::Alter, R::Cluster, "kafka-cluster").allowed);
    let decision = set.decide(&somebody("bob"), O::Read, R::Topic, "team-a");
    assert_eq!(decision.reason.to_string(), "role DeveloperRead of Group:dev on topic prefixed team-");
}

#[test]
fn a_role_that_is_not_there_allows_nothing() {
    let bindings = bindings([bound("Ghost", Principal::user("a"), None)]);
    let set = AclSet::compile(Rules { bindings, ..Rules::default() }, 1);
    assert!(!may(&set, &somebody("a"), O::Describe, "t"));
}

#[test]
fn a_binding_ends_for_an_open_session_without_a_change() {
    let end = OffsetDateTime::now_utc() + Duration::milliseconds(300);
    let mut held = bound("DeveloperRead", Principal::user("a"), Some((R::Topic, PatternType::Literal, "t")));
    held.expires = Some(end);
    let over = Binding {
        expires: Some(OffsetDateTime::now_utc() - Duration::seconds(1)),
        ..bound("DeveloperWrite", Principal::user("a"), Some((R::Topic, PatternType::Literal, "t")))
    };
    let set = AclSet::compile(Rules { bindings: bindings([held, over]), ..Rules::default() }, 1);
    let subject = somebody("a");
    let mut cache = DecisionCache::default();
    let mut ask = |operation| Judge::new(&set, &subject, &mut cache).check(operation, R::Topic, "t");
    assert!(!ask(O::Write), "one that was over when it was read");
    assert!(ask(O::Read));
    while OffsetDateTime::now_utc() < end {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert!(!ask(O::Read), "what was cached is forgotten");
    assert!(!set.decide_any(&subject, O::Read, R::Topic).allowed);
}

#[test]
fn bindings_are_checked() {
    let none = Default::default();
    let check = |binding: Binding| binding.validate(&none).map_err(|error| error.to_string());
    let on = |kind, name| Some((kind, PatternType::Literal, name));
    assert!(check(bound("DeveloperRead", Principal::user("a"), on(R::Topic, "t"))).is_ok());
    assert!(check(bound("Operator", Principal::group("g"), None)).is_ok());
    for (binding, words) in [
        (bound("Nope", Principal::user("a"), None), "there is no role Nope"),
        (bound("DeveloperRead", "Token:a".parse().unwrap(), None), "not to Token:a"),
        (
            bound("DeveloperRead", Principal::user("a"), on(R::TransactionalId, "t")),
            "allows nothing on a transactional-id",
        ),
        (bound("DeveloperRead", Principal::user("a"), on(R::Topic, "")), "resource name is empty"),
        (bound("UserAdmin", Principal::user("a"), on(R::Cluster, "mine")), "'mine' is not the cluster"),
    ] {
        let error = check(binding).unwrap_err();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn an_explanation_names_rule_group_and_way_out() {
    let acls = vec![
        allow("Group:readers", O::Read, "orders"),
        Acl { host: "10.9.0.0/16".to_owned(), ..allow("User:alice", O::Write, "orders") },
    ];
    let groups = groups(&[("readers", &["alice"]), ("writers", &[])]);
    let bindings = bindings([bound(
        "DeveloperWrite",
        Principal::group("writers"),
        Some((R::Topic, PatternType::Prefixed, "ord")),
    )]);
    let set = AclSet::compile(Rules { acls, groups, bindings, ..Rules::default() }, 1);
    let asker = Asker { principal: Principal::user("alice"), groups: Vec::new(), host: None };
    let about = |operation| Access { operation, resource_type: R::Topic, resource_name: "orders".to_owned() };
    let read = set.explain(&asker, &about(O::Read));
    assert!(read.allowed);
    assert_eq!(read.through, Some(Principal::group("readers")));
    assert_eq!(read.local_groups, [Principal::group("readers")]);
    let write = set.explain(&asker, &about(O::Write));
    assert!(!write.allowed);
    let [elsewhere] = &write.rules[..] else { panic!("{write:?}") };
    assert_eq!(elsewhere.idle.as_deref(), Some("it holds for other hosts"));
    let ways = write.advice.join("\n");
    assert!(
        ways.contains("schloss acl add --allow-principal User:alice --operation write --topic orders"),
        "{ways}"
    );
    assert!(
        ways.contains("schloss role bind DeveloperWrite --principal User:alice --topic orders"),
        "{ways}"
    );
    assert!(ways.contains("schloss group add writers --member User:alice"), "{ways}");
    let there = Asker { host: Some("10.9.1.1".parse().unwrap()), ..asker };
    assert!(set.explain(&there, &about(O::Write)).allowed);

    let readers: Vec<String> =
        set.who_can(&about(O::Read), None).into_iter().map(|holder| holder.principal.to_string()).collect();
    assert_eq!(readers, ["Group:readers", "User:alice"]);
    let of_alice = set.rules_of(&there);
    assert_eq!(of_alice.len(), 2, "{of_alice:?}");
}

fn any_pattern() -> impl Strategy<Value = (PatternType, &'static str)> {
    (
        prop_oneof![Just(PatternType::Literal), Just(PatternType::Prefixed)],
        prop_oneof![Just("*"), Just("a"), Just("ab"), Just("abc"), Just("b")],
    )
}

fn any_acl() -> impl Strategy<Value = Acl> {
    let principal =
        prop_oneof![Just("User:u"), Just("User:v"), Just("User:*"), Just("Group:g"), Just("Group:h")];
    let operation =
        prop_oneof![Just(O::Read), Just(O::Write), Just(O::Describe), Just(O::All), Just(O::Alter)];
    let permission = prop_oneof![2 => Just(Permission::Allow), 1 => Just(Permission::Deny)];
    (permission, principal, operation, any_pattern()).prop_map(
        |(permission, principal, operation, pattern)| acl(permission, principal, operation, pattern),
    )
}

fn any_binding() -> impl Strategy<Value = Binding> {
    let role = prop_oneof![
        Just("DeveloperRead"),
        Just("DeveloperWrite"),
        Just("DeveloperManage"),
        Just("ResourceOwner")
    ];
    let principal =
        prop_oneof![Just(Principal::user("u")), Just(Principal::group("g")), Just(Principal::group("h"))];
    (role, principal, any_pattern())
        .prop_map(|(role, principal, (kind, name))| bound(role, principal, Some((R::Topic, kind, name))))
}

proptest! {
    #[test]
    fn groups_and_roles_mean_what_they_mean_spelled_out(
        acls in proptest::collection::vec(any_acl(), 0..8),
        held in proptest::collection::vec(any_binding(), 0..4),
        in_g in proptest::collection::btree_set(prop_oneof![Just("u"), Just("v")], 0..2),
        in_h in proptest::collection::btree_set(prop_oneof![Just("u"), Just("w")], 0..2),
    ) {
        let members = |names: &BTreeSet<&str>| names.iter().map(|name| Principal::user(name)).collect();
        let groups: Groups = [("g".to_owned(), members(&in_g)), ("h".to_owned(), members(&in_h))].into();
        let held: Bindings = held.into_iter().collect();
        let plain = AclSet::new(spelled_out(&acls, &groups, &held), Vec::new(), 1);
        let rules = Rules { acls, groups: groups.into(), bindings: held.into(), ..Rules::default() };
        let set = AclSet::compile(rules, 1);
        for user in ["u", "v", "w"] {
            for operation in [O::Read, O::Write, O::Describe, O::Create, O::Alter] {
                for topic in ["a", "ab", "abcd", "b", "c"] {
                    prop_assert_eq!(
                        may(&set, &somebody(user), operation, topic),
                        may(&plain, &somebody(user), operation, topic),
                        "{} {} {}", user, operation, topic
                    );
                }
                prop_assert_eq!(
                    set.decide_any(&somebody(user), operation, R::Topic).allowed,
                    plain.decide_any(&somebody(user), operation, R::Topic).allowed,
                    "{} {} on any", user, operation
                );
            }
        }
    }
}

proptest! {
    #[test]
    fn the_questions_the_other_way_round_agree_with_decisions(
        acls in proptest::collection::vec(any_acl(), 0..8),
        held in proptest::collection::vec(any_binding(), 0..3),
        in_g in proptest::collection::btree_set(prop_oneof![Just("u"), Just("v")], 0..2),
    ) {
        let in_g = in_g.iter().map(|name| Principal::user(name)).collect();
        let groups: Groups = [("g".to_owned(), in_g)].into();
        let held: Bindings = held.into_iter().collect();
        let rules = Rules { acls, groups: groups.into(), bindings: held.into(), ..Rules::default() };
        let set = AclSet::compile(rules, 1);
        let host = Some("10.0.0.1".parse().unwrap());
        for operation in [O::Read, O::Write, O::Describe] {
            let access = Access { operation, resource_type: R::Topic, resource_name: "ab".to_owned() };
            let who: Vec<Principal> =
                set.who_can(&access, host).into_iter().map(|holder| holder.principal).collect();
            for user in ["u", "v", "w"] {
                let asker = Asker { principal: Principal::user(user), groups: Vec::new(), host };
                let explanation = set.explain(&asker, &access);
                prop_assert_eq!(explanation.allowed, may(&set, &somebody(user), operation, "ab"));
                let is_listed = who.contains(&asker.principal);
                prop_assert!(!is_listed || explanation.allowed, "{} is listed", user);
                let is_meant = is_listed || who.contains(&Principal::user("*"));
                prop_assert!(!explanation.allowed || is_meant, "{} is not listed", user);
                // Whatever decides is among what concerns it.
                let of = set.rules_of(&asker);
                prop_assert!(explanation.rules.iter().all(|rule| of.contains(rule)));
                prop_assert!(!explanation.allowed || of.iter().any(|rule| rule.rule == explanation.reason));
            }
        }
    }
}
