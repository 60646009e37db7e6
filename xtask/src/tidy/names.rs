//! Names say what a thing is: words that fit everything are banned from types and modules.
//!
//! The glossary of `ARCHITECTURE.md` has a better word for each. Words inside a longer word
//! (`metadata`) and names of other people's types do not count.

use super::Problem;
use crate::scan;
use crate::tree::{File, Tree};

/// Words that say nothing, in lower case and singular.
const BANNED: &[&str] = &["data", "info", "manager", "helper", "util"];

/// The keywords that introduce a name of ours.
const INTRODUCERS: &[&str] = &["struct", "enum", "trait", "type", "mod", "union"];

/// Checks the names of types, modules and files.
pub(super) fn check(tree: &Tree) -> Vec<Problem> {
    let mut problems = Vec::new();
    for file in tree.with_extension("rs") {
        problems.extend(file_name(file));
        problems.extend(item_names(file));
    }
    problems
}

/// The banned word that `name` (in any case) is made of, if any.
fn banned_word(name: &str) -> Option<&'static str> {
    let words = split(name);
    let is_banned = |banned: &&&str| {
        words.iter().any(|word| word == **banned || word.strip_suffix('s') == Some(**banned))
    };
    BANNED.iter().find(is_banned).copied()
}

/// The words of a `snake_case`, `kebab-case` or `CamelCase` name, in lower case.
fn split(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let chars: Vec<char> = name.chars().collect();
    for (index, &c) in chars.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| chars.get(index));
        let follows_lower = before.is_some_and(|c| !c.is_uppercase());
        let precedes_lower = chars.get(index + 1).is_some_and(|c| c.is_lowercase());
        let starts_word = c.is_uppercase() && (follows_lower || precedes_lower);
        if starts_word || !c.is_alphanumeric() {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn file_name(file: &File) -> Option<Problem> {
    let parts = file.path.strip_suffix(".rs").unwrap_or(&file.path).split('/');
    let word = parts.into_iter().find_map(banned_word)?;
    Some(Problem::of_file(&file.path, message("the path", word)))
}

fn item_names(file: &File) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (number, line) in (1..).zip(file.text.lines()) {
        let code = scan::without_comment(line);
        let mut words = code.split_whitespace().skip_while(|word| word.starts_with("pub"));
        if !words.next().is_some_and(|word| INTRODUCERS.contains(&word)) {
            continue;
        }
        let name = words.next().and_then(|word| scan::words(word).next()).map(|(_, name)| name);
        if let Some((name, word)) = name.and_then(|name| Some((name, banned_word(name)?))) {
            problems.push(Problem::at(&file.path, number, message(&format!("`{name}`"), word)));
        }
    }
    problems
}

fn message(what: &str, word: &str) -> String {
    format!("{what} says `{word}`, which fits everything: take a word of the glossary")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str) -> Vec<usize> {
        check(&Tree::of(&[(path, text)])).into_iter().map(|problem| problem.line).collect()
    }

    #[test]
    fn finds_words_that_fit_everything_in_types_and_modules() {
        let text =
            "//! A.\npub struct ContainerInfo;\nmod fd_helpers;\npub(crate) enum HTTPData {}\n";
        assert_eq!(check_one("a.rs", text), [2, 3, 4]);
    }

    #[test]
    fn finds_them_in_file_names() {
        assert_eq!(check_one("crates/clew-event/src/utils.rs", "//! U.\n"), [0]);
    }

    #[test]
    fn leaves_longer_words_and_uses_alone() {
        let text = "//! Data.\nstruct Metadata(PhantomData<u8>); // data\nlet data = 1;\n";
        assert_eq!(check_one("crates/database.rs", text), [0; 0]);
    }

    #[test]
    fn splits_names_of_every_case() {
        assert_eq!(split("HTTPRequest2Head_of-x"), ["http", "request2", "head", "of", "x"]);
    }
}
