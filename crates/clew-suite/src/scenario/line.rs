//! One line of a scenario: a verb, perhaps a name, and `key=value` pairs.

use std::collections::BTreeMap;
use std::str::FromStr;

/// A line taken apart. Values are taken out one by one, so that what is left over is a mistake.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) verb: String,
    pub(super) name: Option<String>,
    values: BTreeMap<String, String>,
}

impl Line {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut words = split_words(text, '"')?.into_iter();
        let mut line = Self { verb: words.next().unwrap_or_default(), ..Self::default() };
        for word in words {
            match word.split_once('=') {
                Some((key, value)) => {
                    if line.values.insert(key.to_owned(), value.to_owned()).is_some() {
                        return Err(format!("`{key}` is given twice"));
                    }
                }
                None if line.name.is_none() => line.name = Some(word),
                None => return Err(format!("`{word}` is no `key=value`")),
            }
        }
        Ok(line)
    }

    /// Takes a value out where it was given.
    pub(super) fn take(&mut self, key: &str) -> Option<String> {
        self.values.remove(key)
    }

    /// Takes out all values whose key begins with `prefix`, with the rest of their keys.
    pub(super) fn take_below(&mut self, prefix: &str) -> Vec<(String, String)> {
        let is_below = |key: &String| key.starts_with(prefix);
        let taken = self.values.extract_if(.., |key, _| is_below(key));
        taken.map(|(key, value)| (key.split_at(prefix.len()).1.to_owned(), value)).collect()
    }

    /// Takes a value out that the verb cannot do without.
    pub(super) fn need(&mut self, key: &str) -> Result<String, String> {
        self.take(key).ok_or_else(|| format!("`{}` needs `{key}=`", self.verb))
    }

    /// Takes a value out as what it means, such as a number or an address.
    pub(super) fn take_as<T: FromStr>(&mut self, key: &str) -> Result<Option<T>, String> {
        let parse = |text: String| {
            text.parse().map_err(|_| format!("`{key}={text}` is not what `{key}` takes"))
        };
        self.take(key).map(parse).transpose()
    }

    pub(super) fn need_as<T: FromStr>(&mut self, key: &str) -> Result<T, String> {
        self.take_as(key)?.ok_or_else(|| format!("`{}` needs `{key}=`", self.verb))
    }

    /// Takes out a list of words and adds up the bits that `table` gives them.
    pub(super) fn take_bits(&mut self, key: &str, table: &[(&str, u64)]) -> Result<u64, String> {
        let words = self.take(key).unwrap_or_default();
        let mut bits = 0;
        for word in words.split(',').filter(|word| !word.is_empty()) {
            let (_, bit) = table.iter().find(|(name, _)| *name == word).ok_or_else(|| {
                let names: Vec<_> = table.iter().map(|(name, _)| *name).collect();
                format!("`{word}` is not among `{key}`: {}", names.join(", "))
            })?;
            bits |= bit;
        }
        Ok(bits)
    }

    /// Complains of what no one took.
    pub(super) fn finish(self) -> Result<(), String> {
        match self.values.into_keys().next() {
            Some(key) => Err(format!("`{}` does not take `{key}=`", self.verb)),
            None => Ok(()),
        }
    }
}

/// Splits at blanks that are not between two of `quote`; the quotes go.
pub(super) fn split_words(text: &str, quote: char) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut is_quoted = false;
    for character in text.chars() {
        if character == quote {
            is_quoted = !is_quoted;
            word.get_or_insert_default();
        } else if character.is_whitespace() && !is_quoted {
            words.extend(word.take());
        } else {
            word.get_or_insert_default().push(character);
        }
    }
    if is_quoted {
        return Err(format!("a {quote} is not closed"));
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quoted_value_keeps_its_blanks() {
        let mut line = Line::parse(r#"exec pid=7 args="sh -c 'a; b'""#).unwrap();
        assert_eq!(line.verb, "exec");
        assert_eq!(line.need("args").unwrap(), "sh -c 'a; b'");
        assert_eq!(line.need_as::<u32>("pid"), Ok(7));
        assert_eq!(line.finish(), Ok(()));
    }

    #[test]
    fn every_mistake_is_named() {
        let check = |text: &str, key: &str, reason: &str| {
            let outcome = Line::parse(text).and_then(|mut line| {
                line.need_as::<u32>(key)?;
                line.finish()
            });
            assert_eq!(outcome, Err(reason.to_owned()));
        };
        check("open pid=1 pid=2", "pid", "`pid` is given twice");
        check("open name rest", "pid", "`rest` is no `key=value`");
        check("open", "pid", "`open` needs `pid=`");
        check("open pid=x", "pid", "`pid=x` is not what `pid` takes");
        check("open pid=1 color=red", "pid", "`open` does not take `color=`");
        check("open pid=\"1", "pid", "a \" is not closed");
    }

    #[test]
    fn words_of_a_list_add_up() {
        let table = [("read", 1), ("write", 2)];
        let take = |text: &str| Line::parse(text).unwrap().take_bits("flags", &table);
        assert_eq!(take("open flags=read,write"), Ok(3));
        assert_eq!(take("open"), Ok(0));
        assert_eq!(take("open flags=run"), Err("`run` is not among `flags`: read, write".into()));
    }
}
