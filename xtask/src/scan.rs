//! Splits Rust text the way the checks need it: words, and shipped code apart from tests.
//!
//! These are text scans, not a parser. They lean on the house style, which puts the tests of a
//! file in one `#[cfg(test)]` module at its end.

use crate::tree::File;

/// The identifiers of `text`, in order, with the byte offset of each.
pub(crate) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut rest_at = 0;
    std::iter::from_fn(move || {
        let rest = text.get(rest_at..)?;
        let start = rest_at + rest.find(is_part)?;
        let tail = text.get(start..)?;
        let len = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
        rest_at = start + len;
        Some((start, text.get(start..rest_at)?))
    })
}

/// The number of the line that holds byte `offset`, counted from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

/// Whether all of the file is test code: below a `tests/` folder, or named `tests.rs`.
pub(crate) fn is_test_file(file: &File) -> bool {
    file.path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "benches")
        || file.path.starts_with("crates/clew-testkit/")
}

/// The byte at which the tests of a file begin, or its length.
fn tests_at(text: &str) -> usize {
    text.find("\n#[cfg(test)]\nmod ").unwrap_or(text.len())
}

/// The part of the file that is shipped, without its tests.
pub(crate) fn shipped(file: &File) -> &str {
    if is_test_file(file) {
        return "";
    }
    file.text.get(..tests_at(&file.text)).unwrap_or_default()
}

/// The part of the file that tests.
pub(crate) fn tests(file: &File) -> &str {
    if is_test_file(file) {
        return &file.text;
    }
    file.text.get(tests_at(&file.text)..).unwrap_or_default()
}

/// `line` without a `//` comment at its end.
///
/// A `//` inside a string (an address, say) is taken for a comment too; the checks that use this
/// look at code before any such string.
pub(crate) fn without_comment(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    #[test]
    fn finds_every_word_with_its_place() {
        let found: Vec<_> = words("pub const A_MAX: u8=1;").collect();
        assert_eq!(found, [(0, "pub"), (4, "const"), (10, "A_MAX"), (17, "u8"), (20, "1")]);
    }

    #[test]
    fn survives_text_that_is_not_ascii() {
        let found: Vec<_> = words("é→x ").collect();
        assert_eq!(found, [(0, "é"), (5, "x")]);
    }

    #[test]
    fn parts_shipped_code_from_tests() {
        let text = "fn a() {}\n\n#[cfg(test)]\nmod tests { fn b() {} }\n";
        let tree = Tree::of(&[("crates/a/src/lib.rs", text), ("crates/a/tests/all.rs", text)]);
        let parts: Vec<_> = tree.files.iter().map(|f| (shipped(f), tests(f))).collect();
        let tail = "\n#[cfg(test)]\nmod tests { fn b() {} }\n";
        assert_eq!(parts, [("fn a() {}\n", tail), ("", text)]);
    }

    #[test]
    fn counts_lines_from_one() {
        assert_eq!(line_of("a\nb\n", 0), 1);
        assert_eq!(line_of("a\nb\n", 2), 2);
    }
}
