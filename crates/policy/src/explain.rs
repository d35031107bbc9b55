//! Why something is allowed or denied, who may do it, and what somebody may do.

use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};

use schloss_wire::Principal;
use serde::{Deserialize, Serialize};

use crate::decision::{Reason, Subject};
use crate::holders::Id;
use crate::kind::{Operation, PatternType, Permission, ResourceType};
use crate::role::{BUILT_IN, grants_of};
use crate::rule::{Origin, Rule};
use crate::set::{AclSet, EVERYBODY, Who};

/// Most rules that an explanation names, and most principals that an answer does.
pub const MAX_LISTED: usize = 10_000;
/// Most groups that are proposed.
const MAX_PROPOSED: usize = 5;

/// What is asked about.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The operation.
    pub operation: Operation,
    /// The type of the resource.
    pub resource_type: ResourceType,
    /// Its name.
    pub resource_name: String,
}

/// Who is asked about.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Asker {
    /// The principal.
    pub principal: Principal,
    /// Groups besides the local ones, as a directory or a token would say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Principal>,
    /// From where; none for an address that no rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<IpAddr>,
}

/// One rule, as it is told.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RuleView {
    /// The rule in words.
    pub rule: String,
    /// Which way it decides.
    pub permission: Permission,
    /// Whose it is: the principal itself, a group, or `User:*`.
    pub holder: Principal,
    /// The role, if it comes from one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The type of the resources.
    pub resource_type: ResourceType,
    /// How they are named.
    pub pattern_type: PatternType,
    /// Their name or its beginning.
    pub resource_name: String,
    /// What it is about.
    pub operations: Vec<Operation>,
    /// Why it is not in force for what was asked, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idle: Option<String>,
}

/// One decision and all that it rests on.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// Whether it may be done.
    pub allowed: bool,
    /// Who asks.
    pub asker: Asker,
    /// For what.
    pub access: Access,
    /// Which rule decided, in words.
    pub reason: String,
    /// The local groups that the principal is in.
    pub local_groups: Vec<Principal>,
    /// The group through which the rule applies, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Principal>,
    /// Every rule about it, those in force first.
    pub rules: Vec<RuleView>,
    /// What would change the decision.
    pub advice: Vec<String>,
}

/// Somebody who may do something.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Holder {
    /// Who: a user, a group, or everybody.
    pub principal: Principal,
    /// By which rule.
    pub by: String,
    /// The group through which, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<Principal>,
    /// Denials that hold for some hosts only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub except: Vec<String>,
}

impl Asker {
    fn subject(&self) -> Subject {
        // An address that only networks of everything hold.
        let host = self.host.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        Subject { principal: self.principal.clone(), groups: self.groups.clone().into(), host }
    }
}

impl AclSet {
    /// Decides about one access, and says why.
    #[must_use]
    pub fn explain(&self, asker: &Asker, access: &Access) -> Explanation {
        let subject = asker.subject();
        let Access { operation, resource_type, resource_name } = access;
        let decision = self.decide(&subject, *operation, *resource_type, resource_name);
        let who = self.who(&subject);
        let mut rules: Vec<RuleView> = self
            .about(&who, access)
            .take(MAX_LISTED)
            .map(|(pattern, rule)| self.view(pattern, rule, Some(who.host)))
            .collect();
        rules.sort_by_key(|rule| rule.idle.is_some());
        let through = match &decision.reason {
            Reason::Acl(acl) => acl.principal.parse().ok(),
            Reason::Role(binding) => Some(binding.principal.clone()),
            _ => None,
        };
        Explanation {
            allowed: decision.allowed,
            reason: decision.reason.to_string(),
            local_groups: self.groups_of(&asker.principal).map(Principal::group).collect(),
            through: through.filter(Principal::is_group),
            advice: self.advice(asker, access, decision.allowed, &decision.reason, &rules),
            rules,
            asker: asker.clone(),
            access: access.clone(),
        }
    }

    /// Who may do something, by rules that are in force now: users and groups that rules name, and the members
    /// of local groups. Super users may as well and are not told.
    #[must_use]
    pub fn who_can(&self, access: &Access, host: Option<IpAddr>) -> Vec<Holder> {
        let Access { operation, resource_type, resource_name } = access;
        let moment = self.now();
        let mut rules: HashMap<Id, Vec<&Rule>> = HashMap::new();
        let on_name = self.patterns(*resource_type).on(resource_name).flat_map(|(_, holders)| holders.iter());
        for (id, rule) in on_name.filter(|(_, rule)| rule.is_about(*operation)) {
            rules.entry(id).or_default().push(rule);
        }
        let allows = |rule: &&Rule| !rule.is_deny() && !rule.is_over(moment.now_ms);
        let mut candidates: BTreeSet<Principal> = BTreeSet::new();
        for rule in rules.values().filter_map(|rules| rules.iter().copied().find(allows)) {
            let holder = rule.holder();
            let members = self.groups().get(holder.name()).filter(|_| holder.is_group());
            candidates.extend(members.into_iter().flatten().cloned());
            candidates.insert(holder);
        }
        let judged = candidates.into_iter().filter_map(|principal| {
            let groups = if principal.is_group() { vec![principal.clone()] } else { Vec::new() };
            let who = self.who(&Asker { principal: principal.clone(), groups, host }.subject());
            let mine = || who.ids.iter().filter_map(|id| rules.get(&id)).flatten().copied();
            // Without a host the question is whether there is one from which it is allowed.
            let here = |rule: &Rule| host.is_none() || rule.is_here(who.host);
            let everywhere = |rule: &Rule| host.is_some() || rule.is_anywhere();
            let denied = mine().any(|rule| rule.is_deny() && here(rule) && everywhere(rule));
            let allowing = mine().filter(allows).find(|rule| here(rule))?;
            let except = mine().filter(|rule| rule.is_deny() && host.is_none() && !rule.is_anywhere());
            let except = except.map(|rule| rule.reason().to_string()).collect();
            let through = Some(allowing.holder()).filter(|holder| holder.is_group() && *holder != principal);
            let by = allowing.reason().to_string();
            (!denied).then_some(Holder { principal, by, through, except })
        });
        judged.take(MAX_LISTED).collect()
    }

    /// Every rule that concerns somebody: its own, its groups', everybody's.
    #[must_use]
    pub fn rules_of(&self, asker: &Asker) -> Vec<RuleView> {
        let who = self.who(&asker.subject());
        let mut found = Vec::new();
        for id in who.ids.iter() {
            for place in self.index().places(id) {
                let holders = self.patterns(place.resource_type).exactly(place.pattern_type, &place.name);
                for rule in holders.into_iter().flat_map(|holders| holders.of(id)) {
                    let pattern = (place.resource_type, place.pattern_type, &*place.name);
                    found.push(self.view(pattern, rule, asker.host));
                    if found.len() >= MAX_LISTED {
                        return found;
                    }
                }
            }
        }
        found
    }

    /// The rules of `who` about an access, in force or not.
    fn about<'a>(
        &'a self,
        who: &'a Who,
        access: &'a Access,
    ) -> impl Iterator<Item = ((ResourceType, PatternType, &'a str), &'a Rule)> {
        let Access { operation, resource_type, resource_name } = access;
        self.patterns(*resource_type).on(resource_name).flat_map(move |(pattern, holders)| {
            let mine = holders.iter().filter(|(id, rule)| who.ids.has(*id) && rule.is_about(*operation));
            mine.map(move |(_, rule)| ((*resource_type, pattern, &*holders.name), rule))
        })
    }

    fn view(
        &self,
        (resource_type, pattern_type, name): (ResourceType, PatternType, &str),
        rule: &Rule,
        host: Option<IpAddr>,
    ) -> RuleView {
        let over = rule.is_over(self.now().now_ms).then(|| "it has ended".to_owned());
        let elsewhere = host.filter(|host| !rule.is_here(*host));
        let role = match &rule.origin {
            Origin::Acl(_) => None,
            Origin::Binding(binding) => Some(binding.role.clone()),
        };
        let operations = match &rule.origin {
            Origin::Acl(acl) => vec![acl.operation],
            Origin::Binding(binding) => grants_of(&binding.role, self.roles())
                .and_then(|mut grants| grants.remove(&resource_type))
                .map_or_else(Vec::new, |held| held.into_iter().collect()),
        };
        RuleView {
            rule: rule.reason().to_string(),
            permission: if rule.is_deny() { Permission::Deny } else { Permission::Allow },
            holder: rule.holder(),
            role,
            resource_type,
            pattern_type,
            resource_name: name.to_owned(),
            operations,
            idle: over.or_else(|| elsewhere.map(|_| "it holds for other hosts".to_owned())),
        }
    }

    fn advice(
        &self,
        asker: &Asker,
        access: &Access,
        allowed: bool,
        reason: &Reason,
        rules: &[RuleView],
    ) -> Vec<String> {
        let Access { operation, resource_type, resource_name } = access;
        let in_force = || rules.iter().filter(|rule| rule.idle.is_none());
        match reason {
            Reason::SuperUser => vec!["take it out of super_users in the configuration".to_owned()],
            Reason::Reserved => vec!["nothing: such topics are Schloss's own".to_owned()],
            _ if allowed => {
                let takes = in_force().filter(|rule| rule.permission == Permission::Allow);
                let mut all: Vec<String> = takes.map(|rule| format!("take away: {}", rule.rule)).collect();
                if all.len() > 1 {
                    all.insert(0, "take away every one of the rules below, or deny it".to_owned());
                }
                all.push(format!(
                    "deny it: schloss acl add --deny-principal {} --operation {operation} {}",
                    asker.principal,
                    flag(*resource_type, resource_name)
                ));
                all
            }
            Reason::Acl(_) => {
                let denials = in_force().filter(|rule| rule.permission == Permission::Deny);
                let mut all: Vec<String> =
                    denials.map(|rule| format!("take away the denial: {}", rule.rule)).collect();
                if !in_force().any(|rule| rule.permission == Permission::Allow) {
                    all.push("and allow it: no rule does".to_owned());
                }
                all
            }
            _ => self.ways_in(asker, access),
        }
    }

    /// What would allow an access that no rule allows.
    fn ways_in(&self, asker: &Asker, access: &Access) -> Vec<String> {
        let Access { operation, resource_type, resource_name } = access;
        let (principal, on) = (&asker.principal, flag(*resource_type, resource_name));
        let mut ways = vec![format!(
            "allow it: schloss acl add --allow-principal {principal} --operation {operation} {on}"
        )];
        let grants = |role: &&crate::BuiltIn| {
            let held = role.grants().remove(resource_type).unwrap_or_default();
            // A role over everything is no answer to a question about one thing.
            let is_wide = held.contains(&Operation::All);
            !is_wide && held.iter().any(|held| held.allows(*operation))
        };
        if let Some(role) = BUILT_IN.iter().rev().find(grants) {
            ways.push(format!("bind a role: schloss role bind {} --principal {principal} {on}", role.name));
        }
        let holders = self.who_can(access, asker.host).into_iter();
        let groups = holders.filter(|holder| holder.principal.is_group());
        ways.extend(groups.take(MAX_PROPOSED).map(|group| {
            format!("make it a member: schloss group add {} --member {principal}", group.principal.name())
        }));
        ways
    }
}

/// How the command line names a resource.
fn flag(resource_type: ResourceType, name: &str) -> String {
    match resource_type {
        ResourceType::Cluster => "--cluster".to_owned(),
        other => format!("--{other} {name}"),
    }
}

impl Rule {
    /// Whose rule it is; everybody's if its principal can't be read, which no rule that was checked is.
    fn holder(&self) -> Principal {
        match &self.origin {
            Origin::Acl(acl) => acl.principal.parse().unwrap_or_else(|_| Principal::user(&EVERYBODY[5..])),
            Origin::Binding(binding) => binding.principal.clone(),
        }
    }
}
