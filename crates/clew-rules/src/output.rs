//! What a rule says of an event: its sentence with the fields filled in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use clew_event::{FieldArgument, FieldId, FieldSource, FieldValue, Scalar, TimestampNs};
use serde_json::Value;

use crate::compile::Compiler;
use crate::condition::{Argument, Operand, parse_field};
use crate::diagnostic::{Code, Problem};
use crate::judge::evaluate::Cache;
use crate::judge::predicate::{Extract, Slot};
use crate::judge::program::Program;
use crate::traced::{Place, Traced};

/// A rule's sentence with its fields filled in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Output {
    /// The sentence; `<NA>` stands for what the event does not have.
    pub text: String,
    /// The fields it names, as the rule writes them; null for what the event does not have.
    pub fields: BTreeMap<String, Value>,
}

/// What the original prints for an absent value.
pub(crate) const ABSENT: &str = "<NA>";

/// Dropped from sentences: the original fills it with nothing since containers are a plugin.
const CONTAINER_INFO: &str = "%container.info";

/// A sentence, compiled.
#[derive(Clone, Debug, Default)]
pub(crate) struct Format {
    tokens: Vec<Token>,
    /// Fields that alerts carry beside the sentence, by name. Without an extract: never there.
    fields: Vec<(String, Option<Extract>)>,
    /// Texts that alerts carry beside the sentence, by name.
    texts: Vec<(String, Self)>,
}

#[derive(Clone, Debug)]
enum Token {
    Text(String),
    /// A field, cut or filled up to so many characters; 0 leaves it as it is.
    Field {
        extract: Option<Extract>,
        width: usize,
    },
}

/// Widest column that a sentence may ask for.
pub(crate) const OUTPUT_WIDTH_MAX: usize = 1000;

impl Format {
    /// Compiles the sentence of a rule; what is wrong with it goes to the findings.
    pub(crate) fn new(output: &Traced, compiler: &mut Compiler<'_>) -> Self {
        let mut format = Self::default();
        let text = without_container_info(output, compiler);
        let mut offset = usize::from(text.as_str().starts_with('*'));
        while let Some(rest) = text.as_str().get(offset..).filter(|rest| !rest.is_empty()) {
            let Some(percent) = rest.find('%') else {
                format.tokens.push(Token::Text(rest.to_owned()));
                break;
            };
            if let Some(before) = rest.get(..percent).filter(|before| !before.is_empty()) {
                format.tokens.push(Token::Text(before.to_owned()));
            }
            let at = offset + percent + 1;
            match format.push_field(&text, at, compiler) {
                Ok(behind) => offset = behind,
                Err(problem) => {
                    compiler.findings.problems.push(problem);
                    break;
                }
            }
        }
        format
    }

    /// Adds the field at `at`, behind its `%`; gives the offset behind it.
    fn push_field(
        &mut self,
        text: &Traced,
        at: usize,
        compiler: &mut Compiler<'_>,
    ) -> Result<usize, Problem> {
        let place = text.place_at(at.saturating_sub(1));
        let rest = text.as_str().get(at..).unwrap_or_default();
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let width = rest.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        if OUTPUT_WIDTH_MAX < width {
            let message = format!("a width of {width} is more than {OUTPUT_WIDTH_MAX}");
            return Err(Problem::new(Code::OutputSyntax, place, message));
        }
        let (mut operand, mut behind) = parse_field(text, at + digits).map_err(|_| {
            Problem::new(Code::OutputSyntax, place, "`%` is not followed by a field")
        })?;
        behind -= shorten(&mut operand, compiler);
        let side = compiler.side(&operand).map_err(|problem| Problem {
            code: Code::OutputSyntax,
            place,
            ..problem
        })?;
        if side.is_for_conditions_only {
            let message = format!("`{operand}` can be used in conditions only");
            return Err(Problem::new(Code::OutputSyntax, place, message));
        }
        self.push_names(&operand, compiler)?;
        self.tokens.push(Token::Field { extract: side.extract, width });
        Ok(behind)
    }

    /// Fields inside transformers are carried by themselves, as in the original.
    fn push_names(
        &mut self,
        operand: &Operand,
        compiler: &mut Compiler<'_>,
    ) -> Result<(), Problem> {
        match operand {
            Operand::Field(field) => {
                let extract = compiler.side(operand)?.extract;
                self.fields.push((field.to_string(), extract));
                Ok(())
            }
            Operand::Transformed { arguments, .. } => {
                let operands = arguments.iter().filter_map(|argument| match argument {
                    Argument::Operand(operand) => Some(operand),
                    Argument::Value(_) | Argument::List(_) => None,
                });
                operands.into_iter().try_for_each(|inner| self.push_names(inner, compiler))
            }
        }
    }

    /// Adds text as it stands.
    pub(crate) fn push_text(&mut self, text: &str) {
        if !text.is_empty() {
            self.tokens.push(Token::Text(text.to_owned()));
        }
    }

    /// Adds the value of a field, which alerts carry under `name` too.
    pub(crate) fn push_value(&mut self, name: &str, slot: Slot) {
        let extract = Some(Extract::Field(slot));
        self.fields.push((name.to_owned(), extract.clone()));
        self.tokens.push(Token::Field { extract, width: 0 });
    }

    /// Makes alerts carry a text that is the same for every event.
    pub(crate) fn carry_plain(&mut self, name: &str, text: &str) {
        let tokens = vec![Token::Text(text.to_owned())];
        self.texts.push((name.to_owned(), Self { tokens, ..Self::default() }));
    }

    /// Adds another sentence behind this one.
    pub(crate) fn append(&mut self, other: Self) {
        self.tokens.push(Token::Text(" ".to_owned()));
        self.tokens.extend(other.tokens);
        self.fields.extend(other.fields);
    }

    /// Makes alerts carry the fields of another sentence, without its text.
    pub(crate) fn carry_fields(&mut self, other: Self) {
        self.fields.extend(other.fields);
    }

    /// Makes alerts carry another sentence under a name.
    pub(crate) fn carry_text(&mut self, name: &str, other: Self) {
        self.texts.push((name.to_owned(), other));
    }

    /// Fills in the fields of one event.
    pub(crate) fn fill<F: FieldSource>(&self, program: &Program, fields: &F) -> Output {
        let mut cache = Cache::new(program, fields);
        let mut output = Output { text: self.sentence(program, &mut cache), ..Output::default() };
        for (name, format) in &self.texts {
            let text = format.sentence(program, &mut cache);
            output.fields.insert(name.clone(), Value::from(text));
        }
        for (name, extract) in &self.fields {
            let value = carried(extract.as_ref(), program, fields, &mut cache);
            output.fields.insert(name.clone(), value);
        }
        output
    }

    fn sentence<F: FieldSource>(&self, program: &Program, cache: &mut Cache<'_, F>) -> String {
        let mut sentence = String::new();
        for token in &self.tokens {
            match token {
                Token::Text(text) => sentence.push_str(text),
                Token::Field { extract, width } => {
                    let text = shown(extract.as_ref(), program, cache);
                    push_to_width(&mut sentence, &text, *width);
                }
            }
        }
        sentence
    }
}

/// A name such as `proc.name.x` is the field `proc.name` and the text `.x`. Gives the bytes cut.
fn shorten(operand: &mut Operand, compiler: &Compiler<'_>) -> usize {
    let Operand::Field(field) = operand else { return 0 };
    if field.argument.is_some() || compiler.registry.has(&field.name, compiler.source) {
        return 0;
    }
    let lengths = (1..field.name.len()).rev();
    let mut names = lengths.filter_map(|length| field.name.get(..length));
    let Some(name) = names.find(|name| compiler.registry.has(name, compiler.source)) else {
        return 0;
    };
    let cut = field.name.len() - name.len();
    field.name = name.into();
    cut
}

fn without_container_info<'a>(output: &'a Traced, compiler: &mut Compiler<'_>) -> Cow<'a, Traced> {
    if !output.as_str().contains(CONTAINER_INFO) {
        return Cow::Borrowed(output);
    }
    let mut text = Traced::default();
    let mut from = 0;
    for (at, found) in output.as_str().match_indices(CONTAINER_INFO) {
        compiler.findings.deprecated.push(output.place_at(at));
        text.push_part(output, from..at);
        from = at + found.len();
    }
    text.push_part(output, from..output.len());
    Cow::Owned(text)
}

/// The value of a field as sentences show it.
pub(crate) fn shown<F: FieldSource>(
    extract: Option<&Extract>,
    program: &Program,
    cache: &mut Cache<'_, F>,
) -> String {
    let Some(extract) = extract else { return ABSENT.to_owned() };
    extract.load(cache);
    let is_time = field_id(extract, program) == Some(FieldId::EvtTimeIso8601);
    match extract.value(cache).as_ref() {
        FieldValue::Missing => ABSENT.to_owned(),
        FieldValue::One(Scalar::Unsigned(unix_ns)) if is_time => {
            TimestampNs::from_unix_ns(*unix_ns).to_string()
        }
        FieldValue::One(value) => scalar_text(value).into_owned(),
        FieldValue::Many(values) => {
            let texts: Vec<_> = values.iter().map(scalar_text).collect();
            format!("({})", texts.join(","))
        }
    }
}

fn carried<F: FieldSource>(
    extract: Option<&Extract>,
    program: &Program,
    fields: &F,
    cache: &mut Cache<'_, F>,
) -> Value {
    let Some(extract) = extract else { return Value::Null };
    // Times of events are carried as numbers, however the sentence shows them.
    if field_id(extract, program) == Some(FieldId::EvtTime) {
        let time = fields.field(FieldId::EvtRawtime, &FieldArgument::None);
        return value_json(&time);
    }
    extract.load(cache);
    value_json(extract.value(cache).as_ref())
}

fn field_id(extract: &Extract, program: &Program) -> Option<FieldId> {
    match extract {
        Extract::Field(slot) => program.field(*slot).map(|field| field.id),
        Extract::Transformed(_) => None,
    }
}

fn value_json(value: &FieldValue<'_>) -> Value {
    match value {
        FieldValue::Missing => Value::Null,
        FieldValue::One(value) => scalar_json(value),
        FieldValue::Many(values) => values.iter().map(scalar_json).collect(),
    }
}

fn scalar_json(value: &Scalar<'_>) -> Value {
    match value {
        Scalar::Bool(flag) => Value::from(*flag),
        Scalar::Unsigned(number) => Value::from(*number),
        Scalar::Signed(number) => Value::from(*number),
        Scalar::Text(_) | Scalar::Ip(_) => Value::from(scalar_text(value).into_owned()),
    }
}

fn scalar_text<'v>(value: &'v Scalar<'_>) -> Cow<'v, str> {
    match value {
        Scalar::Text(text) => String::from_utf8_lossy(text),
        Scalar::Bool(flag) => Cow::Borrowed(if *flag { "true" } else { "false" }),
        Scalar::Unsigned(number) => Cow::Owned(number.to_string()),
        Scalar::Signed(number) => Cow::Owned(number.to_string()),
        Scalar::Ip(address) => Cow::Owned(address.to_string()),
    }
}

fn push_to_width(text: &mut String, shown: &str, width: usize) {
    if width == 0 {
        text.push_str(shown);
        return;
    }
    text.extend(shown.chars().chain(std::iter::repeat(' ')).take(width));
}

/// Where each use of a name that is going to be dropped stands, for warnings.
pub(crate) fn deprecation(place: Place) -> Problem {
    Problem::new(Code::Deprecated, place, "`evt.dir` and `%container.info` say nothing any more")
        .help("leave it out")
}
