//! What a record is about: the key that compaction goes by.

use schloss_identity::Mechanism;
use schloss_metadata::{QuotaEntity, Record};
use schloss_policy::{Acl, Binding, Pattern};
use schloss_wire::Principal;
use serde::{Deserialize, Serialize};

/// The thing that a record says the last word on. Its JSON is the key of the record, byte for byte: no version
/// may write another one for the same thing, or compaction would keep both.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Place {
    /// The number and the digest of the last change.
    Head,
    /// The key behind the salts of users that don't exist.
    FakeSaltKey,
    /// One ACL, there or not.
    Acl(Acl),
    /// The members of a local group.
    Group { name: String },
    /// What a role allows.
    Role { name: String },
    /// Whether somebody has a role, and until when.
    RoleBinding {
        role: String,
        principal: Principal,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        resource: Option<Pattern>,
    },
    /// One credential.
    Scram { user: String, mechanism: Mechanism },
    /// What is known of a user.
    Account { name: String },
    /// The key behind the HMACs of delegation tokens.
    TokenKey,
    /// One delegation token.
    Token { id: String },
    /// The quotas of one entity.
    ClientQuotas(QuotaEntity),
}

impl Place {
    /// What a record is about; `None` for those that only a broker has.
    pub(crate) fn of(record: &Record) -> Option<Self> {
        match record {
            Record::FakeSaltKey(_) => Some(Self::FakeSaltKey),
            Record::Acl(acl) | Record::AclDeleted(acl) => Some(Self::Acl(acl.clone())),
            Record::Group { name, .. } | Record::GroupDeleted { name } => {
                Some(Self::Group { name: name.clone() })
            }
            Record::Role { name, .. } | Record::RoleDeleted { name } => {
                Some(Self::Role { name: name.clone() })
            }
            Record::RoleBinding(binding) | Record::RoleBindingDeleted(binding) => {
                let Binding { role, principal, resource, expires: _ } = binding.clone();
                Some(Self::RoleBinding { role, principal, resource })
            }
            Record::Scram { user, credential } => {
                Some(Self::Scram { user: user.clone(), mechanism: credential.mechanism() })
            }
            Record::ScramDeleted { user, mechanism } => {
                Some(Self::Scram { user: user.clone(), mechanism: *mechanism })
            }
            Record::Account { name, .. } | Record::AccountDeleted { name } => {
                Some(Self::Account { name: name.clone() })
            }
            Record::TokenKey(_) => Some(Self::TokenKey),
            Record::Token { id, .. } | Record::TokenDeleted { id } => Some(Self::Token { id: id.clone() }),
            Record::ClientQuotas { entity, .. } | Record::ClientQuotasDeleted { entity } => {
                Some(Self::ClientQuotas(entity.clone()))
            }
            _ => None,
        }
    }

    /// The record that says that the thing is gone, for things that can go.
    pub(crate) fn gone(self) -> Option<Record> {
        match self {
            Self::Head | Self::FakeSaltKey | Self::TokenKey => None,
            Self::Acl(acl) => Some(Record::AclDeleted(acl)),
            Self::Group { name } => Some(Record::GroupDeleted { name }),
            Self::Role { name } => Some(Record::RoleDeleted { name }),
            Self::RoleBinding { role, principal, resource } => {
                Some(Record::RoleBindingDeleted(Binding { role, principal, resource, expires: None }))
            }
            Self::Scram { user, mechanism } => Some(Record::ScramDeleted { user, mechanism }),
            Self::Account { name } => Some(Record::AccountDeleted { name }),
            Self::Token { id } => Some(Record::TokenDeleted { id }),
            Self::ClientQuotas(entity) => Some(Record::ClientQuotasDeleted { entity }),
        }
    }

    /// Whether what is said about it is kept from those who may read the topic.
    pub(crate) const fn is_secret(&self) -> bool {
        matches!(
            self,
            Self::Head | Self::FakeSaltKey | Self::Scram { .. } | Self::TokenKey | Self::Token { .. }
        )
    }

    pub(crate) fn key(&self) -> Result<Box<[u8]>, serde_json::Error> {
        serde_json::to_vec(self).map(Vec::into_boxed_slice)
    }

    pub(crate) fn parse(key: &[u8]) -> Option<Self> {
        serde_json::from_slice(key).ok()
    }
}

/// Whether a record takes its thing away.
pub(crate) const fn is_deletion(record: &Record) -> bool {
    matches!(
        record,
        Record::AclDeleted(_)
            | Record::GroupDeleted { .. }
            | Record::RoleDeleted { .. }
            | Record::RoleBindingDeleted(_)
            | Record::ScramDeleted { .. }
            | Record::AccountDeleted { .. }
            | Record::TokenDeleted { .. }
            | Record::ClientQuotasDeleted { .. }
    )
}

#[cfg(test)]
mod tests {
    use schloss_metadata::QuotaName;
    use schloss_policy::{Operation, PatternType, Permission, ResourceType};

    use super::*;

    fn named(name: &str) -> QuotaName {
        QuotaName::Named(name.to_owned())
    }

    #[test]
    fn what_takes_a_thing_away_is_about_the_same_thing() {
        let binding = Binding {
            role: "Operator".to_owned(),
            principal: Principal::user("a"),
            resource: Some(Pattern {
                resource_type: ResourceType::Topic,
                pattern_type: PatternType::Prefixed,
                resource_name: "t".to_owned(),
            }),
            expires: None,
        };
        for record in [
            Record::Group { name: "ops".to_owned(), members: [Principal::user("a")].into() },
            Record::Role { name: "r".to_owned(), grants: Default::default() },
            Record::RoleBinding(binding),
        ] {
            let place = Place::of(&record).unwrap();
            assert!(!place.is_secret() && !is_deletion(&record));
            let gone = Place::parse(&place.key().unwrap()).unwrap().gone().unwrap();
            assert!(is_deletion(&gone));
            assert_eq!(Place::of(&gone), Some(place));
        }
    }

    #[test]
    fn tokens_and_their_key_are_secret_and_only_the_tokens_can_go() {
        let place = Place::of(&Record::TokenDeleted { id: "id".to_owned() }).unwrap();
        assert!(place.is_secret() && Place::TokenKey.is_secret());
        assert_eq!(place.gone(), Some(Record::TokenDeleted { id: "id".to_owned() }));
        assert_eq!(Place::TokenKey.gone(), None);
    }

    #[test]
    fn keys_are_what_older_versions_wrote() {
        let acl = Acl {
            resource_type: ResourceType::Topic,
            pattern_type: PatternType::Prefixed,
            resource_name: "orders".to_owned(),
            principal: "User:alice".to_owned(),
            host: "*".to_owned(),
            operation: Operation::Read,
            permission: Permission::Allow,
        };
        let scram = Place::Scram { user: "älice\"".to_owned(), mechanism: Mechanism::ScramSha512 };
        for (place, key) in [
            (Place::Head, r#""head""#),
            (Place::FakeSaltKey, r#""fake_salt_key""#),
            (
                Place::Acl(acl),
                r#"{"acl":{"resource_type":"topic","pattern_type":"prefixed","resource_name":"orders","principal":"User:alice","host":"*","operation":"read","permission":"allow"}}"#,
            ),
            (Place::Account { name: "alice".to_owned() }, r#"{"account":{"name":"alice"}}"#),
            (Place::TokenKey, r#""token_key""#),
            (Place::Token { id: "a-_".to_owned() }, r#"{"token":{"id":"a-_"}}"#),
            (
                Place::ClientQuotas(QuotaEntity::User(QuotaName::Default)),
                r#"{"client_quotas":{"user":"default"}}"#,
            ),
            (
                Place::ClientQuotas(QuotaEntity::ClientId(named("c"))),
                r#"{"client_quotas":{"client_id":{"named":"c"}}}"#,
            ),
            (
                Place::ClientQuotas(QuotaEntity::UserClient {
                    user: named("a"),
                    client_id: QuotaName::Default,
                }),
                r#"{"client_quotas":{"user_client":{"user":{"named":"a"},"client_id":"default"}}}"#,
            ),
            (
                Place::ClientQuotas(QuotaEntity::Ip(named("::1"))),
                r#"{"client_quotas":{"ip":{"named":"::1"}}}"#,
            ),
            (Place::Group { name: "ops".to_owned() }, r#"{"group":{"name":"ops"}}"#),
            (Place::Role { name: "auditor".to_owned() }, r#"{"role":{"name":"auditor"}}"#),
            (
                Place::RoleBinding {
                    role: "Operator".to_owned(),
                    principal: Principal::group("ops"),
                    resource: None,
                },
                r#"{"role_binding":{"role":"Operator","principal":"Group:ops"}}"#,
            ),
            (scram, r#"{"scram":{"user":"älice\"","mechanism":"SCRAM-SHA-512"}}"#),
        ] {
            assert_eq!(String::from_utf8(place.key().unwrap().into()).unwrap(), key);
            assert_eq!(Place::parse(key.as_bytes()), Some(place));
        }
        assert_eq!(Place::parse(b"\"head\"x"), None);
    }
}
