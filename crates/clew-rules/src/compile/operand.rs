//! Fields and transformers: their types, and where their values come from.

use clew_event::field::{Multiplicity, ValueKind};

use super::condition::Compiler;
use super::typing::Type;
use crate::condition::{Argument, Operand, Transformer};
use crate::diagnostic::{Code, Problem};
use crate::fields::Resolved;
use crate::judge::predicate::Extract;
use crate::judge::transform::{Input, Transformed};
use crate::traced::Place;

/// Fields that the original keeps in 32 bits.
const FIELDS_OF_32_BITS: [&str; 3] = ["user.uid", "group.gid", "proc.tty"];

const TEXT: Type = Type {
    kind: Some(ValueKind::Text),
    multiplicity: Multiplicity::One,
    is_left_only: false,
    is_32_bits: false,
};
const TEXTS: Type = Type { multiplicity: Multiplicity::List, ..TEXT };

/// A side of a comparison, compiled. Without `extract` a field in it is not provided.
#[derive(Debug)]
pub(crate) struct Side {
    pub(super) class: Type,
    pub extract: Option<Extract>,
    pub is_untransformable: bool,
    pub is_for_conditions_only: bool,
}

/// An argument of a transformer, compiled.
struct Compiled {
    class: Type,
    input: Option<Input>,
    is_untransformable: bool,
}

impl Compiler<'_> {
    pub(crate) fn side(&mut self, operand: &Operand) -> Result<Side, Problem> {
        match operand {
            Operand::Field(used) => {
                let resolved = self.registry.resolve(used, self.source)?;
                self.findings.used_fields.insert(used.to_string());
                Ok(self.field_side(resolved, used.place))
            }
            Operand::Transformed { transformer, arguments, selector, place } => {
                let call = Call {
                    transformer: *transformer,
                    selector: selector.as_deref(),
                    place: *place,
                };
                self.transformed_side(&call, arguments)
            }
        }
    }

    fn field_side(&mut self, resolved: Resolved, place: Place) -> Side {
        let class = Type {
            kind: resolved.kind,
            multiplicity: resolved.multiplicity,
            is_left_only: resolved.is_left_only,
            is_32_bits: FIELDS_OF_32_BITS.contains(&resolved.name),
        };
        if resolved.field.is_none() {
            self.findings.missing_fields.entry(resolved.name.to_owned()).or_insert(place);
        }
        Side {
            class,
            extract: resolved.field.map(|field| Extract::Field(self.pool.slot(field))),
            is_untransformable: resolved.is_untransformable,
            is_for_conditions_only: resolved.is_for_conditions_only,
        }
    }

    fn transformed_side(
        &mut self,
        call: &Call<'_>,
        arguments: &[Argument],
    ) -> Result<Side, Problem> {
        let compiled: Vec<Compiled> =
            arguments.iter().map(|argument| self.argument(argument)).collect::<Result<_, _>>()?;
        if call.transformer == Transformer::Val {
            return self.val_side(call, arguments);
        }
        let class = call.result(&compiled)?;
        let is_of_list = compiled.first().is_some_and(|argument| argument.class.is_list());
        let inputs: Option<Box<[Input]>> =
            compiled.into_iter().map(|argument| argument.input).collect();
        let extract = inputs.map(|arguments| {
            Extract::Transformed(Box::new(Transformed {
                transformer: call.transformer,
                arguments,
                selector: call.selector.and_then(|selector| selector.bytes().next()),
                is_of_list,
            }))
        });
        Ok(Side { class, extract, is_untransformable: false, is_for_conditions_only: false })
    }

    /// `val(field)` is the field.
    fn val_side(&mut self, call: &Call<'_>, arguments: &[Argument]) -> Result<Side, Problem> {
        if call.selector.is_some() {
            return Err(call.problem("`val` takes nothing in brackets"));
        }
        match arguments {
            [Argument::Operand(operand)] => self.side(operand),
            _ => Err(call.problem("`val` takes one field")),
        }
    }

    fn argument(&mut self, argument: &Argument) -> Result<Compiled, Problem> {
        match argument {
            Argument::Operand(operand) => {
                let side = self.side(operand)?;
                Ok(Compiled {
                    class: side.class,
                    input: side.extract.map(Input::Extract),
                    is_untransformable: side.is_untransformable,
                })
            }
            Argument::Value(value) => Ok(Compiled {
                class: TEXT,
                input: Some(Input::Text(value.bytes.clone())),
                is_untransformable: false,
            }),
            Argument::List(arguments) => {
                let compiled: Vec<Compiled> = arguments
                    .iter()
                    .map(|argument| self.argument(argument))
                    .collect::<Result<_, _>>()?;
                let inputs: Option<Box<[Input]>> =
                    compiled.into_iter().map(|argument| argument.input).collect();
                let input = inputs.map(Input::List);
                Ok(Compiled { class: TEXTS, input, is_untransformable: false })
            }
        }
    }
}

/// A use of a transformer.
struct Call<'a> {
    transformer: Transformer,
    selector: Option<&'a str>,
    place: Place,
}

impl Call<'_> {
    /// The type of what it gives, if it takes these arguments.
    fn result(&self, arguments: &[Compiled]) -> Result<Type, Problem> {
        let name = self.transformer.name();
        if self.selector.is_some() && self.transformer != Transformer::Getopt {
            return Err(self.problem(&format!("`{name}` takes nothing in brackets")));
        }
        match (self.transformer, arguments) {
            (
                Transformer::Tolower
                | Transformer::Toupper
                | Transformer::Basename
                | Transformer::B64
                | Transformer::Len
                | Transformer::Val,
                [argument],
            ) => self.result_of_one(argument),
            (Transformer::Join, [separator, list]) => {
                if separator.class.is_list() || !list.class.is_list() {
                    return Err(self.problem("`join` takes a separator and a list"));
                }
                Ok(TEXT)
            }
            (Transformer::Concat, [_, _, ..]) => {
                let is_text = |argument: &Compiled| argument.class.fits(TEXT);
                if arguments.iter().all(is_text) {
                    Ok(TEXT)
                } else {
                    Err(self.problem("`concat` takes texts"))
                }
            }
            (Transformer::Getopt, [list, options]) => {
                if !list.class.fits(TEXTS) || !options.class.fits(TEXT) {
                    return Err(self.problem("`getopt` takes a list of texts and a text"));
                }
                match self.selector {
                    None => Ok(TEXTS),
                    Some(selector) if selector.len() == 1 => Ok(TEXT),
                    Some(_) => Err(self.problem("`getopt(…)[…]` takes one letter")),
                }
            }
            _ => Err(self.problem(&format!("`{name}` takes another number of arguments"))),
        }
    }

    fn result_of_one(&self, argument: &Compiled) -> Result<Type, Problem> {
        use ValueKind as K;
        let name = self.transformer.name();
        if argument.is_untransformable {
            return Err(self.problem(&format!("`{name}` cannot be used on this field")));
        }
        let class = argument.class;
        let is_taken = match self.transformer {
            Transformer::B64 => matches!(class.kind, Some(K::Text | K::Path | K::Bytes) | None),
            Transformer::Len => {
                class.is_list() || matches!(class.kind, Some(K::Text | K::Path | K::Bytes) | None)
            }
            _ => matches!(class.kind, Some(K::Text | K::Path) | None),
        };
        if !is_taken {
            return Err(self.problem(&format!("`{name}` cannot be used on {}", class.name())));
        }
        let multiplicity = match (self.transformer, class.multiplicity) {
            (Transformer::Len, _) => Multiplicity::One,
            (_, multiplicity) => multiplicity,
        };
        let kind = match self.transformer {
            Transformer::Len => Some(K::Unsigned),
            _ => class.kind,
        };
        Ok(Type { kind, multiplicity, is_left_only: false, is_32_bits: false })
    }

    fn problem(&self, message: &str) -> Problem {
        Problem::new(Code::Transformer, self.place, message)
    }
}
