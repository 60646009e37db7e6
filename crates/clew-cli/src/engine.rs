//! The rules that judge: those that come with Clew, and those of the user.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clew_event::Semantics;
use clew_rules::{Loaded, Matching, Options, RuleSet, SourceFile};

use crate::args::{Compat, RuleArgs, RuleMatching};
use crate::falco;

/// Our own rules, in the order in which they are loaded; macros come first.
const DEFAULT_RULES: &[(&str, &str)] = &[
    ("rules/00_macros.yaml", include_str!("../../../rules/00_macros.yaml")),
    ("rules/aws.yaml", include_str!("../../../rules/aws.yaml")),
    ("rules/command_and_control.yaml", include_str!("../../../rules/command_and_control.yaml")),
    ("rules/credential_access.yaml", include_str!("../../../rules/credential_access.yaml")),
    ("rules/defense_evasion.yaml", include_str!("../../../rules/defense_evasion.yaml")),
    ("rules/discovery.yaml", include_str!("../../../rules/discovery.yaml")),
    ("rules/execution.yaml", include_str!("../../../rules/execution.yaml")),
    ("rules/impact.yaml", include_str!("../../../rules/impact.yaml")),
    ("rules/initial_access.yaml", include_str!("../../../rules/initial_access.yaml")),
    ("rules/kubernetes.yaml", include_str!("../../../rules/kubernetes.yaml")),
    ("rules/persistence.yaml", include_str!("../../../rules/persistence.yaml")),
    ("rules/privilege_escalation.yaml", include_str!("../../../rules/privilege_escalation.yaml")),
];

/// Rule files, and what the user chose beside them.
#[derive(Debug)]
pub(crate) struct Choice {
    /// The files, in the order in which they are loaded.
    pub(crate) files: Vec<SourceFile>,
    /// How they are loaded.
    pub(crate) options: Options,
    /// Files and directories of the user, to be watched for changes.
    pub(crate) watched: Vec<PathBuf>,
}

impl Choice {
    /// Compiles the rules; what is wrong with them is said on standard error.
    pub(crate) fn load(&self) -> Loaded {
        let loaded = clew_rules::load(&self.files, &self.options);
        for diagnostic in &loaded.diagnostics {
            let text = self.files.iter().find(|file| file.name == diagnostic.file);
            let text = text.map_or("", |file| file.text.as_str());
            eprintln!("{}", clew_rules::render(diagnostic, text));
        }
        loaded
    }
}

/// What the command line asks for.
///
/// # Errors
/// When a file that the user named cannot be read.
pub(crate) fn choose(args: &RuleArgs) -> Result<Choice> {
    let (semantics, matching) = match args.compat {
        Some(Compat::Falco) => (Semantics::Falco, Matching::First),
        None => (Semantics::Clew, Matching::All),
    };
    let mut choice = match &args.falco_config {
        Some(path) => falco::Installation::read(path)?.choice()?,
        None => Choice {
            files: if args.no_default_rules { Vec::new() } else { default_files() },
            options: Options { matching, ..Options::default() },
            watched: Vec::new(),
        },
    };
    choice.options.semantics = semantics;
    match args.rule_matching {
        Some(RuleMatching::All) => choice.options.matching = Matching::All,
        Some(RuleMatching::First) => choice.options.matching = Matching::First,
        None => {}
    }
    choice.files.extend(read_rule_files(&args.rules)?);
    choice.watched.extend(args.rules.iter().cloned());
    Ok(choice)
}

/// The rules that the command line asks for; what is wrong with them is said on standard error.
///
/// # Errors
/// When a file that the user named cannot be read.
pub(crate) fn rules(args: &RuleArgs) -> Result<RuleSet> {
    Ok(choose(args)?.load().rules)
}

/// The files at `paths`; where there are none, the rules that come with Clew.
///
/// # Errors
/// When a path cannot be read.
pub(crate) fn files_or_ours(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    if paths.is_empty() { Ok(default_files()) } else { read_rule_files(paths) }
}

fn default_files() -> Vec<SourceFile> {
    let file = |&(name, text): &(&str, &str)| SourceFile { name: name.into(), text: text.into() };
    DEFAULT_RULES.iter().map(file).collect()
}

/// Reads rule files; of a directory all `.yaml` and `.yml` files, by name.
///
/// # Errors
/// When a path cannot be read.
pub(crate) fn read_rule_files(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            for file in yaml_files(path)? {
                files.push(read(&file)?);
            }
        } else {
            files.push(read(path)?);
        }
    }
    Ok(files)
}

pub(crate) fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = || format!("cannot read the directory `{}`", directory.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_file() && matches!(extension, Some("yaml" | "yml")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Bytes that are no UTF-8 become U+FFFD, which the check then names in its place.
pub(crate) fn read(path: &Path) -> Result<SourceFile> {
    let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(SourceFile { name: path.display().to_string(), text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_file_of_the_project_comes_with_the_binary() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../rules");
        let mut there: Vec<_> = yaml_files(&directory)
            .unwrap()
            .iter()
            .map(|path| format!("rules/{}", path.file_name().unwrap().display()))
            .collect();
        let mut shipped: Vec<_> =
            DEFAULT_RULES.iter().map(|(name, _)| (*name).to_owned()).collect();
        there.sort();
        shipped.sort();
        assert_eq!(there, shipped);
    }

    #[test]
    fn the_rules_that_come_with_the_binary_load_without_a_complaint() {
        let loaded = clew_rules::load(&default_files(), &Options::default());
        assert_eq!(loaded.diagnostics, []);
        assert!(!loaded.rules.is_empty());
    }
}
