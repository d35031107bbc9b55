//! Text from outside, made safe to write: a bound on its length, and no byte that a terminal obeys.

use std::io;

use serde_json::ser::{CharEscape, Formatter};

/// Cuts `text` to about `max` bytes at a character's edge and says how many bytes are missing, so that two
/// names with the same beginning are not taken for one by accident.
pub(crate) fn bounded(text: &mut String, max: usize) {
    if text.len() <= max {
        return;
    }
    let keep = text.floor_char_boundary(max);
    let missing = text.len() - keep;
    text.truncate(keep);
    text.push_str(&format!("…[{missing} bytes more]"));
    text.shrink_to_fit();
}

/// Compact JSON that escapes, beyond what JSON asks for, the characters that can fool whoever reads the
/// file in a terminal: DEL, the C1 controls (one of them starts an escape sequence), the line separators
/// and the marks that turn the direction of text.
pub(crate) struct SafeJson;

impl Formatter for SafeJson {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let mut written = 0;
        for (at, character) in fragment.char_indices().filter(|(_, character)| misleads(*character)) {
            writer.write_all(&fragment.as_bytes()[written..at])?;
            write!(writer, "\\u{:04x}", u32::from(character))?;
            written = at + character.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[written..])
    }

    fn write_char_escape<W>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        serde_json::ser::CompactFormatter.write_char_escape(writer, escape)
    }
}

/// Every one of these is in the basic plane, so one `\u` escape of four digits writes it.
fn misleads(character: char) -> bool {
    matches!(character,
        '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use serde::Serialize as _;

    use super::*;

    fn safe(text: &str) -> String {
        let mut out = Vec::new();
        text.serialize(&mut serde_json::Serializer::with_formatter(&mut out, SafeJson)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn characters_that_fool_a_terminal_are_escaped_and_come_back_whole() {
        let text = "a\n\u{1b}[2J\u{9b}31m\u{7f}\u{202e}gpj\u{2028}\"é雪🏰";
        let json = safe(text);
        assert!(json.chars().all(|c| !c.is_control() && !misleads(c)), "{json}");
        assert!(json.contains("é雪🏰"));
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }

    #[test]
    fn long_text_is_cut_at_a_character_and_says_so() {
        let mut text = "é".repeat(100);
        bounded(&mut text, 11);
        assert_eq!(text, format!("{}…[190 bytes more]", "é".repeat(5)));
        let mut short = "short".to_owned();
        bounded(&mut short, 5);
        assert_eq!(short, "short");
    }
}
