//! A line of text with its checksum: `TEXT SUM\n`, the CRC-32 of the text in eight hexadecimal digits. Pure.

/// The line that says a text.
#[must_use]
pub fn line_of(text: &str) -> String {
    format!("{text} {:08x}\n", crc32fast::hash(text.as_bytes()))
}

/// The text of a line, given without its newline, if it is as it was written.
#[must_use]
pub fn text_of(line: &str) -> Option<&str> {
    let (text, sum) = line.rsplit_once(' ')?;
    (checksum_in(sum) == Some(crc32fast::hash(text.as_bytes()))).then_some(text)
}

/// A checksum as it is written: eight hexadecimal digits, none of them a capital.
#[must_use]
pub fn checksum_in(text: &str) -> Option<u32> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == 8 && text.bytes().all(is_digit)).then(|| u32::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_was_written_and_not_otherwise() {
        for text in ["", "a", "a b 12"] {
            let line = line_of(text);
            let line = line.strip_suffix('\n').unwrap();
            assert_eq!(text_of(line), Some(text));
            assert_eq!(text_of(&line[1..]), None);
            assert_eq!(text_of(&line[..line.len() - 1]), None);
        }
        let line = line_of("j");
        assert!(line.bytes().any(|byte| byte.is_ascii_lowercase() && byte > b'j' || (b'a'..=b'f').contains(&byte)), "{line}");
        assert_eq!(text_of(line.to_uppercase().trim_end()), None);
        assert_eq!(text_of("a"), None);
    }
}
