//! Makes a wire record out of a struct, and reads and writes it as bytes.
//!
//! The macro is the only place that lists fields: it gives the `repr(C)` struct, the proof that it
//! has no padding, and the fields' names and offsets from which the C header is printed.

/// A plain record of the wire: `repr(C)`, no padding, every bit pattern is a value.
///
/// # Safety
/// The implementor must be `repr(C)`, free of padding, and valid for any bytes. Only the macro of
/// this module implements it, for structs whose fields are integers, arrays of integers, or such
/// structs again, and it asserts the absence of padding at compile time.
pub unsafe trait Record: Copy + Default {
    /// Name of the struct in C, without `struct`.
    const C_NAME: &'static str;
}

/// Reads a record from the start of `bytes`; `None` where they are too short for it.
#[must_use]
pub fn read<T: Record>(bytes: &[u8]) -> Option<T> {
    if bytes.len() < size_of::<T>() {
        return None;
    }
    // SAFETY: the pointer is valid for `size_of::<T>()` bytes (checked above), `read_unaligned`
    // asks for no alignment, and a `Record` is valid for any bytes.
    Some(unsafe { bytes.as_ptr().cast::<T>().read_unaligned() })
}

/// The bytes of a record as the kernel would write them.
#[must_use]
pub fn as_bytes<T: Record>(record: &T) -> &[u8] {
    // SAFETY: the record is valid for reads of its own size, has no padding and therefore no
    // uninitialized byte, and lives as long as the slice.
    unsafe { core::slice::from_raw_parts(core::ptr::from_ref(record).cast::<u8>(), size_of::<T>()) }
}

/// Defines the records; see the module.
macro_rules! records {
    ($(
        $(#[doc = $doc:literal])*
        struct $name:ident = $c_name:literal {
            $( $(#[doc = $field_doc:literal])* $field:ident: $type:ty, )*
        }
    )*) => {
        $(
            $(#[doc = $doc])*
            #[repr(C)]
            #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
            pub struct $name { $( $(#[doc = $field_doc])* pub $field: $type, )* }

            const _: () = assert!(
                size_of::<$name>() == 0 $( + size_of::<$type>() )*,
                concat!("`", stringify!($name), "` has padding"),
            );

            // SAFETY: `repr(C)` by the attribute above, no padding by the assertion above, and
            // integers, arrays of them and other records are valid for any bytes.
            unsafe impl $crate::Record for $name {
                const C_NAME: &'static str = $c_name;
            }

            #[cfg(any(test, feature = "codegen"))]
            impl $crate::c_header::CType for $name {
                fn c_name() -> String { concat!("struct ", $c_name).to_owned() }
            }
        )*

        /// Every record in the order in which C needs them.
        #[cfg(any(test, feature = "codegen"))]
        pub(crate) fn c_structs() -> Vec<$crate::c_header::CStruct> {
            use $crate::c_header::{CField, CStruct, CType};
            vec![$( CStruct {
                name: $c_name,
                doc: concat!($($doc, "\n"),*),
                size: size_of::<$name>(),
                fields: vec![$( CField {
                    name: stringify!($field),
                    doc: concat!($($field_doc, "\n"),*),
                    c_type: <$type as CType>::c_name(),
                    c_array: <$type as CType>::c_array(),
                    offset: core::mem::offset_of!($name, $field),
                } ),*],
            } ),*]
        }
    };
}
pub(crate) use records;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Fork;

    #[test]
    fn a_record_survives_its_bytes_at_any_alignment() {
        let fork = Fork { child_tid: 7, ..Fork::default() };
        let mut bytes = vec![0];
        bytes.extend_from_slice(as_bytes(&fork));
        assert_eq!(read::<Fork>(&bytes[1..]), Some(fork));
    }

    #[test]
    fn a_short_record_is_refused() {
        let bytes = vec![0; size_of::<Fork>() - 1];
        assert_eq!(read::<Fork>(&bytes), None);
    }
}
