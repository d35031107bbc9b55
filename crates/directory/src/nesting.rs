//! Groups that are in groups.

use std::collections::HashSet;
use std::future::Future;

use schloss_identity::MAX_GROUPS;

use crate::dn::Dn;
use crate::trouble::Trouble;

/// One group of a directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Group {
    pub(crate) dn: String,
    pub(crate) name: String,
    /// The names of the groups that it says it is in, as far as it says so itself.
    pub(crate) member_of: Vec<String>,
}

/// Where the groups of groups are found.
pub(crate) trait Parents {
    /// The groups that these are in. Some may come more than once.
    fn parents(&self, groups: &[Group]) -> impl Future<Output = Result<Vec<Group>, Trouble>> + Send;
}

/// The names of these groups and of all that they are in, up to `depth` steps away. However groups are in each other,
/// each is looked at once.
pub(crate) async fn names_of_all<P: Parents + Sync>(
    source: &P,
    first: Vec<Group>,
    depth: usize,
) -> Result<Vec<String>, Trouble> {
    let (mut seen, mut names) = (HashSet::new(), Vec::new());
    let mut level = first;
    for step in 0..=depth {
        // What is no name can't be told from another one: it is looked at by its text.
        level.retain(|group| seen.insert(Dn::read(&group.dn).ok_or_else(|| group.dn.clone())));
        if seen.len() > MAX_GROUPS {
            return Err(Trouble::TooManyGroups);
        }
        names.extend(level.iter().map(|group| group.name.clone()));
        if level.is_empty() || step == depth {
            break;
        }
        level = source.parents(&level).await?;
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn group(name: &str) -> Group {
        Group { dn: format!("cn={name},dc=x"), name: name.to_owned(), member_of: Vec::new() }
    }

    /// Which groups each is in.
    #[derive(Default)]
    struct Graph {
        edges: HashMap<String, Vec<String>>,
        asked: AtomicUsize,
    }

    impl Graph {
        fn of(edges: &[(&str, &[&str])]) -> Self {
            let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            let edges = edges.iter().map(|(name, parents)| ((*name).to_owned(), owned(parents))).collect();
            Self { edges, ..Self::default() }
        }

        async fn all(&self, first: &[&str], depth: usize) -> Result<Vec<String>, Trouble> {
            let first = first.iter().map(|name| group(name)).collect();
            let mut names = names_of_all(self, first, depth).await?;
            names.sort();
            Ok(names)
        }
    }

    impl Parents for Graph {
        async fn parents(&self, groups: &[Group]) -> Result<Vec<Group>, Trouble> {
            self.asked.fetch_add(groups.len(), Ordering::Relaxed);
            let parents = groups.iter().filter_map(|one| self.edges.get(&one.name)).flatten();
            Ok(parents.map(|name| group(name)).collect())
        }
    }

    #[tokio::test]
    async fn groups_of_groups_are_found_to_the_depth_that_is_asked_for() {
        let graph = Graph::of(&[("a", &["b"]), ("b", &["c", "d"]), ("c", &["e"])]);
        assert_eq!(graph.all(&["a"], 0).await.unwrap(), ["a"]);
        assert_eq!(graph.all(&["a"], 1).await.unwrap(), ["a", "b"]);
        assert_eq!(graph.all(&["a"], 2).await.unwrap(), ["a", "b", "c", "d"]);
        assert_eq!(graph.all(&["a"], 9).await.unwrap(), ["a", "b", "c", "d", "e"]);
    }

    #[tokio::test]
    async fn groups_that_are_in_each_other_are_looked_at_once() {
        let graph = Graph::of(&[("a", &["b"]), ("b", &["c", "B", "a"]), ("c", &["a", "b"])]);
        assert_eq!(graph.all(&["a", "A"], 1_000_000).await.unwrap(), ["a", "b", "c"]);
        assert_eq!(graph.asked.load(Ordering::Relaxed), 3);
    }

    #[tokio::test]
    async fn more_groups_than_can_be_kept_are_none() {
        let names: Vec<String> = (0..=MAX_GROUPS).map(|number| format!("g{number}")).collect();
        let many: Vec<&str> = names.iter().map(String::as_str).collect();
        let graph = Graph::of(&[("a", &many[..MAX_GROUPS - 1]), ("b", &many[..MAX_GROUPS])]);
        assert_eq!(graph.all(&["a"], 1).await.unwrap().len(), MAX_GROUPS);
        assert!(matches!(graph.all(&["b"], 1).await, Err(Trouble::TooManyGroups)));
        assert!(matches!(graph.all(&many, 0).await, Err(Trouble::TooManyGroups)));
    }
}
