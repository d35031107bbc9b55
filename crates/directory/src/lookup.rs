//! Users and their groups, as searches.

use std::collections::{HashMap, HashSet};

use ldap3::SearchEntry;
use schloss_identity::{AuthFailureReason, DirectoryEntry, MAX_GROUPS, Password, check_user_name};

use crate::dn::{Base, Dn, folded, parts};
use crate::link::Query;
use crate::nesting::{Group, Parents, names_of_all};
use crate::pool::Pool;
use crate::template::{DnTemplate, GroupFilter, UserFilter};
use crate::trouble::{Trouble, refusal};

/// Groups whose groups are searched for at once.
const AT_ONCE: usize = 20;
/// What every entry fits.
const ANYTHING: &str = "(objectClass=*)";

/// How users are found.
#[derive(Clone)]
pub enum UserRules {
    /// By a search, as the service.
    Search {
        /// Where they are: a distinguished name.
        base: Base,
        /// Which entry is the one meant.
        filter: UserFilter,
    },
    /// By their name alone. Users who may read their own entry are called what it says.
    Template(DnTemplate),
}

/// How groups are found.
#[derive(Clone)]
pub struct GroupRules {
    /// Where they are. Others do not count.
    pub base: Base,
    /// The attribute of users and groups that lists the groups that they are in.
    pub member_of: Option<String>,
    /// A search for the groups that a user, or a group, is in.
    pub filter: Option<GroupFilter>,
    /// The attribute that a group's name is in. Two groups of one name are one.
    pub name_attribute: String,
    /// What goes before each name, so that no group of the directory is taken for another one.
    pub prefix: String,
    /// How many steps groups of groups are followed.
    pub max_nesting: usize,
}

/// What is looked for, and where.
pub(crate) struct Lookup {
    pub(crate) pool: Pool,
    pub(crate) users: UserRules,
    /// The attribute that a user's name is in.
    pub(crate) name_attribute: String,
    pub(crate) groups: Option<GroupRules>,
}

/// One user as found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Person {
    pub(crate) entry: DirectoryEntry,
    member_of: Vec<String>,
}

impl Lookup {
    /// Who is called so, if anybody.
    pub(crate) async fn person(&self, asked: &str) -> Result<Option<Person>, Trouble> {
        // What can't be a name is nobody's.
        if check_user_name(asked).is_err() {
            return Ok(None);
        }
        let attributes = self.user_attributes();
        let found = match &self.users {
            UserRules::Search { base, filter } => {
                let filter = filter.of(asked);
                self.one(base.as_str(), false, &filter, &attributes).await?
            }
            UserRules::Template(template) => {
                self.one(&template.of(asked), true, ANYTHING, &attributes).await?
            }
        };
        found.map(|found| self.read(asked, &found)).transpose()
    }

    /// Whether the password is theirs: what they are called by the directory.
    pub(crate) async fn check(
        &self,
        entry: &DirectoryEntry,
        password: &Password,
    ) -> Result<String, AuthFailureReason> {
        // Only by a template the name is still what was typed.
        let is_typed = matches!(self.users, UserRules::Template(_));
        let attributes = self.user_attributes();
        let own = query(&entry.place, true, ANYTHING, &attributes, 1);
        let checked = self.pool.check(&entry.place, password, is_typed.then_some(&own)).await;
        let (code, text, entries) = checked?;
        if let Some(reason) = refusal(code, &text) {
            return Err(reason);
        }
        match entries.first() {
            Some(found) => Ok(self.read(&entry.asked, found)?.entry.name),
            None => Ok(entry.name.clone()),
        }
    }

    /// The entry of a name that only a template says something of; nothing where it has to be searched for.
    pub(crate) fn by_template(&self, asked: &str) -> Option<DirectoryEntry> {
        let UserRules::Template(template) = &self.users else { return None };
        // Directories don't tell letters by their case; one who may not read their own entry has still one name.
        Some(DirectoryEntry { asked: asked.to_owned(), name: folded(asked), place: template.of(asked) })
    }

    /// The names of the groups that somebody is in, with what goes before each.
    pub(crate) async fn groups(&self, person: &Person) -> Result<Vec<String>, Trouble> {
        let Some(rules) = &self.groups else { return Ok(Vec::new()) };
        let search = GroupSearch { pool: &self.pool, rules };
        let mut first = search.read(&person.member_of).await?;
        if let Some(filter) = &rules.filter {
            first.extend(search.find(&filter.of(&person.entry.place, &person.entry.name)).await?);
        }
        let names = names_of_all(&search, first, rules.max_nesting).await?;
        Ok(names.into_iter().map(|name| format!("{}{name}", rules.prefix)).collect())
    }

    fn user_attributes(&self) -> Vec<&str> {
        let member_of = self.groups.as_ref().and_then(|rules| rules.member_of.as_deref());
        [self.name_attribute.as_str()].into_iter().chain(member_of).collect()
    }

    async fn one(
        &self,
        base: &str,
        is_of_base: bool,
        filter: &str,
        attributes: &[&str],
    ) -> Result<Option<SearchEntry>, Trouble> {
        let found = self.pool.search(&query(base, is_of_base, filter, attributes, 1)).await?;
        Ok(found.ok_or(Trouble::Ambiguous)?.pop())
    }

    fn read(&self, asked: &str, found: &SearchEntry) -> Result<Person, Trouble> {
        let name = own_name(found, &self.name_attribute).ok_or_else(|| Trouble::Nameless {
            dn: found.dn.clone(),
            attribute: self.name_attribute.clone(),
        })?;
        let member_of = self.groups.as_ref().and_then(|rules| rules.member_of.as_deref());
        let member_of = member_of.map_or(Ok(Vec::new()), |attribute| listed(found, attribute))?;
        let entry = DirectoryEntry { asked: asked.to_owned(), name, place: found.dn.clone() };
        Ok(Person { entry, member_of })
    }
}

struct GroupSearch<'a> {
    pool: &'a Pool,
    rules: &'a GroupRules,
}

impl GroupSearch<'_> {
    /// The groups of these names, if they are where groups count.
    async fn read(&self, names: &[String]) -> Result<Vec<Group>, Trouble> {
        let mut seen = HashSet::new();
        let counting: Vec<&String> =
            names.iter().filter(|dn| self.counting(dn).is_some_and(|dn| seen.insert(dn))).collect();
        if counting.len() > MAX_GROUPS {
            return Err(Trouble::TooManyGroups);
        }
        let attributes = self.attributes();
        let mut groups = Vec::new();
        for dn in counting {
            let found = self.pool.search(&query(dn, true, ANYTHING, &attributes, 1)).await?;
            for entry in found.unwrap_or_default() {
                groups.extend(self.group(&entry)?);
            }
        }
        Ok(groups)
    }

    /// The groups that a search finds.
    async fn find(&self, filter: &str) -> Result<Vec<Group>, Trouble> {
        let attributes = self.attributes();
        let found = self
            .pool
            .search(&query(self.rules.base.as_str(), false, filter, &attributes, MAX_GROUPS))
            .await?;
        let groups = found.ok_or(Trouble::TooManyGroups)?;
        let groups: Result<Vec<Option<Group>>, Trouble> =
            groups.iter().map(|entry| self.group(entry)).collect();
        Ok(groups?.into_iter().flatten().collect())
    }

    fn counting(&self, dn: &str) -> Option<Dn> {
        Dn::read(dn).filter(|dn| self.rules.base.holds(dn))
    }

    fn attributes(&self) -> Vec<&str> {
        [self.rules.name_attribute.as_str()].into_iter().chain(self.rules.member_of.as_deref()).collect()
    }

    /// Nothing for an entry without a name: no rule can name it.
    fn group(&self, found: &SearchEntry) -> Result<Option<Group>, Trouble> {
        let member_of = self.rules.member_of.as_deref();
        let member_of = member_of.map_or(Ok(Vec::new()), |attribute| listed(found, attribute))?;
        let name = values(found, &self.rules.name_attribute).first();
        Ok(name.map(|name| Group { dn: found.dn.clone(), name: name.clone(), member_of }))
    }
}

impl Parents for GroupSearch<'_> {
    async fn parents(&self, groups: &[Group]) -> Result<Vec<Group>, Trouble> {
        let listed: Vec<String> = groups.iter().flat_map(|group| group.member_of.iter().cloned()).collect();
        let mut found = self.read(&listed).await?;
        let filter = self.rules.filter.as_ref().filter(|filter| filter.is_for_groups());
        if let Some(filter) = filter {
            for some in groups.chunks(AT_ONCE) {
                let any: String = some.iter().map(|group| filter.of(&group.dn, "")).collect();
                found.extend(self.find(&format!("(|{any})")).await?);
            }
        }
        Ok(found)
    }
}

fn query<'a>(
    base: &'a str,
    is_of_base: bool,
    filter: &'a str,
    attributes: &'a [&'a str],
    most: usize,
) -> Query<'a> {
    Query { base, is_of_base, filter, attributes, most }
}

/// What an entry is called, whatever it was found by: one entry is one principal. Of several names it is the one that is
/// a part of its distinguished name, or else the first by letters: servers keep no order.
fn own_name(entry: &SearchEntry, attribute: &str) -> Option<String> {
    let names = values(entry, attribute);
    let distinguished = parts(&entry.dn).and_then(|parts| parts.into_iter().next()).unwrap_or_default();
    let is_distinguished = |name: &&String| {
        let is_it = |(own, value): &(String, String)| {
            own.eq_ignore_ascii_case(attribute) && folded(value) == folded(name)
        };
        distinguished.iter().any(is_it)
    };
    names.iter().find(is_distinguished).or(names.iter().min()).cloned()
}

/// The values of an attribute; its name is told in whatever case.
fn values<'a>(entry: &'a SearchEntry, attribute: &str) -> &'a [String] {
    let found = entry.attrs.iter().find(|(name, _)| name.eq_ignore_ascii_case(attribute));
    found.map_or(&[], |(_, values)| values)
}

/// The values of an attribute with one for each group. Active Directory sends a part of long lists under another name,
/// and a part of them is not enough to decide by.
fn listed(entry: &SearchEntry, attribute: &str) -> Result<Vec<String>, Trouble> {
    let is_a_part = |attributes: &HashMap<String, Vec<String>>| {
        attributes.keys().any(|name| {
            name.split_once(';').is_some_and(|(name, options)| {
                name.eq_ignore_ascii_case(attribute) && options.to_ascii_lowercase().starts_with("range=")
            })
        })
    };
    if is_a_part(&entry.attrs) { Err(Trouble::TooManyGroups) } else { Ok(values(entry, attribute).to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(attributes: &[(&str, &[&str])]) -> SearchEntry {
        let owned = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        SearchEntry {
            dn: "uid=alice,dc=x".to_owned(),
            attrs: attributes.iter().map(|(name, values)| ((*name).to_owned(), owned(values))).collect(),
            bin_attrs: HashMap::new(),
        }
    }

    #[test]
    fn an_entry_has_one_name_whatever_it_was_found_by() {
        for names in [["alice", "al"], ["al", "alice"]] {
            assert_eq!(own_name(&entry(&[("UID", &names)]), "uid").as_deref(), Some("alice"));
            assert_eq!(own_name(&entry(&[("mail", &names)]), "mail").as_deref(), Some("al"));
        }
        assert_eq!(
            own_name(&entry(&[("uid", &["Alice"])]), "uid").as_deref(),
            Some("Alice"),
            "as it stands there"
        );
        assert_eq!(own_name(&entry(&[("cn", &["alice"])]), "uid"), None);
    }

    #[test]
    fn attributes_are_found_in_whatever_case_and_parts_of_lists_are_refused() {
        let found = entry(&[("sAMAccountName", &["alice"]), ("memberOf;range=0-1499", &["cn=a"])]);
        assert_eq!(values(&found, "samaccountname"), ["alice"]);
        assert!(values(&found, "uid").is_empty());
        assert!(matches!(listed(&found, "memberof"), Err(Trouble::TooManyGroups)));
        assert!(listed(&found, "member").unwrap().is_empty());
    }
}
