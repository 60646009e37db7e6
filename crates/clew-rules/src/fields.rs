//! Which fields there are: those that Clew provides, and those that only Falco does.
//!
//! A rule that uses a field of the second kind is right, but cannot run here yet; its author gets
//! the name of the field and no error. A field of neither kind is an error, as in Falco.

mod event_names;
mod known;
mod known_syscall;

use clew_event::field::{ArgumentForm, FIELDS, Multiplicity, ValueKind};
use clew_event::{Field, FieldArgument, FieldId};
use rustc_hash::FxHashMap;

use crate::condition::FieldUse;
use crate::diagnostic::{Code, Problem, nearest};
use crate::traced::Place;
pub(crate) use event_names::is_event_name;
pub(crate) use known::{Known, Scope};

/// Fields of every event, not only of system calls.
const GENERIC: [&str; 7] = [
    "evt.num",
    "evt.time",
    "evt.time.iso8601",
    "evt.rawtime",
    "evt.source",
    "evt.hostname",
    "evt.plugininfo",
];

/// Fields whose argument may follow a dot: `evt.arg.flags`.
const DOTTED: [&str; 6] =
    ["evt.arg", "evt.rawarg", "evt.type.is", "evt.around", "evt.abspath", "thread.cgroup"];

/// All fields by their names.
#[derive(Debug)]
pub(crate) struct Registry {
    fields: FxHashMap<&'static str, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    known: Known,
    id: Option<FieldId>,
}

/// A field with its argument, as a rule uses it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    /// Its name without the argument.
    pub name: &'static str,
    /// `None` where the type depends on the argument.
    pub kind: Option<ValueKind>,
    /// How many values it has as it is used: an ancestor by its number has one.
    pub multiplicity: Multiplicity,
    /// How to ask an event for it; `None` where Clew does not provide it.
    pub field: Option<Field>,
    /// True for a field that compares in its own way and cannot stand on the right side.
    pub is_left_only: bool,
    /// True where no transformer can be used on it.
    pub is_untransformable: bool,
    /// True where it cannot be shown in an output.
    pub is_for_conditions_only: bool,
}

impl Registry {
    pub(crate) fn new() -> Self {
        let provided = FIELDS.iter().map(|spec| {
            let known = Known {
                scope: scope(spec.name),
                name: spec.name,
                kind: Some(spec.kind),
                multiplicity: spec.multiplicity,
                argument: spec.argument,
            };
            (spec.name, Entry { known, id: Some(spec.id) })
        });
        let table = known_syscall::FIELDS.iter();
        let mut fields: FxHashMap<_, _> =
            table.map(|known| (known.name, Entry { known: *known, id: None })).collect();
        fields.extend(provided);
        Self { fields }
    }

    /// The field that a rule for `source` means.
    ///
    /// # Errors
    /// There is no such field for that source, or its argument does not fit.
    pub(crate) fn resolve(&self, used: &FieldUse, source: &str) -> Result<Resolved, Problem> {
        let (entry, argument) = self.find(used).ok_or_else(|| self.unknown(used, source))?;
        if !entry.known.scope.covers(source) {
            let message = format!(
                "`{}` is a field of source `{}`, and this rule is for `{source}`",
                entry.known.name,
                entry.known.scope.source()
            );
            return Err(Problem::new(Code::UnknownField, used.place, message));
        }
        let argument = parse_argument(entry, argument, used)?;
        Ok(resolved(entry, argument, used))
    }

    /// True where rules for `source` have a field of that name, whatever its argument.
    pub(crate) fn has(&self, name: &str, source: &str) -> bool {
        let place = Place::default();
        let used = FieldUse { name: name.into(), argument: None, place };
        self.find(&used).is_some_and(|(entry, _)| entry.known.scope.covers(source))
    }

    /// The entry by the longest name that fits, and the argument.
    fn find<'a>(&self, used: &'a FieldUse) -> Option<(Entry, Option<&'a str>)> {
        if let Some(entry) = self.fields.get(&*used.name) {
            return Some((*entry, used.argument.as_deref()));
        }
        let name = *DOTTED.iter().find(|name| {
            used.name.strip_prefix(**name).is_some_and(|rest| rest.starts_with('.'))
        })?;
        let argument = used.name.get(name.len() + 1..)?;
        let entry = self.fields.get(name)?;
        used.argument.is_none().then_some((*entry, Some(argument)))
    }

    fn unknown(&self, used: &FieldUse, source: &str) -> Problem {
        let problem =
            Problem::new(Code::UnknownField, used.place, format!("`{}` is no field", used.name));
        let mut names: Vec<&str> = self
            .fields
            .values()
            .filter(|entry| entry.known.scope.covers(source))
            .map(|entry| entry.known.name)
            .collect();
        names.sort_unstable();
        match nearest(&used.name, names) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem,
        }
    }
}

/// Which rules may use a field that Clew provides.
fn scope(name: &str) -> Scope {
    if GENERIC.contains(&name) {
        return Scope::Generic;
    }
    match name.split('.').next() {
        Some("ka") => Scope::KubernetesAudit,
        Some("ct" | "s3" | "ec2" | "ecr" | "iam") => Scope::Cloudtrail,
        Some("gcp") => Scope::GcpAudit,
        Some("github") => Scope::Github,
        Some("okta") => Scope::Okta,
        Some("json" | "jevt" | "identity") => Scope::Plugin,
        _ => Scope::Syscall,
    }
}

/// True where an argument that looks like a number is still a name.
fn takes_names(entry: Entry) -> bool {
    match entry.known.scope {
        Scope::Plugin | Scope::KubernetesAudit => true,
        Scope::Generic
        | Scope::Syscall
        | Scope::Cloudtrail
        | Scope::GcpAudit
        | Scope::Github
        | Scope::Okta => entry.id == Some(FieldId::ContainerLabel),
    }
}

fn parse_argument(
    entry: Entry,
    argument: Option<&str>,
    used: &FieldUse,
) -> Result<FieldArgument, Problem> {
    let name = entry.known.name;
    let problem = |message: String| Problem::new(Code::FieldArgument, used.place, message);
    match (entry.known.argument, argument) {
        (ArgumentForm::None, Some(_)) => Err(problem(format!("`{name}` takes no argument"))),
        (ArgumentForm::Required, None) => {
            Err(problem(format!("`{name}` needs an argument")).help(format!("write `{name}[…]`")))
        }
        (ArgumentForm::None | ArgumentForm::Optional | ArgumentForm::OptionalIndex, None) => {
            Ok(FieldArgument::None)
        }
        (ArgumentForm::OptionalIndex, Some(text)) => match text.parse() {
            Ok(index) => Ok(FieldArgument::Index(index)),
            Err(_) => Err(problem(format!("`{name}` takes a number, not `{text}`"))),
        },
        (ArgumentForm::Optional, Some(text)) => Ok(FieldArgument::Key(text.into())),
        (ArgumentForm::Required, Some(text)) => {
            let index = if takes_names(entry) { None } else { text.parse().ok() };
            Ok(index.map_or_else(|| FieldArgument::Key(text.into()), FieldArgument::Index))
        }
    }
}

fn resolved(entry: Entry, argument: FieldArgument, used: &FieldUse) -> Resolved {
    let Known { name, kind, multiplicity, .. } = entry.known;
    let has_sides = multiplicity == Multiplicity::Sides || kind == Some(ValueKind::Net);
    let is_ancestor = multiplicity == Multiplicity::Ancestors;
    let is_domain = name.starts_with("fd.") && name.ends_with("ip.name");
    let compares_itself =
        has_sides || is_ancestor || is_domain || kind.is_none() || name == "fd.types";
    let has_index = argument != FieldArgument::None;
    Resolved {
        name,
        kind,
        multiplicity: match multiplicity {
            Multiplicity::Ancestors if has_index => Multiplicity::One,
            // An address has several names: `=` holds where one is equal, `!=` where none is.
            _ if is_domain => Multiplicity::Sides,
            _ => multiplicity,
        },
        field: entry.id.map(|id| Field { id, argument }),
        is_left_only: compares_itself,
        is_untransformable: compares_itself && used.name.as_ref() != "fd.types",
        is_for_conditions_only: has_sides,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(name: &str, argument: Option<&str>, source: &str) -> Result<Resolved, Problem> {
        let argument = argument.map(Into::into);
        let used = FieldUse { name: name.into(), argument, place: Place::default() };
        Registry::new().resolve(&used, source)
    }

    #[test]
    fn arguments_follow_a_dot_or_stand_in_brackets() {
        let check = |name: &str, argument: Option<&str>, id: FieldId, expected: FieldArgument| {
            let field = resolve(name, argument, "syscall").unwrap().field.unwrap();
            assert_eq!(field, Field { id, argument: expected }, "{name}");
        };
        check("evt.arg.flags", None, FieldId::EvtArg, FieldArgument::Key("flags".into()));
        check("evt.arg", Some("flags"), FieldId::EvtArg, FieldArgument::Key("flags".into()));
        check("evt.arg", Some("1"), FieldId::EvtArg, FieldArgument::Index(1));
        check("evt.args", None, FieldId::EvtArgs, FieldArgument::None);
        check("proc.aname", Some("2"), FieldId::ProcAname, FieldArgument::Index(2));
        check("proc.aname", None, FieldId::ProcAname, FieldArgument::None);
        check("proc.env", Some("1"), FieldId::ProcEnv, FieldArgument::Key("1".into()));
    }

    #[test]
    fn fields_of_records_are_for_rules_of_their_log() {
        let check = |name: &str, argument: Option<&str>, source: &str, expected: FieldArgument| {
            let field = resolve(name, argument, source).unwrap().field.unwrap();
            assert_eq!((field.id.spec().name, field.argument), (name, expected));
        };
        let key = |text: &str| FieldArgument::Key(text.into());
        let image = "ka.req.pod.containers.image.repository";
        check(image, Some("0"), "k8s_audit", FieldArgument::Index(0));
        check(image, None, "k8s_audit", FieldArgument::None);
        check("ka.uri.param", Some("1"), "k8s_audit", key("1"));
        check("jevt.value", Some("/stage"), "k8s_audit", key("/stage"));
        check("json.value", Some("/a/b"), "aws_cloudtrail", key("/a/b"));
        check("json.value", Some("0"), "gcp_auditlog", key("0"));
        check("okta.mfa.deny.countlast", Some("300"), "okta", FieldArgument::Index(300));
        check("s3.bucket", None, "aws_cloudtrail", FieldArgument::None);
        check("evt.plugininfo", None, "github", FieldArgument::None);
        assert!(resolve("json.value", Some("/a"), "syscall").is_err());
        assert!(resolve("ct.name", None, "okta").is_err());
        assert!(resolve(image, Some("x"), "k8s_audit").is_err());
    }

    #[test]
    fn what_is_not_a_field_is_refused_with_the_nearest_name() {
        let check = |name: &str, argument: Option<&str>, source: &str, code: Code, help: &str| {
            let problem = resolve(name, argument, source).unwrap_err();
            assert_eq!((problem.code, problem.help.as_str()), (code, help), "{name}");
        };
        let no_field = Code::UnknownField;
        check("proc.nmae", None, "syscall", no_field, "did you mean `proc.name`?");
        check("proc.namefoo", None, "syscall", no_field, "did you mean `proc.name`?");
        check("ka.verb", None, "syscall", no_field, "");
        check("proc.name", None, "k8s_audit", no_field, "");
        check("proc.name", Some("1"), "syscall", Code::FieldArgument, "");
        check("evt.arg", None, "syscall", Code::FieldArgument, "write `evt.arg[…]`");
        check("proc.aname", Some("x"), "syscall", Code::FieldArgument, "");
    }

    #[test]
    fn fields_that_only_falco_has_are_known_but_not_provided() {
        let check = |name: &str, argument: Option<&str>, source: &str| {
            let resolved = resolve(name, argument, source).unwrap();
            assert_eq!(resolved.field, None, "{name}");
        };
        check("evt.rawarg.flags", None, "syscall");
        check("krsi.name", None, "syscall");
        assert!(resolve("evt.num", None, "github").unwrap().field.is_some());
    }

    #[test]
    fn event_names_stand_in_order() {
        assert!(event_names::EVENT_NAMES.is_sorted());
        assert!(is_event_name("execve") && is_event_name("io_uring_enter"));
        assert!(!is_event_name("execv"));
        for kind in clew_event::EventType::ALL {
            assert!(kind.name().is_empty() || is_event_name(kind.name()), "{kind:?}");
        }
    }
}
