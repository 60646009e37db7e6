//! `clew profile`: what workloads do, how far that is learned, and what is made of it.

mod show;

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use clew_engine::{Engine, Output, Settings, State};
use clew_event::text::escaped;
use clew_event::{Finding, Text, TimestampNs};
use clew_profile::Profiles;
use clew_profile::declared::{DECLARED_MAX, Declared};
use clew_profile::portable::{FILE_BYTES_MAX, ProfileFile};
use clew_profile::waivers::Waiver;
use clew_profile::workload::Version;
use clew_profile::{export, kubescape};
use clew_rules::RuleSet;
use clew_store::{Store, StoreReader};
use serde_json::{Value, json};

use crate::Exit;
use crate::print::{self, Form};
use crate::replay::Tapes;

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileCommand {
    /// Print the profiles that were learned, one a line.
    List {
        #[command(flatten)]
        learned: LearnedArgs,
    },
    /// Print what a workload does, as a tree.
    Show {
        #[command(flatten)]
        learned: LearnedArgs,
    },
    /// Print how far each class of behavior is learned.
    Progress {
        #[command(flatten)]
        learned: LearnedArgs,
    },
    /// Print what two profiles do not have in common, as `git diff` does.
    Diff {
        /// `WORKLOAD` or `WORKLOAD@DIGEST`, where the beginning of the digest is enough.
        a: String,
        /// The other one.
        b: String,
        #[command(flatten)]
        learned: LearnedArgs,
    },
    /// Say why a behavior was found to be new.
    Explain {
        /// Id of the finding, or how it begins.
        finding: String,
        #[command(flatten)]
        learned: LearnedArgs,
    },
    /// Say that a behavior is to be expected, for a time. `clew run` must not run meanwhile.
    Waive {
        /// Whose behavior.
        workload: String,
        /// Key of the behavior, as `show --json` prints it.
        key: String,
        /// Why it is expected.
        #[arg(long)]
        reason: String,
        /// Until when, as in `2026-12-24T18:00:00Z`.
        #[arg(long, value_name = "TIME")]
        until: String,
        /// State folder of `clew run`.
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
    /// Print the profile of a workload, or a policy made of it.
    Export {
        /// What is printed.
        #[arg(long = "as", value_enum, default_value_t = ExportForm::Clew)]
        form: ExportForm,
        #[command(flatten)]
        learned: LearnedArgs,
    },
    /// Add profiles that were exported to a state folder. `clew run` must not run meanwhile.
    Import {
        /// Files that `clew profile export` wrote, or JSON of Kubescape's `ApplicationProfile` and
        /// `NetworkNeighborhood`.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// State folder of `clew run`.
        #[arg(long, value_name = "DIR")]
        state: PathBuf,
    },
}

/// What a profile is printed as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportForm {
    /// All that was learned; what `import` reads.
    Clew,
    /// Kubescape's `ApplicationProfile`.
    ApplicationProfile,
    /// Kubescape's `NetworkNeighborhood`.
    NetworkNeighborhood,
    /// A network policy of Kubernetes.
    NetworkPolicy,
    /// A seccomp profile.
    Seccomp,
    /// The capabilities that it needs, after all were dropped.
    Capabilities,
    /// Where a read-only root would need to be writable.
    ReadOnlyRoot,
}

/// Which profiles, and where they were learned.
#[derive(Debug, ClapArgs)]
pub(crate) struct LearnedArgs {
    /// Only this workload.
    #[arg(long, value_name = "NAME")]
    workload: Option<String>,
    /// State folder of `clew run`, as it was kept last; a run that goes on keeps it each minute.
    #[arg(long, value_name = "DIR", required_unless_present = "files")]
    state: Option<PathBuf>,
    /// Tapes and logs to learn from, after what `--state` holds.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

impl LearnedArgs {
    fn is_wanted(&self, name: &Text) -> bool {
        self.workload.as_ref().is_none_or(|wanted| wanted.as_bytes() == name.as_bytes())
    }
}

/// Works with profiles. The answer is no where none fits.
pub(crate) fn profile(command: &ProfileCommand) -> Result<Exit> {
    let mut out = BufWriter::new(io::stdout().lock());
    let told = match command {
        ProfileCommand::Waive { workload, key, reason, until, state } => {
            let expires = TimestampNs::from_rfc3339(until)
                .with_context(|| format!("`{until}` is no time: write `2026-12-24T18:00:00Z`"))?;
            let (workload, reason) = (workload.as_str().into(), reason.clone());
            let waiver = Waiver { workload, key: key.clone(), reason, expires };
            change(state, |profiles| Ok(profiles.waive(waiver)?))?;
            return Ok(Exit::Done);
        }
        ProfileCommand::Import { files, state } => {
            // All or none: what was known stays where a file is damaged.
            let files = files.iter().map(|path| imported(path)).collect::<Result<Vec<_>>>()?;
            change(state, |profiles| {
                for file in &files {
                    match file {
                        Imported::Learned(file) => profiles.import(file),
                        Imported::Declared(containers) => declare(profiles, containers),
                    }
                }
                Ok(())
            })?;
            return Ok(Exit::Done);
        }
        ProfileCommand::Explain { finding, learned } => explain(&mut out, finding, learned)?,
        ProfileCommand::Diff { a, b, learned } => {
            let Some((engine, _)) = learn(learned)? else { return Ok(Exit::BadInput) };
            let [a, b] = [a, b].map(|name| version(engine.profiles(), name));
            show::difference(&mut out, &a?.profile, &b?.profile, learned.json)?
        }
        ProfileCommand::List { learned }
        | ProfileCommand::Show { learned }
        | ProfileCommand::Progress { learned }
        | ProfileCommand::Export { learned, .. } => {
            let Some((engine, _)) = learn(learned)? else { return Ok(Exit::BadInput) };
            let mut count = 0;
            for (name, workload) in engine.profiles().known() {
                if !learned.is_wanted(name) {
                    continue;
                }
                count += 1;
                if let ProfileCommand::Export { form: ExportForm::Clew, .. } = command {
                    let file = ProfileFile::new(name.clone(), workload.clone());
                    writeln!(out, "{}", serde_json::to_string(&file)?)?;
                    continue;
                }
                for version in workload.versions() {
                    of_version(&mut out, command, (name, version), learned.json)?;
                }
            }
            count
        }
    };
    out.flush()?;
    if told == 0 {
        eprintln!("clew: no such profile or finding");
        return Ok(Exit::No);
    }
    Ok(Exit::Done)
}

/// Declares what containers do, and says what was left out.
fn declare(profiles: &mut Profiles, containers: &[(Text, Declared)]) {
    for (workload, declared) in containers {
        let dropped = |profiles: &Profiles| {
            profiles.known().get(workload).map_or(0, |known| known.declared().dropped())
        };
        let before = dropped(profiles);
        profiles.declare(workload, declared);
        let left_out = dropped(profiles).saturating_sub(before);
        if 0 < left_out {
            eprintln!(
                "clew: of `{}` {left_out} behaviors were left out: unreadable, or beyond the \
                 {DECLARED_MAX} that may be declared of one workload",
                escaped(workload.as_bytes())
            );
        }
    }
}

/// What a file brings.
enum Imported {
    /// Profiles that another Clew learned.
    Learned(Box<ProfileFile>),
    /// What Kubescape learned, by workload.
    Declared(Vec<(Text, Declared)>),
}

fn imported(path: &Path) -> Result<Imported> {
    let at = || format!("cannot read `{}`", path.display());
    let bytes = fs::read(path).with_context(at)?;
    let is_small = bytes.len() <= FILE_BYTES_MAX;
    match serde_json::from_slice::<Value>(&bytes) {
        Ok(document) if is_small && kubescape::is_one(&document) => {
            Ok(Imported::Declared(kubescape::read(&document).with_context(at)?))
        }
        _ => Ok(Imported::Learned(Box::new(ProfileFile::read(&bytes).with_context(at)?))),
    }
}

fn of_version(
    out: &mut impl Write,
    command: &ProfileCommand,
    (name, version): (&Text, &Version),
    is_json: bool,
) -> Result<()> {
    match command {
        ProfileCommand::List { .. } => show::line(out, name, version, is_json)?,
        ProfileCommand::Show { .. } => show::tree(out, name, version, is_json)?,
        ProfileCommand::Progress { .. } => show::progress(out, name, version, is_json)?,
        ProfileCommand::Export { form, .. } => {
            let profile = &version.profile;
            let offer = match form {
                ExportForm::NetworkPolicy => Some(export::network_policy(name, profile)),
                ExportForm::Seccomp => Some(export::seccomp(profile)),
                ExportForm::Clew
                | ExportForm::ApplicationProfile
                | ExportForm::NetworkNeighborhood
                | ExportForm::Capabilities
                | ExportForm::ReadOnlyRoot => None,
            };
            let document = match (form, &offer) {
                (ExportForm::ApplicationProfile, _) => export::application_profile(name, profile),
                (ExportForm::NetworkNeighborhood, _) => export::network_neighborhood(name, profile),
                (ExportForm::Capabilities, _) => {
                    json!({"drop": ["ALL"], "add": export::capabilities(profile)})
                }
                (_, Some(offer)) => offer.document.clone(),
                _ => json!({"writable": export::writes_beyond_tmp(profile)}),
            };
            // JSON is YAML as well: `kubectl apply -f -` takes it.
            writeln!(out, "{document:#}")?;
            if let Some(offer) = offer {
                eprintln!(
                    "would have allowed {} and stopped {} of the units of known-good behavior, \
                     and stopped {} units that nobody agreed on",
                    offer.allowed, offer.stopped, offer.stopped_strange
                );
            }
        }
        ProfileCommand::Diff { .. }
        | ProfileCommand::Explain { .. }
        | ProfileCommand::Waive { .. }
        | ProfileCommand::Import { .. } => {}
    }
    Ok(())
}

/// An engine that learned from the state and then from the files, and what it found in these;
/// `None` where no file could be read.
fn learn(args: &LearnedArgs) -> Result<Option<(Engine, Vec<Finding>)>> {
    let snapshot = match &args.state {
        Some(folder) => StoreReader::open(folder)
            .and_then(|store| store.load_snapshot())
            .with_context(|| format!("cannot read the state in `{}`", folder.display()))?,
        None => None,
    };
    let mut engine = match snapshot {
        Some(snapshot) => Engine::resume(RuleSet::default(), State::read(&snapshot)?),
        None => Engine::new(RuleSet::default(), Settings::default()),
    };
    let mut tapes = Tapes::open(&args.files);
    let (mut output, mut found) = (Output::default(), Vec::new());
    for item in tapes.by_ref() {
        match item {
            Ok(event) => {
                engine.step(&event, &mut output);
                found.append(&mut output.findings);
                output.clear();
            }
            Err(complaint) => print::complaint(&mut io::stderr(), Form::Human, &complaint)?,
        }
    }
    let is_readable = args.files.is_empty() || tapes.is_any_readable;
    Ok(is_readable.then_some((engine, found)))
}

/// Changes the profiles in a state folder that no run holds.
fn change(folder: &Path, how: impl FnOnce(&mut Profiles) -> Result<()>) -> Result<()> {
    let at = || format!("cannot change the state in `{}`: does `clew run` run?", folder.display());
    let mut store = Store::open(folder).with_context(at)?;
    let snapshot = store.reader().and_then(|it| it.load_snapshot()).with_context(at)?;
    let mut engine = match snapshot {
        Some(snapshot) => Engine::resume(RuleSet::default(), State::read(&snapshot)?),
        None => Engine::new(RuleSet::default(), Settings::default()),
    };
    how(engine.profiles_mut())?;
    store.save_snapshot(&engine.snapshot()?).with_context(at)
}

/// The profile that `WORKLOAD` or `WORKLOAD@DIGEST` names; of several builds the newest.
fn version<'a>(profiles: &'a Profiles, name: &str) -> Result<&'a Version> {
    let (workload, digest) = name.rsplit_once('@').unwrap_or((name, ""));
    let known = profiles.known();
    let Some(found) = known.get(&Text::from(workload)) else {
        bail!("no workload `{workload}` was learned: `clew profile list` names them");
    };
    let fits = |version: &&Version| version.digest.as_bytes().starts_with(digest.as_bytes());
    let found = found.versions().iter().rev().find(fits);
    found.with_context(|| format!("`{workload}` has no build `{digest}`"))
}

/// Says why a behavior was found to be new: the facts of its finding.
fn explain(out: &mut impl Write, id: &str, learned: &LearnedArgs) -> Result<usize> {
    let Some((_, mut found)) = learn(learned)? else { return Ok(0) };
    if let (Some(folder), Ok(number)) = (&learned.state, u128::from_str_radix(id, 16)) {
        let store = StoreReader::open(folder)?;
        found.extend(store.finding(clew_event::FindingId(number))?);
    }
    let facts = |finding: &Finding| finding.output_fields.contains_key("profile.item");
    found.retain(|finding| finding.id.to_string().starts_with(id) && facts(finding));
    for finding in &found {
        if learned.json {
            let (id, fields) = (finding.id.to_string(), &finding.output_fields);
            writeln!(out, "{}", json!({"type": "explanation", "finding": id, "facts": fields}))?;
            continue;
        }
        writeln!(out, "{}", finding.output)?;
        for (name, value) in &finding.output_fields {
            let value = value.as_str().unwrap_or_default();
            writeln!(out, "  {}: {value}", name.trim_start_matches("profile."))?;
        }
    }
    Ok(found.len())
}
