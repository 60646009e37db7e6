//! The tree of a condition.

use crate::traced::Place;

/// A condition or part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    And(Vec<Self>),
    Or(Vec<Self>),
    Not(Box<Self>),
    /// A macro by its name.
    Macro(Box<str>, Place),
    Check(Box<Check>),
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Check {
    pub place: Place,
    pub left: Operand,
    pub test: Test,
}

/// What is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operand {
    Field(FieldUse),
    Transformed {
        transformer: Transformer,
        arguments: Vec<Argument>,
        /// What stands in brackets behind the parenthesis: an option of `getopt`.
        selector: Option<Box<str>>,
        place: Place,
    },
}

/// A field as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldUse {
    pub name: Box<str>,
    /// What stands in brackets.
    pub argument: Option<Box<str>>,
    pub place: Place,
}

/// An argument of a transformer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Argument {
    Operand(Operand),
    Value(Value),
    List(Vec<Self>),
}

/// A value as it is written, unescaped. Bytes, because `\xff` is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Value {
    pub bytes: Box<[u8]>,
    pub place: Place,
}

/// How it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Test {
    Exists,
    Compare { operator: Operator, modifier: Option<Modifier>, right: Right, place: Place },
}

/// With what it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Right {
    Value(Value),
    /// In parentheses.
    List(Vec<Value>),
    Operand(Operand),
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub(crate) enum $name { $($variant,)* }

        impl $name {
            /// As it is written.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

names! {
    /// A comparison operator; `==` is written `=`.
    Operator {
        Eq "=",
        Ne "!=",
        Lt "<",
        Le "<=",
        Gt ">",
        Ge ">=",
        Contains "contains",
        Icontains "icontains",
        Bcontains "bcontains",
        Startswith "startswith",
        Bstartswith "bstartswith",
        Endswith "endswith",
        Glob "glob",
        Iglob "iglob",
        Regex "regex",
        In "in",
        Intersects "intersects",
        Pmatch "pmatch",
    }
}

names! {
    /// How many of the listed values have to hold.
    Modifier {
        Oneof "oneof",
        Anyof "anyof",
        Allof "allof",
    }
}

names! {
    /// A function of values; `val` changes nothing and marks a field on the right.
    Transformer {
        Tolower "tolower",
        Toupper "toupper",
        B64 "b64",
        Basename "basename",
        Len "len",
        Join "join",
        Concat "concat",
        Getopt "getopt",
        Val "val",
    }
}

impl Operand {
    pub(crate) fn place(&self) -> Place {
        match self {
            Self::Field(field) => field.place,
            Self::Transformed { place, .. } => *place,
        }
    }
}
