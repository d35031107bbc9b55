//! Filters and names with a place for what a client says, which never becomes a part of their syntax.

use ldap3::{dn_escape, ldap_escape, parse_filter};
use thiserror::Error;

/// Where the name that a client gives goes.
const USER: &str = "{user}";
/// Where a distinguished name goes.
const DN: &str = "{dn}";

/// What is wrong with a template.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum TemplateError {
    /// It would be the same for everybody.
    #[error("it has no {0}: it would be the same for everybody")]
    NoPlace(&'static str),
    /// In braces stands something that nothing takes the place of.
    #[error("it has a place in braces that is none of: {0}")]
    OtherPlace(&'static str),
    /// It is no filter of RFC 4515.
    #[error("it is no filter of RFC 4515, such as (uid={{user}}): is a bracket missing?")]
    NoFilter,
}

/// A filter that finds one user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserFilter(String);

/// A filter that finds the groups of a member.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupFilter(String);

/// A distinguished name that a user's name is a part of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DnTemplate(String);

impl UserFilter {
    /// Takes a filter with `{user}` in it.
    ///
    /// # Errors
    /// There is none, or it is no filter.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        check(text, &[USER], "{user}")?;
        let filter = Self(text.to_owned());
        parses(&filter.of("x")).map(|()| filter)
    }

    /// The filter for this name.
    #[must_use]
    pub fn of(&self, user: &str) -> String {
        self.0.replace(USER, &ldap_escape(user))
    }
}

impl GroupFilter {
    /// Takes a filter with `{dn}`, `{user}` or both in it.
    ///
    /// # Errors
    /// There is none, or it is no filter.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        check(text, &[DN, USER], "{dn} or {user}")?;
        let filter = Self(text.to_owned());
        parses(&filter.of("cn=x", "x")).map(|()| filter)
    }

    /// The filter for this user.
    #[must_use]
    pub fn of(&self, dn: &str, user: &str) -> String {
        // In one go: what takes one place must not be looked at for the other one.
        let mut filter = String::with_capacity(self.0.len() + dn.len() + user.len());
        let mut rest = self.0.as_str();
        while let Some(at) = rest.find('{') {
            filter.push_str(&rest[..at]);
            rest = &rest[at..];
            if let Some(after) = rest.strip_prefix(DN) {
                filter.push_str(&ldap_escape(dn));
                rest = after;
            } else if let Some(after) = rest.strip_prefix(USER) {
                filter.push_str(&ldap_escape(user));
                rest = after;
            } else {
                filter.push('{');
                rest = &rest[1..];
            }
        }
        filter + rest
    }

    /// Whether it finds the groups of a group as well: a group has no user's name.
    #[must_use]
    pub fn is_for_groups(&self) -> bool {
        self.0.contains(DN) && !self.0.contains(USER)
    }
}

impl DnTemplate {
    /// Takes a name with `{user}` in it.
    ///
    /// # Errors
    /// There is none.
    pub fn new(text: &str) -> Result<Self, TemplateError> {
        check(text, &[USER], "{user}").map(|()| Self(text.to_owned()))
    }

    /// The distinguished name of this user.
    #[must_use]
    pub fn of(&self, user: &str) -> String {
        self.0.replace(USER, &dn_escape(user))
    }
}

fn check(text: &str, places: &[&str], words: &'static str) -> Result<(), TemplateError> {
    if !places.iter().any(|place| text.contains(place)) {
        return Err(TemplateError::NoPlace(words));
    }
    let rest = places.iter().fold(text.to_owned(), |text, place| text.replace(place, ""));
    if rest.contains(['{', '}']) { Err(TemplateError::OtherPlace(words)) } else { Ok(()) }
}

fn parses(filter: &str) -> Result<(), TemplateError> {
    // The parser takes filters without brackets too, which a server would not.
    let is_bracketed = filter.starts_with('(') && filter.ends_with(')');
    if is_bracketed && parse_filter(filter).is_ok() { Ok(()) } else { Err(TemplateError::NoFilter) }
}

#[cfg(test)]
mod tests {
    use ldap3::asn1::{ASNTag, PL, StructureTag};
    use proptest::prelude::*;

    use super::*;

    /// What a filter with one comparison compares, attribute and value.
    fn comparison(filter: &str) -> (u64, Vec<Vec<u8>>) {
        let StructureTag { id, payload, .. } = parse_filter(filter).unwrap().into_structure();
        let PL::C(parts) = payload else { panic!("no comparison: {filter}") };
        let values = parts.into_iter().map(|part| match part.payload {
            PL::P(bytes) => bytes,
            PL::C(_) => panic!("a part has parts: {filter}"),
        });
        (id, values.collect())
    }

    /// The number of an equality in RFC 4511.
    const EQUALITY: u64 = 3;

    proptest! {
        #[test]
        fn whatever_a_client_says_is_compared_and_no_syntax(user in "\\PC*|[*()\\\\\0&|!={}u-]{0,12}") {
            let filter = UserFilter::new("(uid={user})").unwrap().of(&user);
            let expected = (EQUALITY, vec![b"uid".to_vec(), user.clone().into_bytes()]);
            if !user.is_empty() {
                prop_assert_eq!(comparison(&filter), expected);
            }
            let filter = GroupFilter::new("(member={dn})").unwrap().of(&user, "{dn}");
            if !user.is_empty() {
                prop_assert_eq!(comparison(&filter), (EQUALITY, vec![b"member".to_vec(), user.into_bytes()]));
            }
        }

        #[test]
        fn a_name_in_a_dn_stays_one_value(user in "\\PC{1,20}|[,+=\"\\\\<>;# ]{1,12}") {
            let dn = DnTemplate::new("uid={user},ou=people").unwrap().of(&user);
            let parts = crate::dn::parts(&dn).unwrap();
            prop_assert_eq!(parts.len(), 2, "{}", dn);
            prop_assert_eq!(&parts[0], &vec![("uid".to_owned(), user)]);
        }
    }

    #[test]
    fn injections_that_have_a_name_find_nobody_else() {
        let filter = UserFilter::new("(&(objectClass=person)(uid={user}))").unwrap();
        for (user, escaped) in [
            ("*", r"(&(objectClass=person)(uid=\2a))"),
            ("alice)(uid=*", r"(&(objectClass=person)(uid=alice\29\28uid=\2a))"),
            ("*)(|(uid=*", r"(&(objectClass=person)(uid=\2a\29\28|\28uid=\2a))"),
            ("a\\2a", r"(&(objectClass=person)(uid=a\5c2a))"),
        ] {
            assert_eq!(filter.of(user), escaped);
        }
    }

    #[test]
    fn what_takes_one_place_is_not_looked_at_for_the_other() {
        let filter = GroupFilter::new("(|(member={dn})(memberUid={user}))").unwrap();
        assert_eq!(filter.of("cn={user}", "{dn}"), "(|(member=cn={user})(memberUid={dn}))");
        assert!(!filter.is_for_groups());
        assert!(GroupFilter::new("(member={dn})").unwrap().is_for_groups());
    }

    #[test]
    fn templates_that_are_none_are_refused() {
        assert_eq!(UserFilter::new("(uid=alice)"), Err(TemplateError::NoPlace("{user}")));
        assert_eq!(UserFilter::new("(uid={user}"), Err(TemplateError::NoFilter));
        assert_eq!(UserFilter::new("uid={user}"), Err(TemplateError::NoFilter));
        assert_eq!(UserFilter::new("(uid={user})(x={dn})"), Err(TemplateError::OtherPlace("{user}")));
        assert_eq!(GroupFilter::new("(member=x)"), Err(TemplateError::NoPlace("{dn} or {user}")));
        assert_eq!(DnTemplate::new("uid=x"), Err(TemplateError::NoPlace("{user}")));
        let in_chain = "(member:1.2.840.113556.1.4.1941:={dn})";
        assert_eq!(GroupFilter::new(in_chain).map(|filter| filter.0), Ok(in_chain.to_owned()));
    }
}
