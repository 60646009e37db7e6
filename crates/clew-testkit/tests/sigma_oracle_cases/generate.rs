//! Rules over all modifiers and kinds of conditions, and events near what they look for.
//!
//! The same for each seed. An event takes about half of its values from what the rule's items want,
//! so that both verdicts are frequent.

use serde_json::{Map, Value, json};

use super::encoding;
use super::naive::Piece;

/// A sequence of numbers that only the seed decides.
#[derive(Debug)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % limit
    }

    fn one_of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    fn is_one_in(&mut self, number: usize) -> bool {
        self.below(number) == 0
    }
}

const FIELDS: [&str; 7] = ["a", "b", "c", "n.x", "n.y.z", "list", "objects.name"];
const TEXTS: [&str; 22] = [
    "abc",
    "aBc",
    "ABC",
    "a*c",
    "a?c",
    "*",
    "?",
    "",
    "x",
    r"a\*c",
    r"a\?c",
    r"C:\Dir\x",
    r"C:\Dir\\*",
    r"\\\\host",
    r"a\\\*",
    "7",
    "true",
    "caf\u{e9}",
    "CAF\u{c9}",
    "a b",
    "ab*",
    "*bc",
];
const PLAIN: [&str; 7] = ["abc", "aBc", "cmd", "/bin/bash", "ping 1", "x", "caf\u{e9}"];
const REGEXES: [&str; 9] = ["b", "^a", "c$", "^a.c$", "[A-Z]+", r"\d", "(abc|x)", "^$", r"C:\\Dir"];
const ADDRESSES: [&str; 8] = [
    "10.0.0.7",
    "10.1.2.3",
    "192.168.1.255",
    "8.8.8.8",
    "2001:db8::1",
    "fe80::1",
    "::1",
    "amazon.com",
];
const NETWORKS: [&str; 6] =
    ["10.0.0.0/8", "192.168.1.0/24", "8.8.8.8/32", "0.0.0.0/0", "2001:db8::/32", "fe80::/10"];
const TIMES: [&str; 6] = [
    "2026-08-05T14:03:11Z",
    "2024-12-30T00:00:00Z",
    "2021-01-03T23:59:59Z",
    "2020-12-31T12:30:00Z",
    "2026-01-01T07:07:07Z",
    "not a time",
];

/// The detection of a rule, and values that its items want of fields.
#[derive(Debug)]
pub(crate) struct Generated {
    pub(crate) detection: Value,
    wanted: Vec<(String, Value)>,
}

pub(crate) fn rule(random: &mut Random) -> Generated {
    let mut wanted = Vec::new();
    let mut detection = Map::new();
    let names = ["sel_a", "sel_b", "filter", "_hidden"];
    let count = 1 + random.below(names.len());
    let names = &names[..count];
    for name in names {
        detection.insert((*name).to_owned(), search(random, &mut wanted));
    }
    let condition = condition(random, names, 3);
    detection.insert("condition".to_owned(), json!(condition));
    Generated { detection: Value::Object(detection), wanted }
}

fn condition(random: &mut Random, names: &[&str], depth: usize) -> String {
    let leaf = |random: &mut Random| match random.below(6) {
        0 => "1 of them".to_owned(),
        1 => "all of sel_*".to_owned(),
        2 => "1 of sel*".to_owned(),
        3 if names[0].starts_with("sel") => "all of them".to_owned(),
        _ => (*random.one_of(names)).to_owned(),
    };
    if depth == 0 {
        return leaf(random);
    }
    match random.below(7) {
        0 => format!("not {}", leaf(random)),
        1 => format!("not ({})", condition(random, names, depth - 1)),
        2 => {
            let [one, other] = [(); 2].map(|()| condition(random, names, depth - 1));
            format!("{one} and {other}")
        }
        3 => {
            let [one, other] = [(); 2].map(|()| condition(random, names, depth - 1));
            format!("({one} or {other}) and {}", leaf(random))
        }
        4 => format!("{} or {}", leaf(random), condition(random, names, depth - 1)),
        _ => leaf(random),
    }
}

fn search(random: &mut Random, wanted: &mut Vec<(String, Value)>) -> Value {
    match random.below(8) {
        0 => json!([map(random, wanted), map(random, wanted)]),
        1 => {
            let words: Vec<&str> = (0..=random.below(2)).map(|_| *random.one_of(&PLAIN)).collect();
            wanted.push(("c".to_owned(), json!(format!("the {} there", words[0]))));
            json!(words)
        }
        _ => map(random, wanted),
    }
}

fn map(random: &mut Random, wanted: &mut Vec<(String, Value)>) -> Value {
    let mut items = Map::new();
    for _ in 0..=random.below(2) {
        let field = *random.one_of(&FIELDS);
        let (modifiers, values, value) = item(random);
        let negation = if random.is_one_in(12) && modifiers != "|exists" { "|neq" } else { "" };
        items.insert(format!("{field}{modifiers}{negation}"), values);
        wanted.push((field.to_owned(), value));
        if modifiers.starts_with("|fieldref") {
            wanted.push(("b".to_owned(), json!("abc")));
        }
    }
    Value::Object(items)
}

/// Modifiers, values, and a value that passes (mostly).
fn item(random: &mut Random) -> (String, Value, Value) {
    match random.below(12) {
        0 | 1 => several(random, ""),
        2 | 3 => {
            let place = *random.one_of(&["|contains", "|startswith", "|endswith"]);
            let more = *random.one_of(&["", "", "|all", "|cased"]);
            several(random, &format!("{place}{more}"))
        }
        4 => {
            let flags = *random.one_of(&["", "|i", "|m", "|s", "|i|s"]);
            let passing = *random.one_of(&["abc", "xABCx", "a\nc", "x\nabc", r"C:\Dir\7", ""]);
            (format!("|re{flags}"), json!(random.one_of(&REGEXES)), json!(passing))
        }
        5 => encoded(random),
        6 => {
            let dash = *random.one_of(&["-", "/", "\u{2013}", "\u{2014}", "\u{2015}"]);
            let text = *random.one_of(&[" -a", "-enc x", "x-y /z", "/s", "- a"]);
            (
                "|windash|contains".into(),
                json!(text),
                json!(format!("cmd {}", text.replacen('-', dash, 1))),
            )
        }
        7 => {
            let networks = [*random.one_of(&NETWORKS), *random.one_of(&NETWORKS)];
            ("|cidr".into(), json!(networks), json!(random.one_of(&ADDRESSES)))
        }
        8 => {
            let order = *random.one_of(&["|lt", "|lte", "|gt", "|gte"]);
            let number = *random.one_of(&["5", "5.5", "-3", "0", "1000000"]);
            let number: Value = serde_json::from_str(number).unwrap_or_default();
            let passing =
                random.one_of(&[json!(5), json!(6), json!(-3), json!(5.5), json!("7")]).clone();
            (order.into(), number, passing)
        }
        9 => ("|exists".into(), json!(random.is_one_in(2)), json!("x")),
        10 => match random.below(3) {
            0 => {
                let place =
                    *random.one_of(&["", "|contains", "|startswith", "|endswith", "|cased"]);
                (
                    format!("|fieldref{place}"),
                    json!("b"),
                    json!(random.one_of(&["abc", "ABC", "xabc", "abcx"])),
                )
            }
            _ => {
                let values = [
                    json!(null),
                    json!(""),
                    json!(7),
                    json!(true),
                    json!(-3),
                    json!([null, "abc"]),
                ];
                let value = random.one_of(&values).clone();
                let passing = if value.is_array() { json!("ABC") } else { value.clone() };
                (String::new(), value, passing)
            }
        },
        _ => {
            let part = *random.one_of(&["minute", "hour", "day", "week", "month", "year"]);
            let number = *random.one_of(&[3_i32, 14, 5, 32, 8, 2026, 1, 53, 2024]);
            let order = *random.one_of(&["", "", "|gte"]);
            (format!("|{part}{order}"), json!(number), json!(random.one_of(&TIMES)))
        }
    }
}

fn several(random: &mut Random, modifiers: &str) -> (String, Value, Value) {
    let values: Vec<&str> = (0..=random.below(3)).map(|_| *random.one_of(&TEXTS)).collect();
    let passing = values[random.below(values.len())].replace('*', "yy").replace('?', "q");
    (modifiers.to_owned(), json!(values), json!(passing))
}

fn encoded(random: &mut Random) -> (String, Value, Value) {
    let chain = *random.one_of(&[
        "|base64",
        "|base64|contains",
        "|base64offset|contains",
        "|wide|base64offset|contains",
        "|utf16le|base64",
        "|utf16be|base64offset|contains",
        "|utf16|base64|contains",
    ]);
    let text = *random.one_of(&PLAIN);
    let modifiers: Vec<&str> = chain.split('|').skip(1).collect();
    let forms = encoding::patterns(text, &modifiers, &[]).unwrap_or_default();
    let form: String = forms[random.below(forms.len())]
        .iter()
        .map(|piece| if let Piece::One(it) = piece { *it } else { '*' })
        .collect();
    let shown = if random.is_one_in(3) { format!("x{form}y") } else { form };
    (chain.to_owned(), json!(text), json!(shown))
}

/// An event that holds some of what the rule looks for.
pub(crate) fn event(random: &mut Random, rule: &Generated) -> Value {
    let mut event = json!({"kept": "there"});
    for field in FIELDS {
        let of: Vec<&Value> =
            rule.wanted.iter().filter(|(name, _)| name == field).map(|(_, it)| it).collect();
        let value = match random.below(8) {
            0 => continue,
            1 => other(random),
            2 if !of.is_empty() => json!([scalar(random), random.one_of(&of)]),
            3 => case_changed(
                (*random.one_of(&of.iter().copied().chain([&json!("abc")]).collect::<Vec<_>>()))
                    .clone(),
            ),
            _ if of.is_empty() => other(random),
            _ => (*random.one_of(&of)).clone(),
        };
        put(&mut event, field, value);
    }
    event
}

fn scalar(random: &mut Random) -> Value {
    random.one_of(&[json!(null), json!(7), json!(true), json!("abc"), json!("zzz")]).clone()
}

fn other(random: &mut Random) -> Value {
    match random.below(7) {
        0 => json!([]),
        1 => json!(["x", "abc", 5]),
        _ => scalar(random),
    }
}

fn case_changed(value: Value) -> Value {
    match value {
        Value::String(text) => json!(text.to_uppercase()),
        other => other,
    }
}

/// Under `objects` stands a list of two objects.
fn put(event: &mut Value, path: &str, value: Value) {
    if path == "objects.name" {
        event["objects"] = json!([{"name": value, "other": 1}, {"other": 2}]);
        return;
    }
    let mut place = event;
    for name in path.split('.') {
        place = &mut place[name];
    }
    *place = value;
}
