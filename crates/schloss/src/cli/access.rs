//! `schloss access`: who may do what, and why.

mod advise;

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use schloss_metadata::security::{SecurityAnswer, SecurityQuestion};
use schloss_policy::{Access, Asker, Explanation, Holder, Operation, RuleView};
use schloss_wire::Principal;

use super::ClientFile;
use super::exit::{NotAllowed, UsageError};
use super::network::with_cluster;
use super::output::{self, Format};
use super::policy::read_policy;
use super::resource::Resource;
use super::security::{ask, unexpected};

#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Say whether somebody may do something, by which rule, and what would change it
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain {
        /// Who: User:alice
        #[arg(long, value_name = "PRINCIPAL")]
        principal: Principal,
        #[command(flatten)]
        more: Groups,
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        source: Source,
    },
    /// List who may do something; super users may as well and are not listed
    #[command(after_help = WHO_CAN_EXAMPLES)]
    WhoCan {
        #[command(flatten)]
        what: What,
        #[command(flatten)]
        source: Source,
    },
    /// List every rule that concerns somebody: its own, its groups', everybody's
    #[command(after_help = OF_EXAMPLES)]
    Of {
        /// Who: User:alice
        principal: Principal,
        #[command(flatten)]
        more: Groups,
        #[command(flatten)]
        source: Source,
    },
    /// Compare what is allowed with what the audit log says was used
    #[command(after_help = ADVISE_EXAMPLES)]
    Advise(advise::Arguments),
}

const EXPLAIN_EXAMPLES: &str = "Examples:
  schloss access explain --principal User:alice --operation write --topic orders --client admin.properties
  schloss access explain --principal User:alice --operation read --topic orders --host 10.0.0.7 --policy policy.yaml

Exit codes: 0 allowed, 6 denied.";

const WHO_CAN_EXAMPLES: &str = "Examples:
  schloss access who-can --operation read --topic orders --client admin.properties
  schloss access who-can --operation alter --cluster --policy policy.yaml --output json";

const OF_EXAMPLES: &str = "Example:
  schloss access of User:alice --client admin.properties";

const ADVISE_EXAMPLES: &str = "Examples:
  schloss access advise --since 30d --client admin.properties
  schloss access advise --principal User:alice --since 90d --policy policy.yaml --data-dir /var/lib/schloss

The audit log tells of records read and written and of administration; it doesn't tell who described something or
took part in a consumer group, so nothing is said about such rights.";

/// Groups that the policy doesn't know of.
#[derive(Args)]
struct Groups {
    /// As if a directory or token said that it is in this group, without Group:; may be given several times
    #[arg(long = "in-group", value_name = "NAME")]
    groups: Vec<String>,
}

impl Groups {
    fn asker(&self, principal: Principal, host: Option<IpAddr>) -> Asker {
        Asker { principal, groups: self.groups.iter().map(|name| Principal::group(name)).collect(), host }
    }
}

/// What is done, to what, from where.
#[derive(Args)]
struct What {
    /// What: read, write, create, describe and so on
    #[arg(long, value_name = "OPERATION")]
    operation: Operation,
    #[command(flatten)]
    resource: Resource,
    /// From this address [default: one that no rule names]
    #[arg(long, value_name = "ADDRESS")]
    host: Option<IpAddr>,
}

impl What {
    fn access(&self) -> Result<Access, UsageError> {
        let (resource_type, name) = self.resource.one()?;
        Ok(Access { operation: self.operation, resource_type, resource_name: name.to_owned() })
    }
}

/// Whose policy.
#[derive(Args)]
struct Source {
    /// A policy file (schloss policy export), instead of asking a node
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Client file: Java .properties, librdkafka .conf, or .json
    #[arg(long, value_name = "FILE", env = "SCHLOSS_CLIENT")]
    client: Option<PathBuf>,
}

impl Source {
    /// The answer of the file or of the node.
    fn ask<T>(
        self,
        question: &SecurityQuestion,
        offline: impl FnOnce(&schloss_policy::AclSet) -> T,
        take: impl FnOnce(SecurityAnswer) -> Result<T, SecurityAnswer>,
    ) -> anyhow::Result<T> {
        if let Some(path) = self.policy {
            return Ok(offline(&read_policy(&path)?.compile()));
        }
        let client = self.client.ok_or_else(|| {
            UsageError("say whose policy: --client FILE asks a node, --policy FILE reads a file".to_owned())
        })?;
        with_cluster(&ClientFile { client }, async |mut cluster| {
            take(ask(&mut cluster, question).await?).map_err(|other| unexpected(&other))
        })
    }
}

pub(super) fn run(arguments: Arguments, format: Format) -> anyhow::Result<()> {
    match arguments.command {
        Command::Explain { principal, more, what, source } => {
            let (asker, access) = (more.asker(principal, what.host), what.access()?);
            let question = SecurityQuestion::Explain { asker: asker.clone(), access: access.clone() };
            let explanation = source.ask(
                &question,
                |rules| rules.explain(&asker, &access),
                |answer| match answer {
                    SecurityAnswer::Explain(explanation) => Ok(*explanation),
                    other => Err(other),
                },
            )?;
            print_explanation(&explanation, format)?;
            if explanation.allowed { Ok(()) } else { Err(NotAllowed.into()) }
        }
        Command::WhoCan { what, source } => {
            let (access, host) = (what.access()?, what.host);
            let question = SecurityQuestion::WhoCan { access: access.clone(), host };
            let holders = source.ask(
                &question,
                |rules| rules.who_can(&access, host),
                |answer| match answer {
                    SecurityAnswer::WhoCan(holders) => Ok(holders),
                    other => Err(other),
                },
            )?;
            print_holders(&holders, format)
        }
        Command::Of { principal, more, source } => {
            let asker = more.asker(principal, None);
            let question = SecurityQuestion::RulesOf { asker: asker.clone() };
            let rules = source.ask(
                &question,
                |rules| rules.rules_of(&asker),
                |answer| match answer {
                    SecurityAnswer::RulesOf(rules) => Ok(rules),
                    other => Err(other),
                },
            )?;
            print_rules(&rules, format)
        }
        Command::Advise(arguments) => advise::run(arguments, format),
    }
}

fn print_explanation(explanation: &Explanation, format: Format) -> anyhow::Result<()> {
    let Explanation { allowed, asker, access, reason, local_groups, through, rules, advice } = explanation;
    let verdict = if *allowed { "allowed" } else { "denied" };
    let mut lines = vec![
        format!(
            "{verdict}: {} {} {} {}",
            asker.principal, access.operation, access.resource_type, access.resource_name
        ),
        format!("  because: {reason}"),
    ];
    lines.extend(through.iter().map(|group| format!("  through: {group}")));
    let groups: Vec<&str> = local_groups.iter().chain(&asker.groups).map(Principal::as_str).collect();
    if !groups.is_empty() {
        lines.push(format!("  groups: {}", groups.join(", ")));
    }
    for rule in rules {
        let idle = rule.idle.as_ref().map(|why| format!(" (not in force: {why})")).unwrap_or_default();
        lines.push(format!("  rule: {}{idle}", rule.rule));
    }
    let would = if *allowed { "denied" } else { "allowed" };
    lines.extend(advice.iter().map(|way| format!("  {would} if you: {way}")));
    output::value(format, explanation, &lines.join("\n"))
}

fn print_holders(holders: &[Holder], format: Format) -> anyhow::Result<()> {
    if holders.is_empty() && format == Format::Table {
        return output::line("nobody but super users");
    }
    output::rows(format, &["principal", "by", "but not"], holders, |holder| {
        vec![holder.principal.to_string(), holder.by.clone(), holder.except.join("; ")]
    })
}

fn print_rules(rules: &[RuleView], format: Format) -> anyhow::Result<()> {
    if rules.is_empty() && format == Format::Table {
        return output::line("no rule concerns it: everything is denied");
    }
    output::rows(format, &["through", "rule", "not in force"], rules, |rule| {
        vec![rule.holder.to_string(), rule.rule.clone(), rule.idle.clone().unwrap_or_default()]
    })
}
