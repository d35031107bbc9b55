//! An answer as a tree, read from its `Debug` text: no code for each of the messages, and no field left out.
#![allow(dead_code, reason = "each test uses its part of this")]

use std::fmt;

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Tree {
    /// A number, a text, a name of an enumeration.
    Leaf(String),
    List(Vec<Tree>),
    Fields(Vec<(String, Tree)>),
}

impl Tree {
    pub(crate) fn read(debug: &str) -> Self {
        let mut reader = Reader { rest: debug };
        let tree = reader.value();
        assert!(reader.rest.is_empty(), "not understood: {}", reader.rest);
        tree
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Self> {
        let Self::Fields(fields) = self else { return None };
        fields.iter().find(|(field, _)| field == name).map(|(_, value)| value)
    }
}

impl fmt::Display for Tree {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaf(text) => formatter.write_str(text),
            Self::List(items) => {
                formatter.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    write!(formatter, "{}{item}", if index > 0 { ", " } else { "" })?;
                }
                formatter.write_str("]")
            }
            Self::Fields(fields) => {
                formatter.write_str("{")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    write!(formatter, "{}{name}: {value}", if index > 0 { ", " } else { "" })?;
                }
                formatter.write_str("}")
            }
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Tree {
        if self.rest.starts_with('[') {
            return Tree::List(self.list('[', ']'));
        }
        if self.rest.starts_with("b\"") || self.rest.starts_with('"') {
            return Tree::Leaf(self.text());
        }
        let end = self.rest.find([' ', ',', '(', ')', ']', '}']).unwrap_or(self.rest.len());
        let word = self.take(end);
        if self.rest.starts_with('(') {
            let mut inner = self.list('(', ')');
            return match (word, inner.len()) {
                ("Uuid", 1) => Tree::Leaf(hex(&inner.remove(0))),
                // `Some` and the strings that know that they are bytes.
                (_, 1) => inner.remove(0),
                _ => Tree::List(inner),
            };
        }
        if self.rest.starts_with(" {") {
            self.take(2);
            return self.fields();
        }
        Tree::Leaf(if word == "None" { "null".to_owned() } else { word.to_owned() })
    }

    fn fields(&mut self) -> Tree {
        let mut fields = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', ',']);
            if self.rest.starts_with('}') {
                self.take(1);
                return Tree::Fields(fields);
            }
            let end = self.rest.find(": ").expect("a field has a value");
            let name = self.take(end).to_owned();
            self.take(2);
            fields.push((name, self.value()));
        }
    }

    fn list(&mut self, open: char, close: char) -> Vec<Tree> {
        assert!(self.rest.starts_with(open));
        self.take(1);
        let mut items = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', ',']);
            if self.rest.starts_with(close) {
                self.take(1);
                return items;
            }
            items.push(self.value());
        }
    }

    /// A text with its quotes, so that it is told from a word.
    fn text(&mut self) -> String {
        self.rest = self.rest.trim_start_matches('b');
        let mut escaped = false;
        let end = self.rest[1..].find(|symbol| {
            let ends = symbol == '"' && !escaped;
            escaped = symbol == '\\' && !escaped;
            ends
        });
        self.take(end.expect("a text ends") + 2).to_owned()
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }
}

fn hex(bytes: &Tree) -> String {
    let Tree::List(bytes) = bytes else { return bytes.to_string() };
    let byte = |tree: &Tree| format!("{:02x}", tree.to_string().parse::<u8>().unwrap());
    format!("id:{}", bytes.iter().map(byte).collect::<String>())
}

/// What differs, as a path, the left and the right value.
pub(crate) struct Difference {
    pub(crate) path: String,
    pub(crate) left: String,
    pub(crate) right: String,
}

/// Every place in which two trees differ. Elements of lists are put side by side by what names them.
pub(crate) fn compare(left: &Tree, right: &Tree) -> Vec<Difference> {
    let mut found = Vec::new();
    descend("", left, right, &mut found);
    found
}

fn descend(path: &str, left: &Tree, right: &Tree, found: &mut Vec<Difference>) {
    match (left, right) {
        _ if left == right => {}
        (Tree::Fields(ours), Tree::Fields(theirs)) if ours.len() == theirs.len() => {
            for ((name, one), (_, other)) in ours.iter().zip(theirs) {
                descend(&format!("{path}.{name}"), one, other, found);
            }
        }
        (Tree::List(ours), Tree::List(theirs)) => side_by_side(path, ours, theirs, found),
        _ => {
            found.push(Difference { path: path.to_owned(), left: left.to_string(), right: right.to_string() })
        }
    }
}

fn side_by_side(path: &str, left: &[Tree], right: &[Tree], found: &mut Vec<Difference>) {
    let mut theirs: Vec<&Tree> = right.iter().collect();
    for one in left {
        let name = name_of(one);
        match theirs.iter().position(|other| name_of(other) == name) {
            Some(place) => descend(&format!("{path}[{name}]"), one, theirs.remove(place), found),
            None => found.push(Difference {
                path: format!("{path}[{name}]"),
                left: one.to_string(),
                right: "nothing".to_owned(),
            }),
        }
    }
    for other in theirs {
        found.push(Difference {
            path: format!("{path}[{}]", name_of(other)),
            left: "nothing".to_owned(),
            right: other.to_string(),
        });
    }
}

/// Fields that name an element, the best first.
const NAMES: [&str; 21] = [
    "name",
    "topic",
    "topic_name",
    "resource_name",
    "group_id",
    "group",
    "key",
    "transactional_id",
    "topic_id",
    "partition_index",
    "partition",
    "index",
    "member_id",
    "node_id",
    "broker_id",
    "user",
    "id",
    "log_dir",
    "principal",
    "entity_type",
    "producer_id",
];

/// What tells an element of a list from the others.
pub(crate) fn name_of(tree: &Tree) -> String {
    match tree {
        Tree::Fields(_) => {
            let mut names = NAMES.iter().filter_map(|name| tree.field(name));
            let is_none = |name: &Tree| ["null", "\"\"", "no id"].contains(&name.to_string().as_str());
            names.find(|name| !is_none(name)).map(Tree::to_string).unwrap_or_default()
        }
        _ => tree.to_string(),
    }
}

#[test]
fn a_tree_has_all_that_the_text_has() {
    let text = r#"A { n: -1, ok: true, name: Some(StrBytes(b"a\"b")), id: Uuid([0, 255]), x: None, l: [B { p: 1 }] }"#;
    let tree = Tree::read(text);
    assert_eq!(tree.to_string(), r#"{n: -1, ok: true, name: "a\"b", id: id:00ff, x: null, l: [{p: 1}]}"#);
    let other = Tree::read(&text.replace("p: 1", "p: 2"));
    let differences = compare(&tree, &other);
    assert_eq!(differences.len(), 1);
    assert!(differences[0].path.starts_with(".l["));
    let longer = Tree::read(&text.replace("[B { p: 1 }]", "[B { p: 1 }, B { p: 1 }]"));
    assert_eq!(compare(&tree, &longer).len(), 1);
    assert_eq!(compare(&longer, &tree).len(), 1);
}
