//! A set that came of many changes is as one that is compiled of what is there in the end.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;
use schloss_policy::{
    Access, Acl, AclFilter, AclSet, Asker, Binding, Bindings, Groups, Operation, Pattern, PatternFilter,
    PatternType, Permission, ResourceType, Roles, RuleChanges, Rules, Subject,
};
use schloss_wire::Principal;
use time::{Duration, OffsetDateTime};

const NAMES: [&str; 8] = ["*", "a", "ab", "abc", "abcdefgh", "abcdefghi", "b", "kafka-cluster"];
const TYPES: [ResourceType; 3] = [ResourceType::Topic, ResourceType::Group, ResourceType::Cluster];
const USERS: [&str; 3] = ["alice", "bob", "carol"];
const ROLES: [&str; 4] = ["DeveloperRead", "DeveloperWrite", "SystemAdmin", "mine"];

#[derive(Clone, Debug)]
enum Step {
    Acl(Acl, bool),
    Member(&'static str, Principal, bool),
    GroupGone(&'static str),
    /// What the role `mine` allows on topics from now on; nothing: there is none.
    Role(Option<Operation>),
    /// A binding, with an end or without, comes or goes.
    Binding(Binding, bool),
}

fn user() -> impl Strategy<Value = Principal> {
    select(USERS.to_vec()).prop_map(Principal::user)
}

fn group() -> impl Strategy<Value = &'static str> {
    select(vec!["dev", "ops"])
}

fn holder() -> impl Strategy<Value = Principal> {
    prop_oneof![3 => user(), 1 => group().prop_map(Principal::group), 1 => Just(Principal::user("*"))]
}

fn pattern() -> impl Strategy<Value = Pattern> {
    (select(TYPES.to_vec()), select(PatternType::ALL), select(NAMES.to_vec())).prop_map(
        |(resource_type, pattern_type, name)| Pattern {
            resource_type,
            pattern_type,
            resource_name: name.to_owned(),
        },
    )
}

fn acl() -> impl Strategy<Value = Acl> {
    let operation = select(vec![Operation::Read, Operation::Write, Operation::Describe, Operation::All]);
    let permission = select(vec![Permission::Allow, Permission::Allow, Permission::Deny]);
    let host = select(vec!["*", "10.0.0.1", "no host"]);
    (pattern(), holder(), host, operation, permission).prop_map(
        |(on, holder, host, operation, permission)| Acl {
            resource_type: on.resource_type,
            pattern_type: on.pattern_type,
            resource_name: on.resource_name,
            principal: holder.to_string(),
            host: host.to_owned(),
            operation,
            permission,
        },
    )
}

fn binding() -> impl Strategy<Value = Binding> {
    let resource = proptest::option::of(pattern());
    (select(ROLES.to_vec()), holder(), resource, 0..3_i64).prop_map(|(role, principal, resource, end)| {
        let expires = (end > 0).then(|| OffsetDateTime::UNIX_EPOCH + Duration::days(end * 36_500));
        Binding { role: role.to_owned(), principal, resource, expires }
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (acl(), proptest::bool::weighted(0.6)).prop_map(|(acl, comes)| Step::Acl(acl, comes)),
        2 => (group(), user(), any::<bool>()).prop_map(|(group, who, comes)| Step::Member(group, who, comes)),
        1 => group().prop_map(Step::GroupGone),
        1 => proptest::option::of(select(vec![Operation::Read, Operation::Write])).prop_map(Step::Role),
        2 => (binding(), any::<bool>()).prop_map(|(binding, comes)| Step::Binding(binding, comes)),
    ]
}

/// What there is, as plain sets.
#[derive(Clone, Debug, Default)]
struct Plain {
    acls: BTreeSet<Acl>,
    groups: Groups,
    roles: Roles,
    bindings: Bindings,
}

impl Plain {
    /// What a step makes of it; the ACL that it is about.
    fn take(&mut self, step: Step) -> Option<(Acl, bool)> {
        match step {
            Step::Acl(acl, comes) => {
                if comes {
                    self.acls.insert(acl.clone())
                } else {
                    self.acls.remove(&acl)
                };
                return Some((acl, comes));
            }
            Step::Member(group, who, comes) => {
                let members = self.groups.entry(group.to_owned()).or_default();
                if comes {
                    members.insert(who)
                } else {
                    members.remove(&who)
                };
            }
            Step::GroupGone(group) => drop(self.groups.remove(group)),
            Step::Role(None) => drop(self.roles.remove("mine")),
            Step::Role(Some(operation)) => {
                let grants = BTreeMap::from([(ResourceType::Topic, BTreeSet::from([operation]))]);
                self.roles.insert("mine".to_owned(), grants);
            }
            Step::Binding(binding, true) => drop(self.bindings.replace(binding)),
            Step::Binding(binding, false) => drop(self.bindings.remove(&binding)),
        }
        None
    }

    fn compiled(&self) -> AclSet {
        let Self { acls, groups, roles, bindings } = self.clone();
        let (groups, roles, bindings) = (Arc::new(groups), Arc::new(roles), Arc::new(bindings));
        let rules = Rules { acls: acls.into_iter().collect(), groups, roles, bindings, super_users: vec![] };
        AclSet::compile(rules, 1)
    }
}

/// Everything that can be asked of a set, answered.
fn told(set: &AclSet) -> Vec<String> {
    let mut all: Vec<String> = set.iter().map(ToString::to_string).collect();
    for acl in set.iter() {
        let exactly = AclFilter {
            resource_type: Some(acl.resource_type),
            pattern: PatternFilter::Only(acl.pattern_type),
            resource_name: Some(acl.resource_name.clone()),
            principal: Some(acl.principal.clone()),
            host: Some(acl.host.clone()),
            operation: Some(acl.operation),
            permission: Some(acl.permission),
        };
        assert!(set.matching(&exactly).eq([acl]));
        let loosely = AclFilter { permission: None, ..exactly.clone() };
        assert!(set.matching(&loosely).eq(set.iter().filter(|other| loosely.matches(other))));
        let other = AclFilter { host: Some("10.9.9.9".to_owned()), ..exactly };
        assert_eq!(set.matching(&other).count(), 0);
    }
    for principal in USERS.map(Principal::user) {
        let subject = Subject::new(principal.clone(), "10.0.0.1".parse().unwrap());
        for (kind, operation) in TYPES.iter().flat_map(|kind| Operation::ALL.iter().map(move |o| (*kind, *o)))
        {
            for name in NAMES.iter().chain(&["abcdefghij", "abcdefg", "x"]) {
                all.push(set.decide(&subject, operation, kind, name).allowed.to_string());
            }
            all.push(set.decide_any(&subject, operation, kind).allowed.to_string());
        }
        let asker = Asker { principal, groups: vec![], host: None };
        let mut rules: Vec<String> = set.rules_of(&asker).iter().map(|rule| format!("{rule:?}")).collect();
        rules.sort();
        all.extend(rules);
    }
    for name in NAMES {
        let (operation, resource_type) = (Operation::Read, ResourceType::Topic);
        let access = Access { operation, resource_type, resource_name: name.to_owned() };
        all.extend(set.who_can(&access, None).into_iter().map(|holder| holder.principal.to_string()));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_changed_set_is_as_one_compiled_anew_and_the_one_before_stays(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let (mut plain, mut set) = (Plain::default(), AclSet::default());
        let mut generation = 0;
        let middle = steps.len() / 2;
        let mut kept = None;
        for (number, step) in steps.into_iter().enumerate() {
            let acls = plain.take(step).into_iter().collect();
            let Plain { groups, roles, bindings, .. } = plain.clone();
            let (groups, roles, bindings) = (Arc::new(groups), Arc::new(roles), Arc::new(bindings));
            generation += 1;
            set = set.after(RuleChanges { acls, groups, roles, bindings }, generation);
            if number == middle {
                kept = Some((set.clone(), told(&set)));
            }
        }
        prop_assert_eq!(set.generation(), generation);
        prop_assert_eq!(told(&set), told(&plain.compiled()));
        let (before, told_then) = kept.unwrap();
        prop_assert_eq!(told(&before), told_then);
    }
}

/// Principals that come and go take numbers; those are given out anew before they fill the memory.
#[test]
fn principals_that_come_and_go_leave_nothing_behind() {
    let acl = |number: usize| Acl {
        resource_type: ResourceType::Topic,
        pattern_type: PatternType::Literal,
        resource_name: "t".to_owned(),
        principal: format!("User:{number}"),
        host: "*".to_owned(),
        operation: Operation::Read,
        permission: Permission::Allow,
    };
    let mut set = AclSet::new(vec![acl(0)], vec![], 1);
    let change =
        |acls| RuleChanges { acls, groups: Arc::default(), roles: Arc::default(), bindings: Arc::default() };
    for number in 1..30_000 {
        set = set.after(change(vec![(acl(number - 1), false), (acl(number), true)]), 1);
    }
    let may = |number: usize| {
        let subject = Subject::new(Principal::user(&number.to_string()), "10.0.0.1".parse().unwrap());
        set.decide(&subject, Operation::Read, ResourceType::Topic, "t").allowed
    };
    assert!(may(29_999) && !may(0) && !may(29_998));
    assert!(set.known_principals() < 15_000, "{}", set.known_principals());
}
