//! Regular expressions for topic names, as RE2/J writes them.

use regex::{Regex, RegexBuilder};
use thiserror::Error;

/// Longest regular expression, in bytes. Kafka has no bound of its own.
const MAX_PATTERN_BYTES: usize = 2048;
/// Most bytes that a compiled expression may take.
const MAX_COMPILED_BYTES: usize = 1024 * 1024;

/// What may stand between `[:` and `:]`.
const NAMED_CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Why a text is no regular expression.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub(crate) enum PatternError {
    /// Longer than is kept.
    #[error("it is longer than {MAX_PATTERN_BYTES} bytes")]
    TooLong,
    /// The grammar, or its size when compiled.
    #[error("{0}")]
    Malformed(String),
}

/// A regular expression that is compared with whole names.
///
/// The `regex` crate has RE2's grammar and its linear time, but for three things that are translated: `\Q...\E`
/// quotes, and inside of brackets `[`, `&` and `~` stand for themselves.
#[derive(Debug)]
pub(crate) struct Pattern(Regex);

impl Pattern {
    /// Compiles a regular expression.
    ///
    /// # Errors
    /// It is malformed or too large.
    pub(crate) fn new(text: &str) -> Result<Self, PatternError> {
        if text.len() > MAX_PATTERN_BYTES {
            return Err(PatternError::TooLong);
        }
        let translated = translate(text)?;
        // By itself first: an expression with unbalanced brackets must not become one by what is put around it.
        compile(&translated)?;
        compile(&format!(r"\A(?:{translated})\z")).map(Self)
    }

    /// Whether it matches all of the name.
    pub(crate) fn matches(&self, name: &str) -> bool {
        self.0.is_match(name)
    }
}

fn compile(text: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(text)
        .size_limit(MAX_COMPILED_BYTES)
        .dfa_size_limit(MAX_COMPILED_BYTES)
        .build()
        .map_err(|error| PatternError::Malformed(error.to_string()))
}

fn translate(text: &str) -> Result<String, PatternError> {
    let mut translated = String::with_capacity(text.len());
    let mut rest = text;
    let mut class = Class::Outside;
    while let Some(symbol) = rest.chars().next() {
        if let Some(quoted) = rest.strip_prefix(r"\Q") {
            let (literal, after) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
            translated.push_str(&regex::escape(literal));
            (rest, class) = (after, class.after_member());
            continue;
        }
        let named = if class.is_inside() { named_class(rest)? } else { None };
        let length = if symbol == '\\' {
            symbol.len_utf8() + rest.chars().nth(1).map_or(0, char::len_utf8)
        } else {
            named.unwrap_or_else(|| symbol.len_utf8())
        };
        let (unit, after) = rest.split_at(length);
        if class.is_inside() && matches!(unit, "[" | "&" | "~") {
            translated.push('\\');
        }
        translated.push_str(unit);
        class = class.after(unit);
        rest = after;
    }
    Ok(translated)
}

/// How long a class like `[:digit:]` is, if this begins with one. `regex` would take one of an unknown name for
/// a set of those letters.
fn named_class(rest: &str) -> Result<Option<usize>, PatternError> {
    let Some((name, _)) = rest.strip_prefix("[:").and_then(|inner| inner.split_once(":]")) else {
        return Ok(None);
    };
    if NAMED_CLASSES.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Ok(Some(name.len() + "[::]".len()));
    }
    Err(PatternError::Malformed(format!("there is no class [:{name}:]")))
}

/// Where in an expression a symbol stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Class {
    Outside,
    /// Behind `[` or `[^`, where `]` stands for itself.
    Begun,
    Inside,
}

impl Class {
    fn is_inside(self) -> bool {
        self != Self::Outside
    }

    fn after_member(self) -> Self {
        if self.is_inside() { Self::Inside } else { self }
    }

    fn after(self, unit: &str) -> Self {
        match (self, unit) {
            (Self::Outside, "[") => Self::Begun,
            (Self::Begun, "^") => Self::Begun,
            (Self::Inside, "]") => Self::Outside,
            _ => self.after_member(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matching<'a>(pattern: &str, names: &[&'a str]) -> Vec<&'a str> {
        let pattern = Pattern::new(pattern).unwrap();
        names.iter().copied().filter(|name| pattern.matches(name)).collect()
    }

    #[test]
    fn a_name_matches_as_a_whole_or_not_at_all() {
        assert_eq!(matching("orders", &["orders", "orders-eu", "my-orders"]), ["orders"]);
        assert_eq!(matching("orders-.*", &["orders", "orders-eu", "my-orders-eu"]), ["orders-eu"]);
        assert_eq!(matching("a|ab", &["a", "ab", "abc"]), ["a", "ab"]);
        assert_eq!(matching("^a$", &["a", "aa"]), ["a"]);
        assert_eq!(matching("(?i)ORDERS", &["orders"]), ["orders"]);
    }

    #[test]
    fn quotes_and_brackets_are_those_of_re2() {
        assert_eq!(matching(r"\Qa.b\E.*", &["a.b", "a.b-c", "axb"]), ["a.b", "a.b-c"]);
        assert_eq!(matching(r"\Qa.b", &["a.b", "axb"]), ["a.b"]);
        assert_eq!(matching(r"[\Q.-\E]", &[".", "-", "Q"]), [".", "-"]);
        assert_eq!(matching("[a&&b]", &["a", "b", "&"]), ["a", "b", "&"]);
        assert_eq!(matching("[[a~]", &["[", "a", "~", "b"]), ["[", "a", "~"]);
        assert_eq!(matching("[[:digit:]]+", &["12", "a", ":"]), ["12"]);
        assert_eq!(matching("[]a]", &["]", "a"]), ["]", "a"]);
        assert_eq!(matching("[^]a]", &["]", "a", "b"]), ["b"]);
        assert_eq!(matching(r"[\]&]b", &["]b", "&b", "b"]), ["]b", "&b"]);
        assert_eq!(matching(r"\[a&&b", &["[a&&b"]), ["[a&&b"]);
    }

    #[test]
    fn what_is_no_expression_is_an_error() {
        // A lookahead and a back reference are not in RE2 either.
        for text in ["[", "(", ")", "a)(?:b", "*", r"\", "(?=a)", r"(a)\1", "a{2,1}", "(?x)a # ", "[[:foo:]]"]
        {
            assert!(Pattern::new(text).is_err(), "{text}");
        }
        assert_eq!(Pattern::new(&"a".repeat(MAX_PATTERN_BYTES + 1)).unwrap_err(), PatternError::TooLong);
        assert!(Pattern::new("((a{100}){100}){100}").is_err(), "too large when compiled");
    }
}
