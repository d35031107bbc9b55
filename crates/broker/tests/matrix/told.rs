//! An answer in short: each error code with its place.

use schloss_wire::Response;

use crate::case::{Names, Shown};
use crate::tree::{Tree, name_of};

/// An answer, as a tree in which the case's own things have their labels.
pub(crate) struct Answer {
    tree: Tree,
    text: String,
}

impl Answer {
    pub(crate) fn read(response: &Response) -> Self {
        let tree = Tree::read(&format!("{response:?}"));
        Self { text: tree.to_string(), tree }
    }

    /// The errors, in the order of their places: `topics[t].partitions[0] 29`, or `31` for one at the top.
    pub(crate) fn told(&self, names: &Names) -> String {
        let mut errors = Vec::new();
        descend("", &self.tree, &mut errors);
        let own = format!("-{}", names.number);
        for error in &mut errors {
            for (name, id) in &names.ids {
                *error = error.replace(&hex(*id), name);
            }
            *error = error.replace(&format!("{own}]"), "]").replace(&format!("{own}:"), ":");
        }
        errors.sort_unstable();
        errors.join("; ")
    }

    pub(crate) fn shows(&self, shown: Shown, names: &Names) -> bool {
        let text = match shown {
            Shown::Name(label) => format!("\"{}\"", names.name(label)),
            Shown::Id(label) => hex(names.id(label)),
            Shown::Text(text) => text.to_owned(),
        };
        self.text.contains(&text)
    }
}

fn hex(id: schloss_wire::Uuid) -> String {
    Tree::read(&format!("{id:?}")).to_string()
}

fn descend(path: &str, tree: &Tree, errors: &mut Vec<String>) {
    match tree {
        Tree::Leaf(_) => {}
        Tree::List(items) => {
            for item in items {
                let name = name_of(item).replace('"', "");
                descend(&format!("{path}[{name}]"), item, errors);
            }
        }
        Tree::Fields(fields) => {
            for (name, value) in fields {
                let here = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                match value {
                    Tree::Leaf(code) if name == "error_code" && code != "0" => {
                        errors.push(format!("{path} {code}").trim_start().to_owned());
                    }
                    Tree::Leaf(code) if is_code(name) && code != "0" => errors.push(format!("{here} {code}")),
                    _ => descend(&here, value, errors),
                }
            }
        }
    }
}

/// Whether a field says how something ended. Streams groups have a status for it.
fn is_code(name: &str) -> bool {
    name.ends_with("_error_code") || name == "status_code"
}
