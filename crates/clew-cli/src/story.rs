//! `clew story`: the stories that are kept or that a replay tells, and one of them in a form to
//! hand on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use clew_engine::{Engine, Output, Settings};
use clew_event::text::escaped;
use clew_event::{Story, StoryId};
use clew_store::{STORIES_MAX, StoreReader, StorySummary};
use clew_story::export::Format;

use crate::Exit;
use crate::args::RuleArgs;
use crate::engine;
use crate::print::{self, Form};
use crate::replay::Tapes;

#[derive(Debug, Subcommand)]
pub(crate) enum StoryCommand {
    /// Print the stories, the worst first, one a line.
    List {
        #[command(flatten)]
        from: FromArgs,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Print one story.
    Show {
        /// Id of the story, or how it begins.
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        from: FromArgs,
        /// As what.
        #[arg(long, value_enum, default_value_t = FormatArg::Text)]
        format: FormatArg,
    },
}

/// [`Format`] on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatArg {
    /// In words.
    Text,
    /// A report to forward.
    Markdown,
    /// As it is stored.
    Json,
    /// MITRE Attack Flow 2.0, a STIX 2.1 bundle.
    AttackFlow,
    /// Incident Finding of OCSF.
    Ocsf,
}

impl From<FormatArg> for Format {
    fn from(format: FormatArg) -> Self {
        match format {
            FormatArg::Text => Self::Text,
            FormatArg::Markdown => Self::Markdown,
            FormatArg::Json => Self::Json,
            FormatArg::AttackFlow => Self::AttackFlow,
            FormatArg::Ocsf => Self::Ocsf,
        }
    }
}

/// Where stories are taken from.
#[derive(Debug, ClapArgs)]
pub(crate) struct FromArgs {
    /// State folder of `clew run`; one that runs may go on.
    #[arg(long, value_name = "DIR", required_unless_present = "files")]
    state: Option<PathBuf>,
    /// Output of `clew replay --json`, or tapes, captures and audit logs, which are then judged by
    /// the rules that come with Clew.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Prints stories. The answer is no where there is none.
pub(crate) fn story(command: &StoryCommand) -> Result<Exit> {
    let mut out = BufWriter::new(io::stdout().lock());
    let exit = match command {
        StoryCommand::List { from, json } => list(&mut out, from, Form::of_flag(*json))?,
        StoryCommand::Show { id, from, format } => show(&mut out, id, from, (*format).into())?,
    };
    out.flush()?;
    Ok(exit)
}

fn list(out: &mut impl Write, from: &FromArgs, form: Form) -> Result<Exit> {
    let Some(told) = read(from)? else { return Ok(Exit::BadInput) };
    let mut stories: Vec<StorySummary> = match &from.state {
        Some(folder) => open(folder)?.stories(STORIES_MAX)?,
        None => Vec::new(),
    };
    stories.retain(|kept| !told.contains_key(&kept.id));
    stories.extend(told.values().map(StorySummary::of_story));
    // Merged into another or taken back.
    stories.retain(|story| 0 < story.steps);
    stories.sort_by_key(|story| (std::cmp::Reverse(story.severity), story.first, story.id));
    for story in &stories {
        match form {
            Form::Json => print::json_line(out, "story_summary", story)?,
            Form::Human => writeln!(
                out,
                "{}  {:<8}  {:>5.1} bits  {}  {}",
                story.id,
                print::severity(story.severity),
                story.likelihood_bits,
                story.first,
                escaped(story.title.as_bytes())
            )?,
        }
    }
    Ok(if stories.is_empty() { Exit::No } else { Exit::Done })
}

fn show(out: &mut impl Write, id: &str, from: &FromArgs, format: Format) -> Result<Exit> {
    let Some(mut told) = read(from)? else { return Ok(Exit::BadInput) };
    let store = from.state.as_deref().map(open).transpose()?;
    let fits = |known: &StoryId| {
        let known = known.to_string();
        known.starts_with(id) || known.trim_start_matches("s-").starts_with(id)
    };
    let mut found: BTreeSet<StoryId> = told.keys().copied().filter(fits).collect();
    if let Some(store) = &store {
        found.extend(store.stories(STORIES_MAX)?.into_iter().map(|it| it.id).filter(fits));
        // A whole id also finds what no list shows.
        found.extend(id.parse::<StoryId>());
    }
    let found: Vec<StoryId> = found.into_iter().collect();
    let story = match (found.as_slice(), &store) {
        ([id], store) => match (told.remove(id), store) {
            (None, Some(store)) => store.story(*id)?,
            (told, _) => told,
        },
        ([], _) => None,
        (several, _) => bail!(
            "`{}` begins the ids of {} stories: write more of it",
            escaped(id.as_bytes()),
            several.len()
        ),
    };
    let Some(story) = story else {
        eprintln!("clew: there is no story `{}`", escaped(id.as_bytes()));
        return Ok(Exit::No);
    };
    let text = format.write(&story)?;
    match format {
        // Text goes to terminals.
        Format::Text => {
            text.lines().try_for_each(|it| writeln!(out, "{}", escaped(it.as_bytes())))?;
        }
        Format::Markdown | Format::Json | Format::AttackFlow | Format::Ocsf => {
            out.write_all(text.as_bytes())?;
        }
    }
    Ok(Exit::Done)
}

fn open(folder: &Path) -> Result<StoreReader> {
    StoreReader::open(folder)
        .with_context(|| format!("cannot read the state in `{}`", folder.display()))
}

/// The last revision of each story of the files; `None` where none of them could be read.
fn read(from: &FromArgs) -> Result<Option<BTreeMap<StoryId, Story>>> {
    let mut told = BTreeMap::new();
    let mut tapes = Vec::new();
    let mut is_readable = from.files.is_empty();
    for path in &from.files {
        match read_replayed(path, &mut told)? {
            Some(is_whole) => is_readable |= is_whole,
            None => tapes.push(path.clone()),
        }
    }
    is_readable |= !tapes.is_empty() && judge(&tapes, &mut told)?;
    Ok((is_readable || !told.is_empty()).then_some(told))
}

/// Reads the stories of a file that `clew replay --json` or `clew run --json` printed; `None` where
/// it is no such file, false where lines of it had to be left out: the last one may be on its way.
fn read_replayed(path: &Path, told: &mut BTreeMap<StoryId, Story>) -> Result<Option<bool>> {
    // What cannot be opened is complained of where tapes are.
    let Ok(file) = File::open(path) else { return Ok(None) };
    let mut file = BufReader::new(file);
    let is_line = |begin: &[u8]| {
        let kinds = ["finding", "link", "story", "complaint", "summary"];
        kinds.iter().any(|kind| begin.starts_with(format!("{{\"type\":\"{kind}\"").as_bytes()))
    };
    if !file.fill_buf().is_ok_and(is_line) {
        return Ok(None);
    }
    let mut is_whole = true;
    for (number, line) in file.split(b'\n').enumerate() {
        let at = || format!("`{}`, line {}", path.display(), number + 1);
        let line = line.with_context(at)?;
        if !line.starts_with(b"{\"type\":\"story\",") {
            continue;
        }
        match serde_json::from_slice::<Story>(&line) {
            Ok(story) => {
                told.insert(story.id, story);
            }
            Err(error) => {
                is_whole = false;
                eprintln!("clew: {}: {error}; the line is left out", at());
            }
        }
    }
    Ok(Some(is_whole))
}

/// Judges tapes; false where none could be read.
fn judge(files: &[PathBuf], told: &mut BTreeMap<StoryId, Story>) -> Result<bool> {
    let mut engine = Engine::new(engine::rules(&RuleArgs::default())?, Settings::default());
    let mut output = Output::default();
    let mut tapes = Tapes::open(files);
    for item in tapes.by_ref() {
        match item {
            Ok(event) => {
                engine.step(&event, &mut output);
                told.extend(output.stories.drain(..).map(|story| (story.id, story)));
                output.clear();
            }
            Err(complaint) => print::complaint(&mut io::stderr(), Form::Human, &complaint)?,
        }
    }
    Ok(tapes.is_any_readable)
}
