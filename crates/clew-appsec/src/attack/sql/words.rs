//! Words of SQL, as far as injections are built from them.

use super::tokens::Kind;

/// Longest word of the lists below.
const WORD_BYTES_MAX: usize = 24;

/// What a word is, whatever stands beside it; `None` for a name.
pub(super) fn kind(word: &[u8]) -> Option<Kind> {
    let mut buffer = [0_u8; WORD_BYTES_MAX];
    let lower = lower(word, &mut buffer)?;
    Some(match lower {
        b"and" | b"or" | b"xor" => Kind::Logic,
        b"not" => Kind::Not,
        b"like" | b"rlike" | b"ilike" | b"regexp" | b"glob" | b"in" | b"is" | b"between"
        | b"similar" | b"sounds" | b"isnull" | b"notnull" | b"collate" | b"mod" | b"div" => {
            Kind::CompareWord
        }
        b"union" | b"intersect" | b"except" | b"minus" => Kind::Union,
        b"all" | b"distinct" | b"distinctrow" => Kind::All,
        b"select" => Kind::Select,
        b"from" => Kind::From,
        b"where" => Kind::Where,
        b"null" | b"true" | b"false" | b"sysdate" | b"current_user" | b"current_timestamp"
        | b"current_date" | b"current_time" | b"localtime" => Kind::Constant,
        b"insert" | b"update" | b"delete" | b"drop" | b"alter" | b"create" | b"truncate"
        | b"exec" | b"execute" | b"declare" | b"shutdown" | b"waitfor" | b"merge" | b"replace"
        | b"call" | b"grant" | b"revoke" | b"begin" | b"set" | b"print" | b"if" | b"copy"
        | b"load" | b"handler" | b"analyze" | b"vacuum" | b"use" | b"do" | b"rename"
        | b"attach" | b"pragma" | b"show" | b"desc" | b"describe" | b"explain" => Kind::Verb,
        b"order" | b"group" | b"having" | b"limit" | b"offset" | b"procedure" | b"into"
        | b"rows" | b"fetch" | b"window" | b"for" => Kind::Tail,
        b"by" => Kind::By,
        b"case" | b"when" | b"then" | b"else" => Kind::Case,
        _ => return None,
    })
}

/// Functions that injections call.
const FUNCTIONS: &[&[u8]] = &[
    b"abs",
    b"asc",
    b"ascii",
    b"benchmark",
    b"bin",
    b"cast",
    b"ceil",
    b"ceiling",
    b"char",
    b"char_length",
    b"character_length",
    b"chr",
    b"coalesce",
    b"compress",
    b"concat",
    b"concat_ws",
    b"connection_id",
    b"conv",
    b"convert",
    b"count",
    b"current_user",
    b"database",
    b"db_name",
    b"dbms_pipe.receive_message",
    b"decode",
    b"elt",
    b"encode",
    b"exists",
    b"exp",
    b"extractvalue",
    b"field",
    b"find_in_set",
    b"floor",
    b"generate_series",
    b"greatest",
    b"group_concat",
    b"has_dbaccess",
    b"hex",
    b"host_name",
    b"if",
    b"ifnull",
    b"iif",
    b"instr",
    b"is_member",
    b"is_srvrolemember",
    b"isnull",
    b"json_depth",
    b"json_extract",
    b"json_keys",
    b"json_search",
    b"lcase",
    b"least",
    b"left",
    b"len",
    b"length",
    b"likelihood",
    b"likely",
    b"load_extension",
    b"load_file",
    b"locate",
    b"lower",
    b"lpad",
    b"make_set",
    b"max",
    b"md5",
    b"mid",
    b"min",
    b"name_const",
    b"now",
    b"nullif",
    b"nvl",
    b"object_id",
    b"oct",
    b"openquery",
    b"openrowset",
    b"ord",
    b"pg_read_file",
    b"pg_sleep",
    b"pi",
    b"pow",
    b"quote",
    b"quotename",
    b"rand",
    b"randomblob",
    b"regexp_substring",
    b"repeat",
    b"replace",
    b"reverse",
    b"right",
    b"round",
    b"row",
    b"row_count",
    b"rpad",
    b"schema",
    b"schema_name",
    b"session_user",
    b"sha",
    b"sha1",
    b"sleep",
    b"soundex",
    b"space",
    b"sqlite_version",
    b"starts_with",
    b"str",
    b"strcmp",
    b"string_agg",
    b"substr",
    b"substring",
    b"substring_index",
    b"sum",
    b"suser_name",
    b"suser_sname",
    b"sys_context",
    b"system_user",
    b"to_base64",
    b"to_char",
    b"trim",
    b"truncate",
    b"ucase",
    b"unhex",
    b"unicode",
    b"unistr",
    b"unlikely",
    b"updatexml",
    b"upper",
    b"user",
    b"user_name",
    b"utl_http.request",
    b"utl_inaddr.get_host_address",
    b"uuid",
    b"values",
    b"version",
    b"xmltype",
];

pub(super) fn is_function(word: &[u8]) -> bool {
    let mut buffer = [0_u8; 32];
    lower(word, &mut buffer).is_some_and(|lower| FUNCTIONS.binary_search(&lower).is_ok())
}

fn lower<'a>(word: &[u8], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let lower = buffer.get_mut(..word.len())?;
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    Some(lower)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_functions_in_order_so_that_they_are_found() {
        assert!(FUNCTIONS.is_sorted());
        assert!(is_function(b"SubString"));
        assert!(!is_function(b"holiday"));
        assert!(!is_function(&[b'a'; WORD_BYTES_MAX * 2]));
    }
}
