//! What can be asked.

use std::net::IpAddr;

use schloss_policy::{Access, Asker, Binding, Explanation, Groups, Holder, Roles, RuleView};
use serde::{Deserialize, Serialize};

use super::policy::PolicyDocument;
use crate::accounts::Accounts;
use crate::snapshot::Snapshot;

/// A question; each has its [`SecurityAnswer`].
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecurityQuestion {
    /// What is known of users?
    Accounts,
    /// Which local groups are there?
    Groups,
    /// Which roles were made, and who has which?
    Roles,
    /// What is the whole policy?
    Policy,
    /// May somebody do something, and why?
    Explain {
        /// Who.
        asker: Asker,
        /// What.
        access: Access,
    },
    /// Who may do something?
    WhoCan {
        /// What.
        access: Access,
        /// From where; none: from anywhere.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<IpAddr>,
    },
    /// Which rules concern somebody?
    RulesOf {
        /// Who.
        asker: Asker,
    },
}

/// The answer to the question of the same name.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum SecurityAnswer {
    /// Accounts by name.
    Accounts(Accounts),
    /// Local groups with their members.
    Groups(Groups),
    /// Roles and bindings.
    Roles {
        /// Those that somebody made.
        roles: Roles,
        /// Who has which, whether it has ended or not.
        bindings: Vec<Binding>,
    },
    /// The whole policy.
    Policy(Box<PolicyDocument>),
    /// A decision and its reasons.
    Explain(Box<Explanation>),
    /// Who may.
    WhoCan(Vec<Holder>),
    /// The rules.
    RulesOf(Vec<RuleView>),
}

impl SecurityQuestion {
    /// The answer, as of a snapshot.
    #[must_use]
    pub fn answer(self, snapshot: &Snapshot) -> SecurityAnswer {
        let rules = snapshot.acls();
        match self {
            Self::Accounts => SecurityAnswer::Accounts(snapshot.accounts().clone()),
            Self::Groups => SecurityAnswer::Groups(Groups::clone(rules.groups())),
            Self::Roles => SecurityAnswer::Roles {
                roles: Roles::clone(rules.roles()),
                bindings: rules.bindings().iter().cloned().collect(),
            },
            Self::Policy => SecurityAnswer::Policy(Box::new(PolicyDocument::export(snapshot))),
            Self::Explain { asker, access } => {
                SecurityAnswer::Explain(Box::new(rules.explain(&asker, &access)))
            }
            Self::WhoCan { access, host } => SecurityAnswer::WhoCan(rules.who_can(&access, host)),
            Self::RulesOf { asker } => SecurityAnswer::RulesOf(rules.rules_of(&asker)),
        }
    }
}
