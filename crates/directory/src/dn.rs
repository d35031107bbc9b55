//! Distinguished names (RFC 4514), compared as directories compare them.

/// Longest name that is taken apart, in bytes.
const MAX_BYTES: usize = 8 * 1024;

/// One part of a name: mostly a single attribute and its value.
type Part = Vec<(String, String)>;

/// A name in one form for all ways to write it, the last part first: what is under another name begins with it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Dn(Vec<Part>);

impl Dn {
    /// Nothing for text that is no name.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let mut parts = parts(text)?;
        for part in &mut parts {
            for (attribute, value) in part.iter_mut() {
                *attribute = attribute.to_lowercase();
                *value = folded(value);
            }
            part.sort();
        }
        parts.reverse();
        Some(Self(parts))
    }

    /// Whether it is `base` or under it.
    pub(crate) fn is_under(&self, base: &Self) -> bool {
        self.0.starts_with(&base.0)
    }
}

/// Where something is searched: the name that all of it is under.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Base {
    text: String,
    dn: Dn,
}

impl Base {
    /// Nothing for text that is no distinguished name, and for the empty one.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let dn = Dn::read(text).filter(|dn| !dn.0.is_empty())?;
        Some(Self { text: text.to_owned(), dn })
    }

    /// The name as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn holds(&self, dn: &Dn) -> bool {
        dn.is_under(&self.dn)
    }
}

/// Letters without their case, and runs of spaces as one (`caseIgnoreMatch`, RFC 4517).
pub(crate) fn folded(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

/// The parts of a name as they are written, without escapes; the empty name has none.
pub(crate) fn parts(text: &str) -> Option<Vec<Part>> {
    if text.len() > MAX_BYTES {
        return None;
    }
    if text.trim().is_empty() {
        return Some(Vec::new());
    }
    let mut rest = text.as_bytes();
    let (mut parts, mut part) = (Vec::new(), Part::new());
    loop {
        let (attribute, after) = split_once(rest, b'=')?;
        let attribute = str::from_utf8(attribute).ok()?.trim();
        let is_of_attribute = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if attribute.is_empty() || !attribute.bytes().all(is_of_attribute) {
            return None;
        }
        let (value, separator, after) = value(after)?;
        part.push((attribute.to_owned(), value));
        if separator != Some(b'+') {
            parts.push(std::mem::take(&mut part));
        }
        rest = after;
        if separator.is_none() {
            return Some(parts);
        }
    }
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

/// A value without its escapes, what ends it, and what is behind.
fn value(bytes: &[u8]) -> Option<(String, Option<u8>, &[u8])> {
    let mut out = Vec::new();
    // Spaces around a value are not a part of it, unless they are escaped.
    let mut kept = 0;
    let mut index = bytes.iter().take_while(|byte| **byte == b' ').count();
    let separator = loop {
        match bytes.get(index) {
            None => break None,
            Some(separator @ (b',' | b';' | b'+')) => break Some(*separator),
            Some(b'\\') => {
                let next = *bytes.get(index + 1)?;
                let pair = hex(next).zip(bytes.get(index + 2).copied().and_then(hex));
                match pair {
                    Some((high, low)) => {
                        out.push(high << 4 | low);
                        index += 3;
                    }
                    None => {
                        out.push(next);
                        index += 2;
                    }
                }
                kept = out.len();
            }
            Some(byte) => {
                out.push(*byte);
                if *byte != b' ' {
                    kept = out.len();
                }
                index += 1;
            }
        }
    };
    out.truncate(kept);
    let after = bytes.get(index + 1..).unwrap_or_default();
    Some((String::from_utf8(out).ok()?, separator, after))
}

const fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn dn(text: &str) -> Dn {
        Dn::read(text).unwrap_or_else(|| panic!("no name: {text}"))
    }

    #[test]
    fn names_that_mean_the_same_are_the_same() {
        for (one, other) in [
            ("cn=Ops,dc=example,dc=org", "CN=ops, DC=Example, DC=ORG"),
            ("cn=a  b,dc=x", "cn=A b , dc=x"),
            (r"cn=a\2cb,dc=x", r"cn=a\,b,dc=x"),
            (r"cn=a\20,dc=x", r"cn=a\ ,dc=x"),
            ("cn=a+uid=b,dc=x", "UID=B+cn=A;dc=x"),
        ] {
            assert_eq!(dn(one), dn(other), "{one} / {other}");
        }
    }

    #[test]
    fn names_that_mean_something_else_differ() {
        let one = dn("cn=ops,dc=example,dc=org");
        for other in ["cn=ops,dc=example", "cn=ops2,dc=example,dc=org", r"cn=ops\,dc=example,dc=org", ""] {
            assert_ne!(one, dn(other), "{other}");
        }
    }

    #[test]
    fn a_name_is_under_its_base_and_not_under_what_only_looks_alike() {
        let base = dn("ou=Groups,dc=example,dc=org");
        for text in ["cn=a,ou=groups,dc=example,dc=org", "ou=groups,DC=example,dc=org"] {
            assert!(dn(text).is_under(&base), "{text}");
        }
        for text in ["cn=a,ou=othergroups,dc=example,dc=org", r"cn=a\,ou=groups,dc=example,dc=org", "cn=a"] {
            assert!(!dn(text).is_under(&base), "{text}");
        }
        assert!(base.is_under(&dn("")));
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in ["ops", "cn", "=x", "cn=a,", "cn=a\\", "c n=a", &format!("cn={}", "x".repeat(MAX_BYTES))]
        {
            assert_eq!(Dn::read(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_much(text in "\\PC*|[,+=;\\\\ 0-9a-fcn]{0,40}") {
            let _ = Dn::read(&text);
        }
    }
}
