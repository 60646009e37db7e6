//! Lists put into conditions, by text.
//!
//! Falco replaces a list's name wherever it stands between delimiters, before it parses, and in the
//! order in which lists are defined. Rules rely on the usual cases and a few on the unusual ones,
//! so it is done the same way here; except inside quotes, where a word is a word, unless Falco is
//! followed.

use clew_event::Semantics;
use rustc_hash::FxHashSet;

use crate::collect::Collected;
use crate::condition::CONDITION_BYTES_MAX;
use crate::diagnostic::{Code, Problem, Report};
use crate::items::push_quoted;
use crate::traced::{Place, Traced};

/// Most values of all lists together, each list inside another counted again.
pub(crate) const LIST_VALUES_MAX: usize = 1_000_000;

/// Lists ready to be substituted, in the order of their definition.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    lists: Vec<Values>,
    semantics: Semantics,
}

#[derive(Debug)]
struct Values {
    name: String,
    place: Place,
    items: Vec<Traced>,
    /// The items as they are put into a condition.
    text: Traced,
    is_used: bool,
}

impl Lists {
    /// Expands lists in lists, one level, as the original does; deeper ones are reached because
    /// the text put into a condition is searched again for lists that are defined later.
    pub(crate) fn new(collected: &Collected, semantics: Semantics, report: &mut Report) -> Self {
        let mut used = FxHashSet::default();
        let mut lists: Vec<Values> = Vec::with_capacity(collected.lists.len());
        let mut budget = LIST_VALUES_MAX;
        for list in collected.lists.iter() {
            let mut items = Vec::new();
            for item in &list.items {
                match collected.lists.get(item.as_str()) {
                    Some(inner) if inner.order < list.sees_before => {
                        used.insert(inner.name.text.as_str());
                        items.extend(inner.items.iter().take(budget).cloned());
                    }
                    _ => items.push(item.clone()),
                }
                items.truncate(budget);
            }
            budget -= items.len();
            if budget == 0 {
                let message = format!("all lists together have over {LIST_VALUES_MAX} values");
                report.error(Problem::new(Code::ConditionLimit, list.name.place, message));
            }
            let (name, place) = (list.name.text.clone(), list.name.place);
            let text = joined(&items, semantics);
            lists.push(Values { name, place, items, text, is_used: false });
        }
        for list in &mut lists {
            list.is_used = used.contains(list.name.as_str());
        }
        Self { lists, semantics }
    }

    /// The condition with all lists put in.
    pub(crate) fn substitute(&mut self, condition: &Traced) -> Result<Traced, Problem> {
        if CONDITION_BYTES_MAX < condition.len() {
            let message = format!("the condition has over {CONDITION_BYTES_MAX} bytes");
            return Err(Problem::new(Code::ConditionLimit, condition.place_at(0), message));
        }
        let mut text = condition.clone();
        for list in &mut self.lists {
            if let Some(substituted) = substitute_one(&text, list, self.semantics)? {
                text = substituted;
                list.is_used = true;
            }
        }
        Ok(text)
    }

    /// Name and place of each list that nothing uses.
    pub(crate) fn unused(&self) -> impl Iterator<Item = (&str, Place)> {
        self.lists.iter().filter(|list| !list.is_used).map(|list| (list.name.as_str(), list.place))
    }

    /// Name and values of each list.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &[Traced])> {
        self.lists.iter().map(|list| (list.name.as_str(), list.items.as_slice()))
    }
}

fn joined(items: &[Traced], semantics: Semantics) -> Traced {
    let mut text = Traced::default();
    for item in items {
        if !text.is_empty() {
            text.push_str(", ", item.place_at(0));
        }
        push_quoted(&mut text, item, semantics);
    }
    text
}

/// The text with the list's name replaced wherever it stands between delimiters.
fn substitute_one(
    text: &Traced,
    list: &Values,
    semantics: Semantics,
) -> Result<Option<Traced>, Problem> {
    let mut new = Traced::default();
    let (mut is_used, mut quotes) = (false, Quotes::default());
    // Up to where `text` is in `new`, and from where the name is searched.
    let (mut copied, mut from) = (0, 0);
    while let Some(start) = find(text.as_str(), &list.name, from) {
        let end = start + list.name.len();
        let before = if start == copied { new.as_str() } else { text.as_str() };
        let before = if start == copied { before.len() } else { start }
            .checked_sub(1)
            .and_then(|offset| before.as_bytes().get(offset).copied());
        let behind = text.as_str().as_bytes().get(end).copied();
        let is_word = before.is_none_or(is_delimiter) && behind.is_none_or(is_delimiter);
        if !is_word || !semantics.is_falco() && quotes.are_around(text.as_str(), start) {
            from = start + 1;
            continue;
        }
        new.push_part(text, copied..start);
        let is_at_start = new.as_str().bytes().all(is_blank);
        copied = put_in(&mut new, text, list, end);
        // The original goes on one byte later at the start of a condition.
        from = if is_at_start { copied + 1 } else { copied };
        is_used = true;
        if CONDITION_BYTES_MAX < new.len() {
            let message = format!(
                "with list `{}` the condition has over {CONDITION_BYTES_MAX} bytes",
                list.name
            );
            return Err(Problem::new(Code::ConditionLimit, text.place_at(start), message));
        }
    }
    new.push_part(text, copied..text.len());
    Ok(is_used.then_some(new))
}

/// Appends the list's values where its name stood, and gives the offset behind it.
fn put_in(new: &mut Traced, text: &Traced, list: &Values, end: usize) -> usize {
    let bytes = text.as_str().as_bytes();
    let mut end = end;
    while bytes.get(end).copied().is_some_and(is_blank) {
        end += 1;
    }
    new.pop_while(is_blank);
    if list.text.is_empty() {
        // Of two commas around nothing, one goes.
        if new.as_str().ends_with(',') {
            let mut is_first = true;
            new.pop_while(|byte| byte == b',' && std::mem::take(&mut is_first));
        } else if bytes.get(end) == Some(&b',') {
            end += 1;
        }
    }
    if !new.is_empty() {
        new.push_space();
    }
    new.push_traced(&list.text);
    new.push_space();
    end
}

/// Reads a text once to tell of ascending offsets whether they lie in a string in quotes.
#[derive(Default)]
struct Quotes {
    read: usize,
    open: Option<u8>,
    is_escaped: bool,
}

impl Quotes {
    fn are_around(&mut self, text: &str, offset: usize) -> bool {
        for byte in text.as_bytes().get(self.read..offset).unwrap_or_default() {
            match self.open {
                _ if self.is_escaped => self.is_escaped = false,
                Some(_) if *byte == b'\\' => self.is_escaped = true,
                Some(open) if *byte == open => self.open = None,
                None if matches!(byte, b'"' | b'\'') => self.open = Some(*byte),
                Some(_) | None => {}
            }
        }
        self.read = offset;
        self.open.is_some()
    }
}

fn find(text: &str, name: &str, from: usize) -> Option<usize> {
    // An offset inside a character or behind the end finds nothing, as there is nothing to find.
    let from = (from..=text.len()).find(|&offset| text.is_char_boundary(offset))?;
    text.get(from..)?.find(name).map(|offset| from + offset)
}

fn is_delimiter(byte: u8) -> bool {
    is_blank(byte) || matches!(byte, b'(' | b')' | b',' | b'=')
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items::{Item, Name};

    fn lists(definitions: &[(&str, &[&str])]) -> Lists {
        lists_of(definitions, Semantics::Clew)
    }

    fn lists_of(definitions: &[(&str, &[&str])], semantics: Semantics) -> Lists {
        let mut collected = Collected::default();
        for (name, items) in definitions {
            let name = Name { text: (*name).to_owned(), place: Place::default() };
            let items = items.iter().map(|item| Traced::line(item)).collect();
            let item = Item::List { name, items, is_appended: false };
            collected.take(item, &mut Report::default());
        }
        Lists::new(&collected, semantics, &mut Report::default())
    }

    #[test]
    fn a_name_between_delimiters_is_replaced() {
        let check = |items: &[&str], condition: &str, expected: &str| {
            let substituted = lists(&[("shells", items)]).substitute(&Traced::line(condition));
            assert_eq!(substituted.unwrap().as_str(), expected);
        };
        check(&["sh", "bash"], "a in (shells)", "a in ( sh, bash )");
        check(&["sh"], "a in (shells, my_shells)", "a in ( sh , my_shells)");
        check(&["sh"], "a=shells", "a= sh ");
        check(&["two words", "'q r'"], "a in (shells)", "a in ( \"two words\", 'q r' )");
        check(&[], "a in (x, shells)", "a in (x  )");
        check(&[], "a in (shells, x)", "a in (   x)");
        check(&["sh"], "shells and (shells)", "sh and ( sh )");
        check(&["sh"], "a in (x,shells shells)", "a in (x, sh sh )");
    }

    #[test]
    fn a_name_in_quotes_is_a_word_unless_falco_is_followed() {
        let check = |semantics, condition: &str, expected: &str| {
            let mut lists = lists_of(&[("shells", &["sh", "a,b"])], semantics);
            let substituted = lists.substitute(&Traced::line(condition));
            assert_eq!(substituted.unwrap().as_str(), expected);
        };
        let words = r#"a contains "my shells (" or a in (shells)"#;
        check(Semantics::Clew, words, r#"a contains "my shells (" or a in ( sh, "a,b" )"#);
        check(Semantics::Falco, words, r#"a contains "my sh, a,b (" or a in ( sh, a,b )"#);
        let escaped = r#"a = "\\" or a in (shells)"#;
        check(Semantics::Clew, escaped, r#"a = "\\" or a in ( sh, "a,b" )"#);
    }

    #[test]
    fn lists_in_lists_expand_when_the_inner_one_is_defined_before() {
        let check = |definitions: &[(&str, &[&str])], expected: &str| {
            let substituted = lists(definitions).substitute(&Traced::line("a in (outer)"));
            assert_eq!(substituted.unwrap().as_str(), expected);
        };
        check(&[("inner", &["x", "y"]), ("outer", &["inner", "z"])], "a in ( x, y, z )");
        check(&[("outer", &["inner", "z"]), ("inner", &["x"])], "a in ( x , z )");
    }

    #[test]
    fn lists_that_multiply_are_stopped_at_a_bound() {
        let names: Vec<String> = (0..40).map(|level| format!("level{level}")).collect();
        let items: Vec<Vec<&str>> =
            (1..41).map(|next| names.get(next).map_or(vec!["x"], |name| vec![name; 4])).collect();
        let definitions: Vec<(&str, &[&str])> =
            names.iter().map(String::as_str).zip(items.iter().map(Vec::as_slice)).collect();
        let refused = lists(&definitions).substitute(&Traced::line("a in (level0)")).unwrap_err();
        assert_eq!(refused.code, Code::ConditionLimit);
        let wide = vec!["x"; LIST_VALUES_MAX / 4];
        let lists = lists(&[("wide", &wide), ("wider", &["wide"; 4])]);
        assert_eq!(lists.iter().map(|(_, items)| items.len()).sum::<usize>(), LIST_VALUES_MAX);
    }
}
