//! Questions and changes about groups, roles and policies, to a node.

use anyhow::Context;
use schloss_client::Cluster;
use schloss_metadata::security::{SecurityAnswer, SecurityChange, SecurityQuestion, Step, StepKind};

use super::output::{self, Format};

/// Asks a node.
///
/// # Errors
/// The node's, or it is no Schloss.
pub(super) async fn ask(
    cluster: &mut Cluster,
    question: &SecurityQuestion,
) -> anyhow::Result<SecurityAnswer> {
    let answer = cluster.describe_security(serde_json::to_vec(question)?).await?;
    serde_json::from_slice(&answer).context("the node's answer can't be read: it is of another version")
}

/// Has a node make a change.
///
/// # Errors
/// The node's, or it is no Schloss.
pub(super) async fn change(cluster: &mut Cluster, change: &SecurityChange) -> anyhow::Result<Vec<Step>> {
    let steps = cluster.alter_security(serde_json::to_vec(change)?).await?;
    serde_json::from_slice(&steps).context("the node's answer can't be read: it is of another version")
}

/// An answer to another question than was asked.
pub(super) fn unexpected(answer: &SecurityAnswer) -> anyhow::Error {
    anyhow::anyhow!("the node answers another question: {answer:?}")
}

/// Prints what a change did, or would do.
///
/// # Errors
/// Standard output is gone.
pub(super) fn print_steps(steps: &[Step], none: &str, format: Format) -> anyhow::Result<()> {
    if format == Format::Json {
        return output::json(&steps);
    }
    if steps.is_empty() {
        return output::line(none);
    }
    for step in steps {
        let Step { kind, what, name, before, after } = step;
        output::line(&match kind {
            StepKind::Add if what == "group" || what == "role" => format!("+ {what} {name}: {after}"),
            StepKind::Add => format!("+ {what} {name}"),
            StepKind::Change if what == "group" => format!("~ {what} {name}: -{before} +{after}"),
            StepKind::Change => format!("~ {what} {name}: {before} -> {after}"),
            StepKind::Remove => format!("- {what} {name}"),
        })?;
    }
    Ok(())
}
