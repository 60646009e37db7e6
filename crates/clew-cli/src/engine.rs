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
    ("rules/azure.yaml", include_str!("../../../rules/azure.yaml")),
    ("rules/bursts.yaml", include_str!("../../../rules/bursts.yaml")),
    ("rules/command_and_control.yaml", include_str!("../../../rules/command_and_control.yaml")),
    ("rules/credential_access.yaml", include_str!("../../../rules/credential_access.yaml")),
    ("rules/defense_evasion.yaml", include_str!("../../../rules/defense_evasion.yaml")),
    ("rules/discovery.yaml", include_str!("../../../rules/discovery.yaml")),
    ("rules/execution.yaml", include_str!("../../../rules/execution.yaml")),
    ("rules/gcp.yaml", include_str!("../../../rules/gcp.yaml")),
    ("rules/http.yaml", include_str!("../../../rules/http.yaml")),
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
    choice.options.pipelines = read_rule_files(&args.pipeline)?;
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

/// How rules are loaded that are only looked at.
///
/// # Errors
/// When a pipeline cannot be read.
pub(crate) fn options(pipelines: &[PathBuf]) -> Result<Options> {
    Ok(Options { pipelines: read_rule_files(pipelines)?, ..Options::default() })
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

/// Deepest nesting of directories that is searched for rule files.
const DIRECTORY_DEPTH_MAX: usize = 16;

/// Reads rule files; of a directory all `.yaml` and `.yml` files by name, then those of its
/// directories.
///
/// # Errors
/// When a path cannot be read.
pub(crate) fn read_rule_files(paths: &[PathBuf]) -> Result<Vec<SourceFile>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            read_directory(path, 0, &mut files)?;
        } else {
            files.push(read(path)?);
        }
    }
    Ok(files)
}

fn read_directory(directory: &Path, depth: usize, files: &mut Vec<SourceFile>) -> Result<()> {
    for file in yaml_files(directory)? {
        files.push(read(&file)?);
    }
    if depth == DIRECTORY_DEPTH_MAX {
        return Ok(());
    }
    let unreadable = || format!("cannot read the directory `{}`", directory.display());
    let mut inner = Vec::new();
    for entry in fs::read_dir(directory).with_context(unreadable)? {
        inner.push(entry.with_context(unreadable)?.path());
    }
    inner.retain(|path| path.is_dir());
    inner.sort();
    inner.iter().try_for_each(|path| read_directory(path, depth + 1, files))
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

    #[test]
    fn directories_are_searched_to_a_bounded_depth() {
        let root = tempfile::tempdir().unwrap();
        let mut directory = root.path().to_owned();
        for depth in 0..DIRECTORY_DEPTH_MAX + 2 {
            fs::write(directory.join(format!("{depth}.yml")), "").unwrap();
            directory.push("inner");
            fs::create_dir(&directory).unwrap();
        }
        let files = read_rule_files(&[root.path().to_owned()]).unwrap();
        assert_eq!(files.len(), DIRECTORY_DEPTH_MAX + 1);
    }
}
