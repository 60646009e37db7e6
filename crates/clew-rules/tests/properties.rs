//! What holds of any text and any event.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic, in its helpers too"
)]

mod common;

use std::net::IpAddr;

use clew_event::{FieldValue, Scalar};
use clew_rules::SourceFile;
use clew_rules::explain::{Explained, Explainer, PartKind};
use common::{Fields, load_text, matching, rule_file};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A condition as a tree, judged by walking it.
#[derive(Clone, Debug)]
enum Naive {
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    Check { field: &'static str, operator: &'static str, values: Vec<&'static str> },
}

const TEXTS: [&str; 9] = ["sh", "bash", "ba", "/etc", "/etc/ssh", "/usr/bin/bash", "SH", "a b", ""];
const NUMBERS: [&str; 5] = ["0", "1", "-1", "80", "443"];
const ADDRESSES: [&str; 5] = ["10.0.0.1", "10.0.0.4", "10.129.2.3", "::1", "fe80::1"];
const NETWORKS: [&str; 4] = ["10.0.0.0/8", "10.0.0.0/30", "::/0", "fe80::/10"];
const PATTERNS: [&str; 6] = ["*", "ba*", "?h", "/etc/*", "*b*s*", "[a-b]*"];
const TEXT_FIELDS: [&str; 4] = ["proc.name", "fd.name", "proc.aname", "evt.type"];

const BOTH: [&str; 6] = ["=", "!=", "<", "<=", ">", ">="];
const EQUALITY: [&str; 2] = ["=", "!="];
const PARTS: [&str; 4] = ["contains", "icontains", "startswith", "endswith"];

fn one_of(values: &'static [&'static str]) -> BoxedStrategy<Vec<&'static str>> {
    select(values).prop_map(|value| vec![value]).boxed()
}

fn several(values: &'static [&'static str]) -> BoxedStrategy<Vec<&'static str>> {
    vec(select(values), 0..4).boxed()
}

/// Comparisons of `fields` by `operators` with `values`.
fn checks(
    fields: &'static [&'static str],
    operators: &'static [&'static str],
    values: BoxedStrategy<Vec<&'static str>>,
) -> BoxedStrategy<Naive> {
    (select(fields), select(operators), values)
        .prop_map(|(field, operator, values)| Naive::Check { field, operator, values })
        .boxed()
}

fn check() -> impl Strategy<Value = Naive> {
    const PLAIN: &[&str] = &["proc.name", "fd.name", "proc.aname"];
    prop_oneof![
        checks(PLAIN, &BOTH, one_of(&TEXTS)),
        checks(PLAIN, &PARTS, one_of(&TEXTS)),
        checks(PLAIN, &["glob"], one_of(&PATTERNS)),
        checks(PLAIN, &["in"], several(&TEXTS)),
        checks(PLAIN, &["pmatch"], several(&["/etc", "/usr", "/", "/*/bin"])),
        checks(PLAIN, &["exists"], Just(Vec::new()).boxed()),
        checks(&["evt.type"], &EQUALITY, one_of(&["open", "execve", "connect"])),
        checks(&["evt.type"], &["in"], several(&["open", "execve", "connect"])),
        checks(&["evt.rawres"], &BOTH, one_of(&NUMBERS)),
        checks(&["evt.rawres"], &["in"], several(&NUMBERS)),
        checks(&["fd.port"], &BOTH, one_of(&["0", "80", "443"])),
        checks(&["fd.ip"], &EQUALITY, one_of(&ADDRESSES)),
        checks(&["fd.ip"], &["in"], several(&ADDRESSES)),
        checks(&["fd.net"], &EQUALITY, one_of(&NETWORKS)),
        checks(&["fd.snet"], &["in"], several(&NETWORKS)),
        checks(&["evt.is_open_read"], &EQUALITY, one_of(&["true", "false"])),
    ]
}

fn condition() -> impl Strategy<Value = Naive> {
    check().prop_recursive(5, 40, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 1..4).prop_map(Naive::All),
            vec(inner.clone(), 1..4).prop_map(Naive::Any),
            inner.prop_map(|inner| Naive::Not(Box::new(inner))),
        ]
    })
}

impl Naive {
    fn text(&self) -> String {
        let join = |parts: &[Self], word: &str| {
            let texts: Vec<String> = parts.iter().map(Self::text).collect();
            format!("({})", texts.join(word))
        };
        match self {
            Self::All(parts) => join(parts, " and "),
            Self::Any(parts) => join(parts, " or "),
            Self::Not(part) => format!("not {}", part.text()),
            Self::Check { field, operator: "exists", .. } => format!("{field} exists"),
            Self::Check { field, operator, values } => {
                let quoted: Vec<String> = values.iter().map(|v| format!("\"{v}\"")).collect();
                match *operator {
                    "in" | "pmatch" => format!("{field} {operator} ({})", quoted.join(", ")),
                    // Order takes bare numbers only.
                    "<" | "<=" | ">" | ">=" => format!("{field} {operator} {}", values[0]),
                    _ => format!("{field} {operator} {}", quoted[0]),
                }
            }
        }
    }

    /// Order on texts needs a number on the right side in the grammar.
    fn is_writable(&self) -> bool {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().all(Self::is_writable),
            Self::Not(part) => part.is_writable(),
            Self::Check { field, operator, .. } => {
                !(TEXT_FIELDS.contains(field) && ["<", "<=", ">", ">="].contains(operator))
            }
        }
    }

    fn holds(&self, event: &Event) -> bool {
        match self {
            Self::All(parts) => parts.iter().all(|part| part.holds(event)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(event)),
            Self::Not(part) => !part.holds(event),
            Self::Check { field, operator, values } => event.passes(field, operator, values),
        }
    }
}

/// An event as plain values.
#[derive(Clone, Debug)]
struct Event {
    event_type: &'static str,
    name: Option<&'static str>,
    path: Option<&'static str>,
    ancestors: Option<Vec<&'static str>>,
    result: Option<i64>,
    ports: Option<[u64; 2]>,
    addresses: Option<[&'static str; 2]>,
    is_read: Option<bool>,
}

fn event() -> impl Strategy<Value = Event> {
    let text = || proptest::option::of(select(&TEXTS[..]));
    let ancestors = proptest::option::of(vec(select(&TEXTS[..]), 0..3));
    let result = proptest::option::of(select(&[-1_i64, 0, 1, 80][..]));
    let port = || select(&[0_u64, 80, 443][..]);
    let ports = proptest::option::of([port(), port()]);
    let addresses = proptest::option::of([select(&ADDRESSES[..]), select(&ADDRESSES[..])]);
    let event_type = select(&["open", "execve", "connect", "close"][..]);
    let is_read = proptest::option::of(any::<bool>());
    (event_type, text(), text(), ancestors, result, ports, addresses, is_read).prop_map(
        |(event_type, name, path, ancestors, result, ports, addresses, is_read)| Event {
            event_type,
            name,
            path,
            ancestors,
            result,
            ports,
            addresses,
            is_read,
        },
    )
}

impl Event {
    fn fields(&self) -> Fields {
        let text = |text: &str| Scalar::Text(text.as_bytes().to_vec().into());
        let one =
            |value: Option<Scalar<'static>>| value.map_or(FieldValue::Missing, FieldValue::One);
        let many = |values: Option<Vec<Scalar<'static>>>| {
            values.map_or(FieldValue::Missing, FieldValue::Many)
        };
        let address = |text: &&str| Scalar::Ip(text.parse().unwrap());
        Fields::default()
            .with_text("evt.type", self.event_type)
            .with("proc.name", one(self.name.map(text)))
            .with("fd.name", one(self.path.map(text)))
            .with(
                "proc.aname",
                many(self.ancestors.as_ref().map(|a| a.iter().map(|t| text(t)).collect())),
            )
            .with("evt.rawres", one(self.result.map(Scalar::Signed)))
            .with("fd.port", many(self.ports.map(|p| p.map(Scalar::Unsigned).to_vec())))
            .with("fd.ip", many(self.addresses.map(|a| a.iter().map(address).collect())))
            .with("fd.net", many(self.addresses.map(|a| a.iter().map(address).collect())))
            .with("fd.snet", one(self.addresses.map(|[_, server]| address(&server))))
            .with("evt.is_open_read", one(self.is_read.map(Scalar::Bool)))
    }

    fn passes(&self, field: &str, operator: &str, values: &[&str]) -> bool {
        match field {
            "evt.type" => passes_text(self.event_type, operator, values),
            "proc.name" => self.name.is_some_and(|t| passes_text(t, operator, values)),
            "fd.name" => self.path.is_some_and(|t| passes_text(t, operator, values)),
            "proc.aname" => self.ancestors.as_ref().is_some_and(|ancestors| {
                operator == "exists" || ancestors.iter().any(|t| passes_text(t, operator, values))
            }),
            "evt.rawres" => self.result.is_some_and(|n| passes_number(n, operator, values)),
            "evt.is_open_read" => self
                .is_read
                .is_some_and(|flag| (flag.to_string() == values[0]) == (operator == "=")),
            "fd.port" => self.ports.is_some_and(|ports| {
                let passes = |port: &u64| passes_number(port.cast_signed(), operator, values);
                if operator == "!=" { ports.iter().all(passes) } else { ports.iter().any(passes) }
            }),
            "fd.ip" => self.addresses.is_some_and(|addresses| {
                let is_in = |address: &&str| values.contains(address);
                if operator == "!=" {
                    !addresses.iter().any(is_in)
                } else {
                    addresses.iter().any(is_in)
                }
            }),
            "fd.net" => self.addresses.is_some_and(|addresses| {
                let is_in = |address: &&str| values.iter().any(|net| lies_in(address, net));
                if operator == "!=" {
                    !addresses.iter().any(is_in)
                } else {
                    addresses.iter().any(is_in)
                }
            }),
            "fd.snet" => self
                .addresses
                .is_some_and(|[_, server]| values.iter().any(|net| lies_in(server, net))),
            _ => unreachable!("{field}"),
        }
    }
}

fn passes_text(text: &str, operator: &str, values: &[&str]) -> bool {
    match operator {
        "exists" => true,
        "in" => values.contains(&text),
        "pmatch" => values.iter().any(|prefix| has_path_prefix(text, prefix)),
        "=" => text == values[0],
        "!=" => text != values[0],
        "contains" => text.contains(values[0]),
        "icontains" => text.to_lowercase().contains(&values[0].to_lowercase()),
        "startswith" => text.starts_with(values[0]),
        "endswith" => text.ends_with(values[0]),
        "glob" => matches_glob(values[0].as_bytes(), text.as_bytes()),
        _ => unreachable!("{operator}"),
    }
}

fn passes_number(number: i64, operator: &str, values: &[&str]) -> bool {
    let constants: Vec<i64> = values.iter().map(|value| value.parse().unwrap()).collect();
    match operator {
        "in" => constants.contains(&number),
        "=" => number == constants[0],
        "!=" => number != constants[0],
        "<" => number < constants[0],
        "<=" => number <= constants[0],
        ">" => number > constants[0],
        ">=" => number >= constants[0],
        _ => unreachable!("{operator}"),
    }
}

fn has_path_prefix(path: &str, prefix: &str) -> bool {
    let split = |text: &str| -> Vec<String> {
        text.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (path, prefix) = (split(path), split(prefix));
    prefix.len() <= path.len()
        && prefix.iter().zip(&path).all(|(p, t)| matches_glob(p.as_bytes(), t.as_bytes()))
}

fn matches_glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|from| matches_glob(rest, &text[from..])),
        [b'?', rest @ ..] => !text.is_empty() && matches_glob(rest, &text[1..]),
        [b'[', b'a', b'-', b'b', b']', rest @ ..] => {
            matches!(text.first(), Some(b'a' | b'b')) && matches_glob(rest, &text[1..])
        }
        [byte, rest @ ..] => text.first() == Some(byte) && matches_glob(rest, &text[1..]),
    }
}

fn lies_in(address: &str, network: &str) -> bool {
    let bits = |address: IpAddr| -> Vec<bool> {
        let bytes = match address {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)).collect()
    };
    let (network, length) = network.split_once('/').unwrap();
    let (address, network) = (bits(address.parse().unwrap()), bits(network.parse().unwrap()));
    let length: usize = length.parse().unwrap();
    address.len() == network.len() && address[..length] == network[..length]
}

/// The verdict as it follows from the parts that are said to decide, and from no other.
fn by_deciding_parts(part: &Explained) -> bool {
    let mut deciding = part.parts.iter().filter(|part| part.decides).map(by_deciding_parts);
    match part.kind {
        PartKind::Check => part.holds,
        PartKind::And | PartKind::Macro | PartKind::Search | PartKind::Rule => {
            deciding.all(|holds| holds)
        }
        PartKind::Or | PartKind::Correlation => deciding.any(|holds| holds),
        PartKind::Not => deciding.all(|holds| !holds),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_graph_gives_the_verdict_of_the_tree(
        conditions in vec(condition().prop_filter("writable", Naive::is_writable), 1..6),
        events in vec(event(), 1..8),
    ) {
        let mut text = String::new();
        for (number, condition) in conditions.iter().enumerate() {
            // Every other condition is a macro, so that parts are shared between rules.
            let condition = condition.text();
            text.push_str(&format!(
                "- macro: m{number}\n  condition: {condition:?}\n\
                 - rule: r{number}\n  desc: d\n  output: o\n  priority: info\n  condition: ",
            ));
            text.push_str(&match number % 3 {
                0 => format!("{condition:?}\n"),
                1 => format!("m{number}\n"),
                _ => format!("not (not m{number} or not m{})\n", number - 1),
            });
        }
        let mut loaded = load_text(&text);
        prop_assert_eq!(loaded.error_count(), 0, "{:#?}\n{}", loaded.diagnostics, text);
        let files = [SourceFile { name: "rules.yaml".into(), text: text.clone() }];
        let explainer = |number| Explainer::new(&files, &format!("r{number}")).unwrap();
        let explainers: Vec<Explainer> = (0..conditions.len()).map(explainer).collect();
        for event in &events {
            let expected: Vec<String> = (0..conditions.len())
                .filter(|&number| {
                    let holds = |number: usize| conditions[number].holds(event);
                    holds(number) && (number % 3 != 2 || holds(number - 1))
                })
                .map(|number| format!("r{number}"))
                .collect();
            let found = matching(&mut loaded, &event.fields(), event.event_type);
            prop_assert_eq!(&found, &expected, "{:?}\n{}", event, text);
            let fields = event.fields();
            for explainer in &explainers {
                let explained = explainer.explain(&fields);
                let is_found = found.iter().any(|rule| rule == explainer.name());
                prop_assert_eq!(explained.holds, is_found, "{:#?}\n{}", explained, text);
                prop_assert_eq!(by_deciding_parts(&explained), is_found, "{:#?}", explained);
            }
        }
    }

    #[test]
    fn no_text_makes_the_reader_of_files_panic(text in ".{0,200}") {
        drop(load_text(&text));
    }

    #[test]
    fn no_condition_makes_the_parser_panic(
        parts in vec(select(&[
            "proc.name", "evt.arg.flags", "fd.ip", " ", "=", "!=", "<=", "(", ")", "[", "]", ",",
            "in", "and", "or", "not", "exists", "'", "\"", "\\", "\\x", "0x1", "1.5e+3", "val(",
            "tolower(", "join(", "getopt(", "anyof", "pmatch", "regex ", "glob ", "\n", "\u{e9}",
            "a*", "evt.type", "open", "macro", "startswith ", "10.0.0.0/8", "fd.net", "true",
        ][..]), 0..24),
    ) {
        let loaded = load_text(&rule_file(&parts.concat()));
        for diagnostic in &loaded.diagnostics {
            prop_assert!(!clew_rules::render(diagnostic, &rule_file(&parts.concat())).is_empty());
        }
    }

    #[test]
    fn any_bytes_can_be_judged_by_regular_expressions_and_patterns(text in vec(any::<u8>(), 0..40)) {
        let condition = r#"proc.name regex "[a-z]+.*" or proc.name glob "*[!a]?*" or proc.name icontains "X""#;
        let mut loaded = load_text(&rule_file(condition));
        prop_assert_eq!(loaded.error_count(), 0);
        let value = FieldValue::One(Scalar::Text(text.into()));
        drop(matching(&mut loaded, &Fields::default().with("proc.name", value), "open"));
    }
}
