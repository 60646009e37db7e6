//! The condition of a Sigma rule: names of searches joined by `and`, `or` and `not`.
//!
//! `1 of sel*` and `all of them` are taken apart while they are read, so what is left are searches
//! by their number; the words stay for people. Pipes (`| count() by x > 5`) were the aggregations of Sigma before 2.0:
//! correlation rules took their place.

use crate::diagnostic::{Code, Problem, nearest};
use crate::traced::{Place, Traced};

/// Deepest nesting of a condition, which bounds the stack of reading and compiling it.
pub(crate) const CONDITION_DEPTH_MAX: usize = 100;

/// A condition; searches by their number among the names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Expr {
    Search(usize),
    Not(Box<Self>),
    All(Vec<Self>),
    Any(Vec<Self>),
    /// What such words as `1 of sel*` mean.
    Words(String, Box<Self>),
}

/// Reads a condition over searches of these names.
///
/// # Errors
/// It does not follow the grammar, or names what is not there.
pub(super) fn read(text: &Traced, names: &[&str]) -> Result<Expr, Problem> {
    let words = words(text)?;
    let mut parser =
        Parser { words: &words, at: 0, depth: 0, names, end: text.place_at(text.len()) };
    let expr = parser.any()?;
    match parser.peek() {
        None => Ok(expr),
        Some(word) => Err(problem(word.place, format!("`{}` is not expected here", word.text))
            .help("join searches by `and` or `or`")),
    }
}

struct Word {
    text: String,
    place: Place,
}

fn problem(place: Place, message: impl Into<String>) -> Problem {
    Problem::new(Code::SigmaCondition, place, message)
}

fn words(text: &Traced) -> Result<Vec<Word>, Problem> {
    let mut words: Vec<Word> = Vec::new();
    let mut is_inside = false;
    for (offset, character) in text.as_str().char_indices() {
        let place = text.place_at(offset);
        match character {
            '(' | ')' => {
                words.push(Word { text: character.to_string(), place });
                is_inside = false;
            }
            '|' => {
                return Err(problem(place, "a pipe with an aggregation is not part of Sigma 2")
                    .help("write a correlation rule: `correlation:` with `type: event_count`"));
            }
            _ if character.is_whitespace() => is_inside = false,
            _ if character.is_alphanumeric() || "_-*.?$".contains(character) => {
                match words.last_mut().filter(|_| is_inside) {
                    Some(word) => word.text.push(character),
                    None => words.push(Word { text: character.to_string(), place }),
                }
                is_inside = true;
            }
            _ => return Err(problem(place, format!("`{character}` means nothing in a condition"))),
        }
    }
    Ok(words)
}

struct Parser<'a> {
    words: &'a [Word],
    at: usize,
    depth: usize,
    names: &'a [&'a str],
    end: Place,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Word> {
        self.words.get(self.at)
    }

    fn takes(&mut self, keyword: &str) -> bool {
        let is_next = self.peek().is_some_and(|word| word.text.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is_next);
        is_next
    }

    fn any(&mut self) -> Result<Expr, Problem> {
        let mut parts = vec![self.all()?];
        while self.takes("or") {
            parts.push(self.all()?);
        }
        Ok(one_or(parts, Expr::Any))
    }

    fn all(&mut self) -> Result<Expr, Problem> {
        let mut parts = vec![self.not()?];
        while self.takes("and") {
            parts.push(self.not()?);
        }
        Ok(one_or(parts, Expr::All))
    }

    fn not(&mut self) -> Result<Expr, Problem> {
        if CONDITION_DEPTH_MAX <= self.depth {
            let message = format!("nested more than {CONDITION_DEPTH_MAX} deep");
            return Err(problem(self.peek().map_or(self.end, |word| word.place), message));
        }
        self.depth += 1;
        let expr = if self.takes("not") {
            self.not().map(|inner| Expr::Not(Box::new(inner)))
        } else {
            self.primary()
        };
        self.depth -= 1;
        expr
    }

    fn primary(&mut self) -> Result<Expr, Problem> {
        if self.takes("(") {
            let inner = self.any()?;
            if !self.takes(")") {
                let place = self.peek().map_or(self.end, |word| word.place);
                return Err(problem(place, "a parenthesis is not closed"));
            }
            return Ok(inner);
        }
        let Some(word) = self.peek() else {
            return Err(problem(self.end, "the condition ends where a search is expected"));
        };
        self.at += 1;
        let is_of = self.peek().is_some_and(|next| next.text.eq_ignore_ascii_case("of"));
        match word.text.to_ascii_lowercase().as_str() {
            "1" | "any" if is_of => self.several(&word.text, Expr::Any),
            "all" if is_of => self.several(&word.text, Expr::All),
            ")" | "and" | "or" | "of" => {
                Err(problem(word.place, format!("a search is expected, not `{}`", word.text)))
            }
            "near" => Err(problem(word.place, "`near` is not part of Sigma 2")
                .help("write a correlation rule: `correlation:` with `type: temporal`")),
            _ if is_of => Err(problem(word.place, format!("`{} of` is not known", word.text))
                .help("write `1 of`, `any of` or `all of`")),
            _ => self.search(word),
        }
    }

    fn search(&self, word: &Word) -> Result<Expr, Problem> {
        if let Some(number) = self.names.iter().position(|name| *name == word.text) {
            return Ok(Expr::Search(number));
        }
        let unknown = problem(word.place, format!("no search is named `{}`", word.text));
        Err(match nearest(&word.text, self.names.iter().copied()) {
            Some(near) => unknown.help(format!("did you mean `{near}`?")),
            None => unknown.help("it has to be a key of `detection`"),
        })
    }

    /// What stands behind `1` or `all`: `of them`, `of sel*`.
    fn several(&mut self, quantifier: &str, join: fn(Vec<Expr>) -> Expr) -> Result<Expr, Problem> {
        self.at += 1;
        let Some(word) = self.peek() else {
            return Err(problem(self.end, "`of` is followed by `them` or by a name with `*`"));
        };
        self.at += 1;
        let is_them = word.text.eq_ignore_ascii_case("them");
        // Names that begin with `_` are helpers: `them` leaves them out.
        let is_meant = |name: &str| {
            if is_them { !name.starts_with('_') } else { fits(&word.text, name) }
        };
        let found = (0..).zip(self.names).filter(|(_, name)| is_meant(name));
        let found: Vec<Expr> = found.map(|(number, _)| Expr::Search(number)).collect();
        if found.is_empty() {
            let message = format!("no search fits `{}`", word.text);
            return Err(problem(word.place, message).help("it has to be a key of `detection`"));
        }
        let words = format!("{quantifier} of {}", word.text);
        Ok(Expr::Words(words, Box::new(one_or(found, join))))
    }
}

fn one_or(mut parts: Vec<Expr>, join: fn(Vec<Expr>) -> Expr) -> Expr {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

/// The parts between `*` have to follow one another.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = parts.next_back() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 4] = ["sel_a", "sel_b", "filter", "_hidden"];

    fn shown(expr: &Expr) -> String {
        let all = |parts: &[Expr]| parts.iter().map(shown).collect::<Vec<_>>().join(" ");
        match expr {
            Expr::Search(number) => NAMES[*number].to_owned(),
            Expr::Not(inner) => format!("!{}", shown(inner)),
            Expr::All(parts) => format!("(& {})", all(parts)),
            Expr::Any(parts) => format!("(| {})", all(parts)),
            Expr::Words(_, inner) => shown(inner),
        }
    }

    fn check(text: &str, expected: &str) {
        let found = match read(&Traced::line(text), &NAMES) {
            Ok(expr) => shown(&expr),
            Err(problem) => format!("{}: {}", problem.place.column, problem.message),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_bind_as_in_most_languages() {
        check("sel_a", "sel_a");
        check("sel_a or sel_b and not filter", "(| sel_a (& sel_b !filter))");
        check("(sel_a OR sel_b) AND NOT (filter)", "(& (| sel_a sel_b) !filter)");
        check("not not sel_a", "!!sel_a");
    }

    #[test]
    fn quantifiers_are_taken_apart() {
        check("1 of sel_*", "(| sel_a sel_b)");
        check("all of sel* and not 1 of filter*", "(& (& sel_a sel_b) !filter)");
        check("any of them", "(| sel_a sel_b filter)");
        check("all of _*", "_hidden");
        check("1 of *_b", "sel_b");
    }

    #[test]
    fn a_mistake_is_named_at_its_place() {
        check("sel_a and", "9: the condition ends where a search is expected");
        check("sel_a sel_b", "7: `sel_b` is not expected here");
        check("(sel_a", "6: a parenthesis is not closed");
        check("sel_c", "1: no search is named `sel_c`");
        check("2 of sel*", "1: `2 of` is not known");
        check("1 of x*", "6: no search fits `x*`");
        check("sel_a | count() > 5", "7: a pipe with an aggregation is not part of Sigma 2");
        check("sel_a & sel_b", "7: `&` means nothing in a condition");
        check("", "0: the condition ends where a search is expected");
        check("and", "1: a search is expected, not `and`");
        check("sel_a near sel_b", "7: `near` is not expected here");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = |depth: usize| format!("{}sel_a", "not ".repeat(depth));
        assert!(read(&Traced::line(&deep(CONDITION_DEPTH_MAX - 1)), &NAMES).is_ok());
        assert!(read(&Traced::line(&deep(CONDITION_DEPTH_MAX)), &NAMES).is_err());
    }
}
