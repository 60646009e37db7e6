//! Prints the C header of the records, with an assertion for every size and offset.
//!
//! The assertions are generated from Rust's own `offset_of!`, so a C compiler that lays a struct
//! out differently refuses to build the BPF programs: equality is proved where they are compiled.

use std::fmt::Write as _;

use crate::{limits, record};

/// A type by its name in C.
pub trait CType {
    /// The name, such as `__u32`.
    fn c_name() -> String;

    /// What stands after the field's name: `[16]`, or nothing.
    #[must_use]
    fn c_array() -> String {
        String::new()
    }
}

macro_rules! c_types {
    ($($type:ty = $name:literal,)*) => {$(
        impl CType for $type {
            fn c_name() -> String {
                $name.to_owned()
            }
        }
    )*};
}

c_types! { u8 = "__u8", u16 = "__u16", u32 = "__u32", u64 = "__u64", i32 = "__s32", i64 = "__s64", }

impl<T: CType, const N: usize> CType for [T; N] {
    fn c_name() -> String {
        T::c_name()
    }

    fn c_array() -> String {
        format!("[{N}]")
    }
}

/// One struct as C sees it.
#[derive(Debug)]
pub(crate) struct CStruct {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) size: usize,
    pub(crate) fields: Vec<CField>,
}

/// One field of it.
#[derive(Debug)]
pub(crate) struct CField {
    pub(crate) name: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) c_type: String,
    pub(crate) c_array: String,
    pub(crate) offset: usize,
}

/// The text of `bpf/lib/wire.h`.
#[must_use]
pub fn text() -> String {
    let mut text = String::from(
        "/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */\n\
         /*\n * wire: the records that the programs write and user space reads.\n *\n \
         * Generated from crates/clew-wire by `cargo xtask codegen`; do not edit.\n */\n\
         #pragma once\n\n",
    );
    for (name, value, doc) in limits::c_constants() {
        writeln!(text, "/* {} */\n#define {name} {value}", one_line(doc)).ok();
    }
    for found in record::c_structs() {
        print_struct(&mut text, &found);
    }
    text
}

fn print_struct(text: &mut String, printed: &CStruct) {
    writeln!(text, "\n/* {} */\nstruct {} {{", one_line(printed.doc), printed.name).ok();
    for CField { name, doc, c_type, c_array, .. } in &printed.fields {
        writeln!(text, "\t/* {} */\n\t{c_type} {name}{c_array};", one_line(doc)).ok();
    }
    writeln!(text, "}};").ok();
    let (name, size) = (printed.name, printed.size);
    writeln!(text, "_Static_assert(sizeof(struct {name}) == {size}, \"{name}\");").ok();
    for CField { name: field, offset, .. } in &printed.fields {
        writeln!(
            text,
            "_Static_assert(__builtin_offsetof(struct {name}, {field}) == {offset}, \"{field}\");"
        )
        .ok();
    }
}

/// A doc comment on one line.
fn one_line(doc: &str) -> String {
    doc.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_header_is_current() -> std::io::Result<()> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../bpf/lib/wire.h");
        assert!(std::fs::read_to_string(path)? == text(), "run `cargo xtask codegen`");
        Ok(())
    }

    #[test]
    fn every_field_has_an_assertion() {
        let text = text();
        let structs = record::c_structs();
        let expected: usize = structs.iter().map(|found| 1 + found.fields.len()).sum();
        assert_eq!(text.matches("_Static_assert").count(), expected);
        assert!(text.contains("offsetof(struct clew_fork, child_start_ns) == 64"));
        assert!(text.contains("\t__u8 comm[16];\n"));
        assert!(text.contains("#define WIRE_VERSION 1\n"));
    }
}
