//! `schloss access advise`: what is allowed against what was used.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use schloss_policy::{Access, Acl, AclSet, Operation, PatternType, Permission, RuleView};
use schloss_wire::Principal;
use serde::Serialize;
use serde_json::json;
use time::OffsetDateTime;

use super::Source;
use crate::cli::output::{self, Format};
use crate::cli::policy::{in_force, read_policy};
use crate::cli::time_words::parse_time;
use crate::cli::used::{Places, Used, used};
use crate::cli::{ClientFile, UsageError};

#[derive(Args)]
pub(crate) struct Arguments {
    /// Only about this principal [default: every one that rules name]
    #[arg(long, value_name = "PRINCIPAL")]
    principal: Option<Principal>,
    /// Look back so far: a time (2026-11-24T08:00:00Z), or how long ago (30d)
    #[arg(long, value_name = "TIME", value_parser = parse_time, default_value = "30d")]
    since: OffsetDateTime,
    #[command(flatten)]
    places: Places,
    #[command(flatten)]
    source: Source,
}

/// About one principal.
#[derive(Serialize)]
struct Advice {
    principal: Principal,
    /// What it did.
    used: Vec<Used>,
    /// Its rules by which nothing of that is allowed.
    unused: Vec<RuleView>,
    /// The fewest ACLs that allow what it did.
    enough: Vec<Acl>,
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    let Arguments { principal, since, places, source } = arguments;
    let document = match (source.policy, source.client) {
        (Some(path), _) => read_policy(&path)?,
        (None, Some(client)) => in_force(&ClientFile { client })?,
        (None, None) => {
            let words = "say whose policy: --client FILE asks a node, --policy FILE reads a file";
            return Err(UsageError(words.to_owned()).into());
        }
    };
    let rules = document.compile();
    let mut done: BTreeMap<Principal, Vec<Used>> = BTreeMap::new();
    let told = used(&places.directories()?, since, principal.as_ref())?;
    for used in &told.used {
        done.entry(used.principal.clone()).or_default().push(used.clone());
    }
    let whom = principal.map_or_else(|| principals(&rules, &done), |one| [one].into());
    let advice: Vec<Advice> =
        whom.into_iter().map(|principal| advise(&rules, principal, &mut done)).collect();
    if format == Format::Json {
        return output::json(&json!({ "audit_logs": told.logs, "advice": advice }));
    }
    told.print_logs()?;
    advice.iter().try_for_each(print)
}

/// Users that rules or groups name, and those that did something.
fn principals(rules: &AclSet, done: &BTreeMap<Principal, Vec<Used>>) -> BTreeSet<Principal> {
    let named = rules.iter().filter_map(|acl| acl.principal.parse().ok());
    let bound = rules.bindings().iter().map(|binding| binding.principal.clone());
    let members = rules.groups().values().flatten().cloned();
    let all = named.chain(bound).chain(members).chain(done.keys().cloned());
    all.filter(|principal: &Principal| !principal.is_group() && principal.name() != "*").collect()
}

fn advise(rules: &AclSet, principal: Principal, done: &mut BTreeMap<Principal, Vec<Used>>) -> Advice {
    let used = done.remove(&principal).unwrap_or_default();
    let groups = used.first().map(|used| used.groups.clone()).unwrap_or_default();
    let asker = schloss_policy::Asker { principal: principal.clone(), groups, host: None };
    let told = rules.rules_of(&asker).into_iter().filter(|rule| rule.permission == Permission::Allow);
    let unused = told.filter(|rule| is_told(rule) && !used.iter().any(|used| covers(rule, used))).collect();
    let enough: BTreeSet<Acl> = used.iter().map(enough).collect();
    Advice { principal, used, unused, enough: enough.into_iter().collect() }
}

/// Whether the audit log would tell if a rule were used: reads, writes and administration.
fn is_told(rule: &RuleView) -> bool {
    use Operation as O;
    let silent =
        |operation: &Operation| matches!(operation, O::Describe | O::DescribeConfigs | O::DescribeTokens);
    let of_topics_or_cluster = matches!(
        rule.resource_type,
        schloss_policy::ResourceType::Topic | schloss_policy::ResourceType::Cluster
    );
    of_topics_or_cluster && !rule.operations.iter().all(silent)
}

fn covers(rule: &RuleView, used: &Used) -> bool {
    let name = match rule.pattern_type {
        PatternType::Literal => rule.resource_name == "*" || rule.resource_name == used.resource_name,
        PatternType::Prefixed => used.resource_name.starts_with(&rule.resource_name),
    };
    rule.resource_type == used.resource_type
        && name
        && rule.operations.iter().any(|operation| operation.allows(used.operation))
}

/// The one ACL that an access needs, from wherever.
fn enough(used: &Used) -> Acl {
    let (asker, Access { operation, resource_type, resource_name }) = used.question();
    Acl {
        resource_type,
        pattern_type: PatternType::Literal,
        resource_name,
        principal: asker.principal.to_string(),
        host: "*".to_owned(),
        operation,
        permission: Permission::Allow,
    }
}

fn print(advice: &Advice) -> anyhow::Result<()> {
    let Advice { principal, used, unused, enough } = advice;
    output::line(&format!("{principal}: {} different access(es) in the audit log", used.len()))?;
    for rule in unused {
        output::line(&format!("  never used: {}", rule.rule))?;
    }
    enough.iter().try_for_each(|acl| output::line(&format!("  enough: {acl}")))
}
