//! Rules read again while events go on: at SIGHUP, and when a file of the user changes.
//!
//! The files are looked at each second: where they lie, how long they are, when they were written.
//! New rules are compiled aside; where a file cannot be read or has an error, the old ones stay
//! and the reason is printed. A file that was caught half written changes once more, and is read
//! once more.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clew_rules::RuleSet;

use crate::args::RuleArgs;
use crate::engine::{self, Choice};

/// How often files are looked at.
const LOOK_SPAN: Duration = Duration::from_secs(1);

/// What tells one state of a file from another; nothing where it is not there.
type Mark = (PathBuf, Option<(u64, u64, i64, i64)>);

/// What was asked for, and how its files looked when they were read.
#[derive(Debug)]
pub(crate) struct Reload {
    args: RuleArgs,
    watched: Vec<PathBuf>,
    marks: Vec<Mark>,
    looked: Instant,
}

impl Reload {
    /// Watches the files of a choice that was just read.
    pub(crate) fn new(args: &RuleArgs, choice: &Choice) -> Self {
        let watched = choice.watched.clone();
        let marks = marks(&watched);
        Self { args: args.clone(), watched, marks, looked: Instant::now() }
    }

    /// The new rules, where a file has changed and all is right.
    pub(crate) fn at_change(&mut self) -> Option<RuleSet> {
        if self.looked.elapsed() < LOOK_SPAN {
            return None;
        }
        self.looked = Instant::now();
        let marks = marks(&self.watched);
        if marks == self.marks { None } else { self.again() }
    }

    /// The new rules, whether or not a file has changed, where all is right.
    pub(crate) fn again(&mut self) -> Option<RuleSet> {
        self.marks = marks(&self.watched);
        let choice = match engine::choose(&self.args) {
            Ok(choice) => choice,
            Err(error) => {
                eprintln!("the rules stay as they are: {error:#}");
                return None;
            }
        };
        if choice.watched != self.watched {
            self.watched.clone_from(&choice.watched);
            self.marks = marks(&self.watched);
        }
        let loaded = choice.load();
        match loaded.error_count() {
            0 => {
                eprintln!("rules read again: {} run", loaded.rules.len());
                Some(loaded.rules)
            }
            errors => {
                eprintln!("the rules stay as they are: {errors} errors in the new ones");
                None
            }
        }
    }
}

fn marks(watched: &[PathBuf]) -> Vec<Mark> {
    let mut files = Vec::new();
    for path in watched {
        files.push(path.clone());
        if path.is_dir() {
            files.extend(engine::yaml_files(path).unwrap_or_default());
        }
    }
    let mark = |path: PathBuf| {
        let found = fs::metadata(&path).ok();
        let state = found.map(|file| (file.ino(), file.len(), file.mtime(), file.mtime_nsec()));
        (path, state)
    };
    files.into_iter().map(mark).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const RULE: &str = "- rule: a\n  desc: d\n  condition: evt.type = execve\n  output: o\n  \
                        priority: info\n";

    fn reload(path: &Path) -> Reload {
        let args = RuleArgs {
            rules: vec![path.to_owned()],
            no_default_rules: true,
            ..RuleArgs::default()
        };
        Reload::new(&args, &engine::choose(&args).unwrap())
    }

    fn look(reload: &mut Reload) -> Option<usize> {
        reload.looked -= LOOK_SPAN;
        reload.at_change().map(|rules| rules.len())
    }

    #[test]
    fn a_changed_file_is_read_once_and_a_broken_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rules.yaml");
        fs::write(&file, RULE).unwrap();
        let mut reload = reload(&file);
        assert_eq!(look(&mut reload), None, "nothing has changed");
        fs::write(&file, format!("{RULE}{}", RULE.replace("rule: a", "rule: b"))).unwrap();
        assert_eq!(look(&mut reload), Some(2));
        assert_eq!(look(&mut reload), None, "it was read already");
        fs::write(&file, format!("{RULE}- rule: broken\n")).unwrap();
        assert_eq!(look(&mut reload), None);
        fs::remove_file(&file).unwrap();
        assert_eq!(look(&mut reload), None);
        fs::write(&file, RULE).unwrap();
        assert_eq!(look(&mut reload), Some(1));
        assert_eq!(reload.again().map(|rules| rules.len()), Some(1), "it was asked for");
    }

    #[test]
    fn a_file_that_comes_to_a_directory_is_read() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), RULE).unwrap();
        let mut reload = reload(folder.path());
        fs::write(folder.path().join("b.yaml"), RULE.replace("rule: a", "rule: b")).unwrap();
        assert_eq!(look(&mut reload), Some(2));
    }
}
