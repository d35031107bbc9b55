//! Java's `.properties` syntax, as `java.util.Properties.load` reads it.

use std::iter::Peekable;
use std::str::Chars;

use zeroize::Zeroizing;

use super::source::Entry;
use crate::error::ConfigError;

/// Most entries of one file.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// The entries of a file in order; a key given twice appears twice.
pub(super) fn parse(text: &str) -> Result<Vec<Entry>, ConfigError> {
    let mut entries = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((index, first)) = lines.next() {
        let start = first.trim_start_matches(is_blank);
        if start.is_empty() || start.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = Zeroizing::new(start.to_owned());
        while ends_in_open_backslash(&logical) {
            logical.pop();
            let Some((_, next)) = lines.next() else { break };
            logical.push_str(next.trim_start_matches(is_blank));
        }
        if entries.len() == MAX_ENTRIES {
            return Err(at(index + 1, format!("more than {MAX_ENTRIES} entries")));
        }
        entries.push(entry(&logical, index + 1)?);
    }
    Ok(entries)
}

fn entry(logical: &str, line: usize) -> Result<Entry, ConfigError> {
    let mut chars = logical.chars().peekable();
    let mut key = String::new();
    while let Some(&next) = chars.peek() {
        if is_blank(next) || matches!(next, '=' | ':') {
            break;
        }
        take(&mut chars, &mut key, line)?;
    }
    skip_blanks(&mut chars);
    if chars.next_if(|next| matches!(next, '=' | ':')).is_some() {
        skip_blanks(&mut chars);
    }
    let mut value = Zeroizing::new(String::with_capacity(logical.len()));
    while chars.peek().is_some() {
        take(&mut chars, &mut value, line)?;
    }
    Ok(Entry { line, key, value })
}

/// Takes one character, resolving an escape.
fn take(chars: &mut Peekable<Chars<'_>>, into: &mut String, line: usize) -> Result<(), ConfigError> {
    let Some(next) = chars.next() else { return Ok(()) };
    if next != '\\' {
        into.push(next);
        return Ok(());
    }
    match chars.next() {
        Some('t') => into.push('\t'),
        Some('n') => into.push('\n'),
        Some('r') => into.push('\r'),
        Some('f') => into.push('\u{c}'),
        Some('u') => into.push(unicode(chars, line)?),
        // Java drops the backslash before anything else.
        Some(other) => into.push(other),
        None => {}
    }
    Ok(())
}

/// The character after `\u`, which may be a pair of UTF-16 surrogates.
fn unicode(chars: &mut Peekable<Chars<'_>>, line: usize) -> Result<char, ConfigError> {
    let malformed = || at(line, "malformed \\u escape: four hexadecimal digits must follow".to_owned());
    let mut units = vec![unit(chars).ok_or_else(malformed)?];
    if (0xd800..0xdc00).contains(&units[0]) {
        if chars.next() != Some('\\') || chars.next() != Some('u') {
            return Err(malformed());
        }
        units.push(unit(chars).ok_or_else(malformed)?);
    }
    char::decode_utf16(units).next().and_then(Result::ok).ok_or_else(malformed)
}

fn unit(chars: &mut Peekable<Chars<'_>>) -> Option<u16> {
    let mut value = 0;
    for _ in 0..4 {
        let digit = chars.next()?.to_digit(16)?;
        value = value * 16 + digit;
    }
    u16::try_from(value).ok()
}

fn ends_in_open_backslash(line: &str) -> bool {
    line.chars().rev().take_while(|character| *character == '\\').count() % 2 == 1
}

fn skip_blanks(chars: &mut Peekable<Chars<'_>>) {
    while chars.next_if(|next| is_blank(*next)).is_some() {}
}

const fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{c}')
}

pub(super) fn at(line: usize, problem: String) -> ConfigError {
    ConfigError { line: Some(line), problem, ..ConfigError::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(usize, String, String)> {
        let entries = parse(text).map_err(|error| error.to_string()).unwrap();
        entries.into_iter().map(|entry| (entry.line, entry.key, entry.value.to_string())).collect()
    }

    fn one(text: &str) -> (String, String) {
        let mut all = pairs(text);
        assert_eq!(all.len(), 1, "{all:?}");
        let (_, key, value) = all.remove(0);
        (key, value)
    }

    #[test]
    fn separators_blanks_and_comments_are_javas() {
        for text in ["a=b", "a:b", "a b", "  a = b", "a\t:\tb", "# x\n! y\n\na=b\n", "a=b\r\n"] {
            assert_eq!(one(text), ("a".into(), "b".into()), "{text:?}");
        }
        assert_eq!(one("a=b = c # no comment"), ("a".into(), "b = c # no comment".into()));
        assert_eq!(one("alone"), ("alone".into(), String::new()));
    }

    #[test]
    fn escapes_and_continuations_are_javas() {
        assert_eq!(one(r"a\ b\=c=d\te"), ("a b=c".into(), "d\te".into()));
        assert_eq!(one(r#"p=\"x\\y\""#), ("p".into(), r#""x\y""#.into()));
        assert_eq!(one("p=\\u00e9\\ud83d\\ude00"), ("p".into(), "é😀".into()));
        assert_eq!(one("list=a,\\\n    b,\\\n    c"), ("list".into(), "a,b,c".into()));
        assert_eq!(one("path=c:\\\\dir\\\\"), ("path".into(), "c:\\dir\\".into()));
        assert_eq!(one("cut=x\\"), ("cut".into(), "x".into()));
    }

    #[test]
    fn lines_are_counted_through_continuations() {
        let lines: Vec<usize> = pairs("a=1\\\n2\n\nb=3\n").into_iter().map(|(line, ..)| line).collect();
        assert_eq!(lines, [1, 4]);
    }

    #[test]
    fn broken_unicode_escapes_are_errors_with_their_line() {
        for text in [
            r"a=1
b=\u12",
            r"
b=\uzzzz",
            r"
b=\ud800x",
            r"
b=\udc00",
        ] {
            let error = parse(text).err().unwrap();
            assert_eq!(error.line, Some(2), "{text:?}");
        }
    }
}
