//! Detection measured on public sets of payloads, and on texts that merely look like them.
//!
//! The sets lie beside the repository; where they are absent these tests say so and pass. Floors
//! stand just under what was measured, so that a change for the worse is seen.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test stops where it fails, and says what it measured or why it could not"
)]

mod support;

use std::collections::BTreeMap;

use clew_appsec::attack::Class;
use support::{Judge, folder, gotestwaf, lines, request};

/// Classes that count for a rule of the Core Rule Set, by its number.
fn classes(rule: u64) -> &'static [Class] {
    match rule {
        913_000..=913_999 => &[Class::Scanner],
        921_200 => &[Class::Ldap],
        921_240 => &[Class::ServerRequest],
        920_000..=922_999 => &[Class::Protocol],
        930_000..=930_999 => &[Class::Traversal],
        931_000..=931_999 => &[Class::Inclusion, Class::ServerRequest],
        932_300..=932_321 => &[Class::Mail],
        932_160 | 932_161 => &[Class::Command, Class::Traversal],
        932_180 => &[Class::Command, Class::Upload],
        932_000..=932_999 => &[Class::Command],
        933_000..=933_999 | 9_330_000..=9_339_999 => &[Class::Php, Class::Upload],
        934_120 => &[Class::ServerRequest],
        934_140 | 934_180 | 934_200 => &[Class::Template, Class::Command],
        934_220 => &[Class::NoSql],
        934_000..=934_999 => &[Class::Node],
        941_000..=941_999 => &[Class::Script],
        942_000..=942_999 => &[Class::Sql],
        943_000..=943_999 => &[Class::Fixation],
        944_140 => &[Class::Upload],
        944_000..=944_999 => &[Class::Java],
        _ => &[Class::Leak, Class::WebShell, Class::Php],
    }
}

/// Why a case of the Core Rule Set is no case for us; `None` where it counts.
fn skipped(rule: u64, case: u64, is_positive: bool) -> Option<&'static str> {
    match rule {
        911_000..=911_999 => Some("policy: which methods a site takes"),
        920_000..=920_999 | 921_180 | 921_220 | 921_421 | 921_422 | 922_000..=922_999 => {
            Some("policy: form of messages")
        }
        932_301 | 932_321 | 933_161 | 944_300 | 942_420 | 942_421 | 942_460 => {
            Some("paranoia above 2")
        }
        959_100 => Some("a sum of other rules"),
        _ => by_id(rule, case, is_positive),
    }
}

/// Reasons of single cases.
fn by_id(rule: u64, case: u64, is_positive: bool) -> Option<&'static str> {
    match (rule, case, is_positive) {
        (932_207, 3 | 4, false)
        | (932_260, 1..=3, false)
        | (933_100, 24 | 25 | 81 | 86, false)
        | (934_120, 19, false)
        | (941_100, 5, false)
        | (941_140, 14, false)
        | (941_180, 4, false)
        | (942_101, 10 | 11, false)
        | (942_120, 30, false)
        | (942_160, 12, false)
        | (942_360, 29..=31, false)
        | (942_520, 17, false)
        | (942_522, 5, false) => Some("an attack, which another rule of the set tells"),
        (942_380, 15 | 23 | 31..=38, true)
        | (942_361, 5..=8, true)
        | (942_362, 26 | 33, true)
        | (942_521, 3 | 5, true)
        | (953_101, 1..=5, true) => Some("plain words, which attack nothing"),
        (941_120, 10 | 12 | 13, true) | (942_440, 24, true) => {
            Some("signatures of payment services, noted there as false alarms")
        }
        _ => None,
    }
}

/// Share in per mille.
fn share(part: u32, whole: u32) -> u32 {
    (part * 1000).checked_div(whole).unwrap_or(1000)
}

#[test]
fn tells_what_the_core_rule_set_tells() {
    let Some(folder) = folder() else { return };
    let judge = Judge::new();
    let (mut right, mut whole) = ([0_u32; 2], [0_u32; 2]);
    let mut skips: BTreeMap<&str, u32> = BTreeMap::new();
    let mut misses = Vec::new();
    for line in std::fs::read_to_string(folder.join("crs/regression.jsonl")).unwrap().lines() {
        let case: serde_json::Value = serde_json::from_str(line).unwrap();
        let rule = case["rule_id"].as_u64().unwrap_or(0);
        let number = case["test_id"].as_u64().unwrap_or(0);
        let log = &case["output"]["log"];
        let is_positive = !log["expect_ids"].is_null();
        if !is_positive && log["no_expect_ids"].is_null() {
            *skips.entry("says nothing of a rule").or_default() += 1;
            continue;
        }
        if let Some(reason) = skipped(rule, number, is_positive) {
            *skips.entry(reason).or_default() += 1;
            continue;
        }
        let is_reflected = case["input"]["uri"].as_str() == Some("/reflect");
        let found = if is_reflected {
            judge.response(case["input"]["data"].as_str().unwrap_or(""))
        } else {
            judge.request(request(&case["input"]))
        };
        let is_found = found.iter().any(|class| classes(rule).contains(class));
        let kind = usize::from(is_positive);
        whole[kind] += 1;
        if is_found == is_positive {
            right[kind] += 1;
        } else {
            misses.push(format!(
                "{}{rule}-{}",
                if is_positive { "+" } else { "-" },
                case["test_id"]
            ));
        }
    }
    println!("skipped {skips:?}\nwrong {}", misses.join(" "));
    println!("positives {}/{} negatives {}/{}", right[1], whole[1], right[0], whole[0]);
    assert!(975 <= share(right[1], whole[1]));
    assert!(990 <= share(right[0], whole[0]));
}

#[test]
fn tells_sql_and_scripts_of_libinjection() {
    let Some(folder) = folder() else { return };
    let judge = Judge::new();
    for (kind, class, least) in [("sqli-", Class::Sql, 970), ("xss-", Class::Script, 970)] {
        let (mut found, mut whole) = (0, 0);
        for (name, payloads) in lines(&folder.join("libinjection"), kind) {
            let missed: Vec<_> =
                payloads.iter().filter(|it| !judge.coded(it).contains(&class)).collect();
            println!("{name} {}/{}", payloads.len() - missed.len(), payloads.len());
            for it in missed.iter().take(support::shown()) {
                println!("  missed {}", it.chars().take(200).collect::<String>());
            }
            found += u32::try_from(payloads.len() - missed.len()).unwrap();
            whole += u32::try_from(payloads.len()).unwrap();
        }
        println!("{kind} {found}/{whole}");
        assert!(least <= share(found, whole));
    }
}

#[test]
fn says_nothing_of_texts_that_only_look_like_attacks() {
    let Some(folder) = folder() else { return };
    let judge = Judge::new();
    let (_, known) = lines(&folder.join("libinjection"), "false_positives").pop().unwrap();
    let texts = gotestwaf(&folder.join("gotestwaf/false-pos/texts.yml"));
    for (name, texts, most) in [("libinjection", known, 4), ("gotestwaf", texts, 0)] {
        let wrong: Vec<_> = texts
            .iter()
            .map(|it| (it, if name == "gotestwaf" { judge.text(it) } else { judge.coded(it) }))
            .filter(|(_, found)| !found.is_empty())
            .collect();
        for it in &wrong {
            println!("  wrong {it:?}");
        }
        println!("{name} {}/{}", wrong.len(), texts.len());
        assert!(wrong.len() <= most);
    }
}

/// The class of one of GoTestWAF's lists, by the name of its file, and what counts for it.
fn listed(name: &str) -> (&'static str, &'static [Class]) {
    const LISTS: [(&str, &str, &[Class]); 13] = [
        ("user-agent", "scanner", &[Class::Scanner]),
        ("ldap", "LDAP", &[Class::Ldap]),
        ("mail", "mail", &[Class::Mail]),
        ("nosql", "NoSQL", &[Class::NoSql]),
        ("sql", "SQL", &[Class::Sql]),
        ("xss", "script", &[Class::Script]),
        ("lfi", "traversal", &[Class::Traversal]),
        ("traversal", "traversal", &[Class::Traversal]),
        ("ss-include", "server-side include", &[Class::Template, Class::Script, Class::Command]),
        ("sst", "template", &[Class::Template, Class::Java, Class::Node, Class::Php]),
        ("xml", "XML", &[Class::ExternalEntity, Class::Inclusion]),
        ("xxe", "XML", &[Class::ExternalEntity, Class::Inclusion]),
        ("crlf", "split response", &[Class::Protocol]),
    ];
    let is_in = |(part, ..): &&(&str, _, _)| name.contains(part);
    LISTS.iter().find(is_in).map_or(
        ("command", &[Class::Command, Class::Php, Class::Node, Class::Java]),
        |(_, class, classes)| (class, classes),
    )
}

#[test]
fn tells_something_of_what_gotestwaf_sends() {
    let Some(folder) = folder() else { return };
    let judge = Judge::new();
    let mut figures: BTreeMap<&str, [u32; 3]> = BTreeMap::new();
    for part in ["owasp", "community"] {
        let files = std::fs::read_dir(folder.join("gotestwaf").join(part)).unwrap();
        let mut files: Vec<_> = files.map(|it| it.unwrap().path()).collect();
        files.sort();
        for file in files {
            let name = file.file_stem().unwrap().to_string_lossy().into_owned();
            let (class, classes) = listed(&name);
            for payload in gotestwaf(&file) {
                let found = judge.everywhere(&payload, &name);
                let is_of_class = found.iter().any(|class| classes.contains(class));
                let figure = figures.entry(class).or_default();
                figure[0] += u32::from(is_of_class);
                figure[1] += u32::from(!found.is_empty());
                figure[2] += 1;
                if !is_of_class {
                    let head: String = payload.chars().take(200).collect();
                    println!("  {name}: {found:?} {head}");
                }
            }
        }
    }
    println!("| class | told as it | told | of |\n|---|---|---|---|");
    for (class, [as_it, told, of]) in &figures {
        println!("| {class} | {as_it} | {told} | {of} |");
    }
    let [as_it, told, of] =
        figures.values().fold([0; 3], |sum, it| [0, 1, 2].map(|n| sum[n] + it[n]));
    println!("| all | {as_it} | {told} | {of} |");
    assert!(980 <= share(told, of) && 970 <= share(as_it, of));
}
