//! Nanoseconds that judging one event takes, by event type, with Falco's stable rules.
//!
//! The events are benign ones of a busy container: nothing matches, as nearly always. Fields are
//! borrowed from constants, so that what is measured is the rules. The rule file is looked for
//! under `$CLEW_SHARED`, or in `shared/` beside the repository; without it nothing is measured.
#![allow(missing_docs, reason = "criterion's macros make functions without any")]
#![expect(
    clippy::expect_used,
    reason = "a benchmark that cannot read its input has nothing to say"
)]

use std::hint::black_box;
use std::path::{Path, PathBuf};

use clew_event::{EventType, FieldArgument, FieldId, FieldSource, FieldValue, Scalar};
use clew_rules::{Options, RuleSet, SourceFile, load};
use criterion::{Criterion, criterion_group, criterion_main};

/// A benign event: `ls`, started by a shell in a container, doing something to a file.
struct Benign {
    event_type: EventType,
}

impl FieldSource for Benign {
    fn field(&self, id: FieldId, argument: &FieldArgument) -> FieldValue<'_> {
        let text = |text: &'static str| FieldValue::from(text);
        let is_socket = matches!(
            self.event_type,
            EventType::Connect | EventType::Accept4 | EventType::Sendto | EventType::Socket
        );
        match id {
            FieldId::EvtType => FieldValue::from(self.event_type.name()),
            FieldId::EvtRawres | FieldId::FdNum => FieldValue::One(Scalar::Signed(3)),
            FieldId::EvtRes => text("SUCCESS"),
            FieldId::EvtIsOpenRead => FieldValue::One(Scalar::Bool(true)),
            FieldId::EvtIsOpenWrite | FieldId::EvtIsOpenExec => {
                FieldValue::One(Scalar::Bool(false))
            }
            FieldId::FdTypechar => text(if is_socket { "4" } else { "f" }),
            FieldId::FdType => text(if is_socket { "ipv4" } else { "file" }),
            FieldId::FdName if is_socket => text("10.0.0.7:40312->10.0.0.9:443"),
            FieldId::FdName | FieldId::FdNameraw => text("/usr/lib/x86_64-linux-gnu/libc.so.6"),
            FieldId::FdDirectory => text("/usr/lib/x86_64-linux-gnu"),
            FieldId::FdFilename => text("libc.so.6"),
            FieldId::FdL4proto if is_socket => text("tcp"),
            FieldId::FdSport if is_socket => FieldValue::One(Scalar::Unsigned(443)),
            FieldId::FdNet | FieldId::FdIp if is_socket => FieldValue::Many(vec![
                Scalar::Ip([10, 0, 0, 7].into()),
                Scalar::Ip([10, 0, 0, 9].into()),
            ]),
            FieldId::FdSip | FieldId::FdSnet if is_socket => {
                FieldValue::One(Scalar::Ip([10, 0, 0, 9].into()))
            }
            FieldId::ProcName => text("ls"),
            FieldId::ProcExe => text("/usr/bin/ls"),
            FieldId::ProcExepath => text("/usr/bin/ls"),
            FieldId::ProcArgs => text("-la --color=auto /srv/www/html"),
            FieldId::ProcCmdline => text("ls -la --color=auto /srv/www/html"),
            FieldId::ProcPname => text("bash"),
            FieldId::ProcPexe => text("bash"),
            FieldId::ProcPcmdline => text("bash /srv/bin/rotate.sh"),
            FieldId::ProcAname => match argument {
                FieldArgument::Index(1) => text("bash"),
                FieldArgument::Index(2) => text("cron"),
                _ => FieldValue::Missing,
            },
            FieldId::ProcTty => FieldValue::One(Scalar::Unsigned(0)),
            FieldId::ProcIsExeUpperLayer | FieldId::ProcIsExeFromMemfd => {
                FieldValue::One(Scalar::Bool(false))
            }
            FieldId::ContainerId => text("3ad7b26ded6d"),
            FieldId::ContainerImageRepository => text("docker.io/library/nginx"),
            FieldId::ContainerPrivileged => FieldValue::One(Scalar::Bool(false)),
            FieldId::UserName => text("www-data"),
            FieldId::UserUid => FieldValue::One(Scalar::Unsigned(33)),
            _ => FieldValue::Missing,
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a benchmark is told by the environment where data lies"
)]
fn rule_files() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let folder = std::env::var_os("CLEW_SHARED").map_or(beside, PathBuf::from);
    folder.join("data/falco-rules")
}

fn read(names: &[&str]) -> Option<RuleSet> {
    let files: Option<Vec<SourceFile>> = names
        .iter()
        .map(|name| {
            let text = std::fs::read_to_string(rule_files().join(name)).ok()?;
            Some(SourceFile { name: (*name).to_owned(), text })
        })
        .collect();
    Some(load(&files?, &Options::default()).rules)
}

#[expect(clippy::print_stderr, reason = "what is not measured is said")]
fn judge(criterion: &mut Criterion) {
    let all = ["falco_rules.yaml", "falco-incubating_rules.yaml", "falco-sandbox_rules.yaml"];
    let sets = [("stable", &all[..1]), ("all", &all[..])];
    let types = [
        EventType::Execve,
        EventType::Openat,
        EventType::Connect,
        EventType::Accept4,
        EventType::Sendto,
        EventType::Unlinkat,
        EventType::Dup2,
        EventType::Clone,
        EventType::Close,
    ];
    for (name, files) in sets {
        let Some(mut rules) = read(files) else {
            eprintln!("SKIPPED: no rule files at {}; set CLEW_SHARED", rule_files().display());
            return;
        };
        let mut group = criterion.benchmark_group(format!("judge/{name}"));
        for event_type in types {
            let event = Benign { event_type };
            let mut matches = Vec::with_capacity(8);
            group.bench_function(event_type.name(), |bencher| {
                bencher.iter(|| {
                    matches.clear();
                    rules.judge(event_type, "syscall", black_box(&event), &mut matches);
                    matches.len()
                });
            });
        }
        group.finish();
    }
}

fn load_stable(criterion: &mut Criterion) {
    let path = rule_files().join("falco_rules.yaml");
    if !path.exists() {
        return;
    }
    let text = std::fs::read_to_string(path).expect("the file is there");
    let files = [SourceFile { name: "falco_rules.yaml".to_owned(), text }];
    criterion.bench_function("load/stable", |bencher| {
        bencher.iter(|| load(black_box(&files), &Options::default()).rules.len());
    });
}

criterion_group!(benches, judge, load_stable);
criterion_main!(benches);
