//! Text of a watched machine inside Markdown, so that none of it is markup.
//!
//! Sentences quote names in back-ticks, and an attacker chooses names: a link, an image that
//! calls home or a row of a table must not come of them. What stands between two back-ticks stays
//! code, which is inert; all else is escaped. Where an attacker adds back-ticks, other parts are
//! code and none is markup.

/// One line of text whose back-ticks may quote.
pub(super) fn prose(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let mut out = String::with_capacity(text.len() + 16);
    // The last back-tick of an odd number opens nothing.
    let is_odd = parts.len().is_multiple_of(2);
    for (index, part) in parts.iter().enumerate() {
        let is_last = index + 1 == parts.len();
        match (index % 2 == 1, is_last && is_odd) {
            (true, true) => {
                out.push_str("\\`");
                escape(&mut out, part);
            }
            (true, false) => out.push_str(&code(part)),
            (false, _) => escape(&mut out, part),
        }
    }
    out
}

/// A name as code; `–` where there is none.
pub(super) fn code(name: &str) -> String {
    let name = clew_event::text::escaped(name.as_bytes()).replace('`', "'");
    let name = name.trim();
    if name.is_empty() {
        return "–".to_owned();
    }
    // A bar ends a cell even in code, unless it is escaped; outside tables that shows a `\`.
    format!("`{}`", name.replace('|', "\\|"))
}

fn escape(out: &mut String, text: &str) {
    let text = clew_event::text::escaped(text.as_bytes());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '#' | '|' | '~' | '!' | '&'
            | '$' | '@' => {
                out.push('\\');
                out.push(character);
            }
            // Bare addresses become links.
            ':' if characters.peek() == Some(&'/') => out.push_str("&#58;"),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_an_attacker_names_is_markup() {
        let check = |text: &str, shown: &str| assert_eq!(prose(text), shown);
        check("`cat` (pid 1) read a_b", "`cat` (pid 1) read a\\_b");
        check("![x](http://h/b.png)", "\\!\\[x\\](http&#58;//h/b.png)");
        check("a`b", "a\\`b");
        check("`a`![x](y)`", "`a`\\!\\[x\\](y)\\`");
        check("x | y <script>", "x \\| y \\<script\\>");
        check("a\nb", "a\\\\x0ab");
    }

    #[test]
    fn a_name_stays_inside_its_code_and_its_cell() {
        assert_eq!(code("a`|b\n"), "`a'\\|b\\x0a`");
        assert_eq!(code(" "), "–");
    }
}
