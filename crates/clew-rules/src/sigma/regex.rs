//! Expressions of Sigma for the engine of the `regex` crate.
//!
//! Sigma's are of the family of PCRE. The crate runs in time linear to the text, and so knows no
//! look-around and no back-references; what it only writes differently is rewritten: braces and
//! brackets that stand for themselves.

use regex::bytes::{Regex, RegexBuilder};

/// Largest compiled expression, and largest cache of its lazy automaton: `\w{1,64}` of an upstream
/// rule takes 2 MiB.
pub(crate) const SIGMA_REGEX_BYTES_MAX: usize = 4 << 20;

/// Compiles an expression.
///
/// # Errors
/// Why it cannot be used, for people.
pub(super) fn compiled(text: &str) -> Result<Regex, String> {
    let built = RegexBuilder::new(text)
        .size_limit(SIGMA_REGEX_BYTES_MAX)
        .dfa_size_limit(SIGMA_REGEX_BYTES_MAX)
        .build();
    built.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("it takes more than {limit} bytes"),
        other => {
            let shown = other.to_string();
            let last = shown.lines().last().unwrap_or_default();
            last.trim_start_matches("error: ").to_owned()
        }
    })
}

/// The same expression as the `regex` crate writes it.
pub(super) fn rewritten(text: &str) -> String {
    let mut rewritten = String::with_capacity(text.len());
    let mut rest = text;
    let mut is_in_class = false;
    let mut is_class_start = false;
    while let Some(character) = rest.chars().next() {
        let mut taken = character.len_utf8();
        match character {
            '\\' => {
                let escaped = rest.get(1..).and_then(|rest| rest.chars().next());
                taken += escaped.map_or(0, char::len_utf8);
                match escaped {
                    Some('Z') if !is_in_class => rewritten.push_str(r"\z"),
                    _ => rewritten.push_str(rest.get(..taken).unwrap_or_default()),
                }
            }
            '[' if !is_in_class => {
                is_in_class = true;
                let is_negated = rest.get(1..).is_some_and(|rest| rest.starts_with('^'));
                rewritten.push_str(if is_negated { "[^" } else { "[" });
                taken += usize::from(is_negated);
                is_class_start = true;
                rest = rest.get(taken..).unwrap_or_default();
                continue;
            }
            '[' if !rest.starts_with("[:") => rewritten.push_str(r"\["),
            '[' => {
                let end = rest.find(":]").map_or(taken, |at| at + 2);
                rewritten.push_str(rest.get(..end).unwrap_or_default());
                taken = end;
            }
            ']' if is_class_start => rewritten.push_str(r"\]"),
            ']' if is_in_class => {
                is_in_class = false;
                rewritten.push(']');
            }
            '&' | '~' if is_in_class => rewritten.extend(['\\', character]),
            '{' if !is_in_class && !is_quantifier(rest) => rewritten.push_str(r"\{"),
            _ => rewritten.push(character),
        }
        is_class_start = false;
        rest = rest.get(taken..).unwrap_or_default();
    }
    rewritten
}

/// True for `{3}`, `{3,}` and `{3,5}`.
fn is_quantifier(text: &str) -> bool {
    let inside = text.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(it, _)| it);
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    inside.is_some_and(|inside| match inside.split_once(',') {
        None => !inside.is_empty() && is_digits(inside),
        Some((from, to)) => !from.is_empty() && is_digits(from) && is_digits(to),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(expression: &str, text: &str, expected: bool) {
        let found = compiled(&rewritten(expression)).unwrap().is_match(text.as_bytes());
        assert_eq!(found, expected, "{expression} on {text}");
    }

    #[test]
    fn what_pcre_writes_otherwise_means_the_same() {
        check(r"a{2}", "aa", true);
        check(r"\$\{", "${", true);
        check(r"x{,3}y", "x{,3}y", true);
        check(r"{a}", "{a}", true);
        check(r"[[]x", "[x", true);
        check(r"[]x]+$", "]x]", true);
        check(r"[^]x]", "]x", false);
        check(r"[a&&b]", "&", true);
        check(r"[[:digit:]a]{2}", "7a", true);
        check(r"end\Z", "end", true);
        check(r"[\]]", "]", true);
    }

    #[test]
    fn what_cannot_be_done_in_linear_time_is_refused_with_the_reason() {
        let refused = |text: &str| compiled(&rewritten(text)).unwrap_err();
        assert!(refused("(?=a)").contains("look-around"), "{}", refused("(?=a)"));
        assert!(refused(r"(a)\1").contains("backreferences"), "{}", refused(r"(a)\1"));
        let large = format!("(a{{100}}){{{SIGMA_REGEX_BYTES_MAX}}}");
        assert!(!refused(&large).is_empty());
        assert!(refused("((a{200}){200}){200}").contains("more than"));
    }
}
