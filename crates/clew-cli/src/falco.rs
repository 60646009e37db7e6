//! Reads the configuration of a Falco installation from its files.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clew_rules::Options;
use clew_rules::falco_config::{FalcoConfig, continuations};

use crate::engine::{self, Choice};

/// A Falco installation as its files describe it.
#[derive(Debug)]
pub(crate) struct Installation {
    /// What they say.
    pub(crate) config: FalcoConfig,
    /// The files, in the order in which they were read.
    pub(crate) config_files: Vec<PathBuf>,
    /// Rule files and directories that are there.
    pub(crate) rule_paths: Vec<PathBuf>,
    /// Those that are named and not there; as in the original that is no fault.
    pub(crate) absent: Vec<PathBuf>,
}

impl Installation {
    /// Reads a `falco.yaml` and the files that it names as its continuation.
    ///
    /// # Errors
    /// When a file cannot be read, or is no configuration.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let environment = |name: &str| std::env::var(name).ok();
        let main = engine::read(path)?;
        let mut config_files = vec![path.to_owned()];
        for named in continuations(&main, &environment)? {
            let named = PathBuf::from(named);
            if named.is_dir() {
                config_files.extend(engine::yaml_files(&named)?);
            } else if named.exists() {
                config_files.push(named);
            }
        }
        let mut files = vec![main];
        for path in config_files.iter().skip(1) {
            files.push(engine::read(path)?);
        }
        let config = FalcoConfig::read(&files, &environment)?;
        let named = config.rules_files.iter().map(PathBuf::from);
        let (rule_paths, absent) = named.partition(|path| path.exists());
        Ok(Self { config, config_files, rule_paths, absent })
    }

    /// How rules are loaded.
    pub(crate) fn options(&self) -> Options {
        let FalcoConfig { matching, priority_min, selection, append_output, .. } = &self.config;
        Options {
            matching: *matching,
            priority_min: *priority_min,
            selection: selection.clone(),
            append_output: append_output.clone(),
            ..Options::default()
        }
    }

    /// The rule files with what is chosen for them.
    ///
    /// # Errors
    /// When a rule file cannot be read.
    pub(crate) fn choice(&self) -> Result<Choice> {
        let watched = self.config_files.iter().chain(&self.rule_paths).cloned().collect();
        let mut paths = Vec::new();
        for path in &self.rule_paths {
            // Falco does not look into the directories of a directory.
            match path.is_dir() {
                true => paths.extend(engine::yaml_files(path)?),
                false => paths.push(path.clone()),
            }
        }
        let files = engine::read_rule_files(&paths)?;
        Ok(Choice { files, options: self.options(), watched })
    }
}
