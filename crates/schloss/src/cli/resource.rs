//! The resource that a command is about, in the words of `kafka-acls`.

use clap::{Args, ValueEnum};
use schloss_policy::{PatternType, ResourceType};

use super::exit::UsageError;

#[derive(Args)]
#[group(multiple = false)]
pub(super) struct Resource {
    /// A topic, or * for all
    #[arg(long, value_name = "NAME")]
    topic: Option<String>,
    /// A consumer group, or * for all
    #[arg(long, value_name = "NAME")]
    group: Option<String>,
    /// The cluster itself
    #[arg(long)]
    cluster: bool,
    /// A transactional id, or * for all
    #[arg(long, value_name = "NAME")]
    transactional_id: Option<String>,
    /// A delegation token, or * for all
    #[arg(long, value_name = "ID")]
    delegation_token: Option<String>,
    /// A user as a resource (whose tokens somebody makes or sees), or * for all
    #[arg(long, value_name = "PRINCIPAL")]
    user_principal: Option<String>,
}

impl Resource {
    pub(super) fn get(&self) -> Option<(ResourceType, &str)> {
        let named = [
            (ResourceType::Topic, self.topic.as_deref()),
            (ResourceType::Group, self.group.as_deref()),
            (ResourceType::Cluster, self.cluster.then_some(schloss_policy::CLUSTER_NAME)),
            (ResourceType::TransactionalId, self.transactional_id.as_deref()),
            (ResourceType::DelegationToken, self.delegation_token.as_deref()),
            (ResourceType::User, self.user_principal.as_deref()),
        ];
        named.into_iter().find_map(|(kind, name)| Some((kind, name?)))
    }

    /// The one that has to be named.
    ///
    /// # Errors
    /// None is.
    pub(super) fn one(&self) -> Result<(ResourceType, &str), UsageError> {
        self.get().ok_or_else(|| {
            UsageError("name the resource with --topic, --group, --cluster or --transactional-id".to_owned())
        })
    }
}

/// How the name of a resource is meant.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Pattern {
    Literal,
    Prefixed,
}

impl From<Pattern> for PatternType {
    fn from(pattern: Pattern) -> Self {
        match pattern {
            Pattern::Literal => Self::Literal,
            Pattern::Prefixed => Self::Prefixed,
        }
    }
}
