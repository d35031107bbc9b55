//! Permissions that are missing, and the command that grants them.

use std::fmt;

use schloss_wire::ErrorCode;

/// How a gateway begins the message of a denial that came from the cluster behind it.
pub const UPSTREAM_DENIES: &str = "the cluster behind the gateway denies this to";

/// A permission that is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Denial {
    /// Kafka's error code.
    pub code: ErrorCode,
    /// What was asked for.
    pub need: Need,
    /// Who lacks it.
    pub who: Denied,
}

/// Who lacks a permission.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Denied {
    /// Who asked; `None` without SASL.
    User(Option<String>),
    /// Somebody else, in the words of a gateway: they begin with [`UPSTREAM_DENIES`].
    Upstream(String),
}

/// The operation that a call needs on a resource: what an administrator would have to grant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Need {
    /// Kafka's operation, in capitals, such as `WRITE`.
    pub operation: &'static str,
    /// `topic`, `group` or `cluster`, as in the options of kafka-acls.
    pub resource: &'static str,
    /// Name of the resource; empty for the cluster.
    pub name: String,
}

impl Need {
    /// An operation on a topic.
    #[must_use]
    pub fn topic(operation: &'static str, name: &str) -> Self {
        Self { operation, resource: "topic", name: name.to_owned() }
    }

    /// An operation on a consumer group.
    #[must_use]
    pub fn group(operation: &'static str, name: &str) -> Self {
        Self { operation, resource: "group", name: name.to_owned() }
    }

    /// An operation on the cluster.
    #[must_use]
    pub const fn cluster(operation: &'static str) -> Self {
        Self { operation, resource: "cluster", name: String::new() }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on ", self.operation)?;
        if self.name.is_empty() {
            return write!(formatter, "the {}", self.resource);
        }
        write!(formatter, "{} {}", self.resource, self.name)
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, need, who } = self;
        let principal = match who {
            Denied::Upstream(words) => return write!(formatter, "not authorized ({code}): {words}: {need}"),
            Denied::User(user) => user.as_deref().unwrap_or("ANONYMOUS"),
        };
        write!(
            formatter,
            "not authorized ({code}): User:{principal} probably lacks {need}; an administrator can grant it: \
             schloss acl add --allow-principal User:{principal} --operation {}",
            acl_word(need.operation)
        )?;
        match need.resource {
            "cluster" => formatter.write_str(" --cluster"),
            resource => write!(formatter, " --{resource} {}", need.name),
        }
    }
}

/// The word that kafka-acls has for an operation: `DESCRIBE_CONFIGS` is `describe-configs`.
fn acl_word(operation: &str) -> String {
    operation.to_ascii_lowercase().replace('_', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_names_who_lacks_what_and_the_command_that_grants_it() {
        let error =
            crate::ClientError::check(29, None, Some("alice"), &Need::topic("READ", "orders"), String::new)
                .unwrap_err();
        assert_eq!(error.class(), crate::ErrorClass::Denied);
        let text = error.to_string();
        assert!(text.contains("TOPIC_AUTHORIZATION_FAILED"), "{text}");
        assert!(text.contains("User:alice probably lacks READ on topic orders"), "{text}");
        assert!(text.contains("--operation read --topic orders"), "{text}");
    }

    #[test]
    fn a_denial_of_the_cluster_behind_a_gateway_blames_no_user_of_the_gateway() {
        let told = |message| {
            let need = Need::cluster("CREATE");
            crate::ClientError::check(31, Some(message), Some("alice"), &need, String::new)
                .unwrap_err()
                .to_string()
        };
        let words = format!("{UPSTREAM_DENIES} the gateway's own user there, svc");
        let text = told(&words);
        assert!(text.contains(&words) && text.contains("CREATE on the cluster"), "{text}");
        assert!(!text.contains("alice") && !text.contains("schloss acl"), "{text}");
        assert!(told("Cluster authorization failed.").contains("User:alice"));
    }
}
