//! Shape of the tables of fields that exist in Falco, but not in Clew yet.

use clew_event::field::{ArgumentForm, Multiplicity, ValueKind};

/// Which rules may use a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Rules of every source.
    Generic,
    /// Rules for system calls.
    Syscall,
    /// Rules of every source but system calls.
    Plugin,
    KubernetesAudit,
    Cloudtrail,
    GcpAudit,
    Github,
    Okta,
}

impl Scope {
    /// True where rules for `source` may use the field.
    pub(crate) fn covers(self, source: &str) -> bool {
        match self {
            Self::Generic => true,
            Self::Plugin => source != "syscall",
            _ => self.source() == source,
        }
    }

    /// The source whose rules may use the field, for messages.
    pub(crate) fn source(self) -> &'static str {
        match self {
            Self::Generic => "any",
            Self::Syscall => "syscall",
            Self::Plugin => "k8s_audit",
            Self::KubernetesAudit => "k8s_audit",
            Self::Cloudtrail => "aws_cloudtrail",
            Self::GcpAudit => "gcp_auditlog",
            Self::Github => "github",
            Self::Okta => "okta",
        }
    }
}

/// A field that exists, but that Clew does not provide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub scope: Scope,
    pub name: &'static str,
    /// `None` where the type depends on the argument.
    pub kind: Option<ValueKind>,
    pub multiplicity: Multiplicity,
    pub argument: ArgumentForm,
}

macro_rules! fields {
    ($($scope:ident $name:literal $kind:ident $many:ident $argument:ident,)*) => {
        &[$(Known {
            scope: super::known::Scope::$scope,
            name: $name,
            kind: super::known::kind!($kind),
            multiplicity: clew_event::field::Multiplicity::$many,
            argument: clew_event::field::ArgumentForm::$argument,
        },)*]
    };
}

macro_rules! kind {
    (Any) => {
        None
    };
    ($kind:ident) => {
        Some(clew_event::field::ValueKind::$kind)
    };
}

pub(super) use {fields, kind};
