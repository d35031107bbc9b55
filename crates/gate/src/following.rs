//! What a directory says of the groups of a session, as it changes.

use std::sync::Arc;

use schloss_audit::Event;
use schloss_identity::{Authenticated, DirectoryGroups};
use schloss_metadata::Snapshot;
use schloss_policy::{AclSet, Permission, Subject};
use schloss_wire::{ErrorCode, Principal};

/// How the audit trail names it.
const METHOD: &str = "directory.Groups";

/// What was last heard of a session's groups.
#[derive(Default)]
pub(crate) struct Following {
    heard: Option<DirectoryGroups>,
    /// Whether groups are denied something, and the generation of the rules that say so.
    denying: Option<(u64, bool)>,
}

impl Following {
    /// Takes what the directory says now: into the subject if it is news, and into words if it is worth a record.
    pub(crate) fn listen(&mut self, proof: &Authenticated, subject: &mut Subject) -> Option<Event> {
        let said = proof.member()?.groups();
        if self.heard.as_ref().is_some_and(|heard| is_same(heard, &said)) {
            return None;
        }
        subject.groups = proof.groups_with(&said);
        let event = Event::authorization(METHOD);
        let event = match (&self.heard, &said) {
            (_, DirectoryGroups::Unknown) => {
                let words = "the directory does not answer: what its groups are allowed is denied";
                Some(event.result(ErrorCode::BrokerNotAvailable.name()).message(words))
            }
            (Some(_), DirectoryGroups::Nobody) => {
                Some(event.message("the directory knows no such user any more"))
            }
            (Some(_), DirectoryGroups::Known(groups)) => {
                let event = event.message("the directory says other groups than before");
                Some(event.groups(groups.iter().map(ToString::to_string)))
            }
            (None, _) => None,
        };
        self.heard = Some(said);
        event
    }

    /// Why no request is served by what was heard, if so. Where everything is only observed, nothing is denied.
    pub(crate) fn objection(
        &mut self,
        proof: &Authenticated,
        snapshot: &Snapshot,
        observes: bool,
    ) -> Option<String> {
        let words = match self.heard.as_ref()? {
            DirectoryGroups::Known(_) => return None,
            DirectoryGroups::Nobody if proof.is_of_directory() => "the directory knows no such user any more",
            DirectoryGroups::Nobody => return None,
            // Without its groups it would get past what they are denied.
            DirectoryGroups::Unknown => {
                "the directory does not answer, and a DENY for one of its groups may concern the user"
            }
        };
        let is_about_denial = self.heard == Some(DirectoryGroups::Unknown);
        if is_about_denial && (observes || !self.may_be_denied(proof.principal(), snapshot.acls())) {
            return None;
        }
        Some(words.to_owned())
    }

    fn may_be_denied(&mut self, principal: &Principal, acls: &AclSet) -> bool {
        if let Some((generation, denying)) = self.denying
            && generation == acls.generation()
        {
            return denying;
        }
        let is_elsewhere = |name: &str| {
            let group = name.strip_prefix("Group:");
            group.is_some_and(|group| !acls.groups().contains_key(group))
        };
        let denying = !acls.is_super_user(principal)
            && acls.iter().any(|acl| acl.permission == Permission::Deny && is_elsewhere(&acl.principal));
        self.denying = Some((acls.generation(), denying));
        denying
    }
}

/// Whether nothing has changed. A list that says the same is the same list.
fn is_same(heard: &DirectoryGroups, said: &DirectoryGroups) -> bool {
    match (heard, said) {
        (DirectoryGroups::Known(heard), DirectoryGroups::Known(said)) => Arc::ptr_eq(heard, said),
        _ => heard == said,
    }
}
