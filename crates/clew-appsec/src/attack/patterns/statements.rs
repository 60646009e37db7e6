//! SQL, where a structure needs no quote to be left: names of catalogues, functions and fragments.

use super::{Class, Pattern, View};

const fn p(
    bits: f64,
    literals: &'static [&'static str],
    regex: &'static str,
    says: &'static str,
) -> Pattern {
    Pattern::new(Class::Sql, bits, literals, regex, says).seen(View::Stripped)
}

pub(super) const LIST: &[Pattern] = &[
    p(
        2.0,
        &["information_schema", "pg_catalog", "sysobjects", "syscolumns", "sysusers", "mysql.user",
          "mysql.db", "sysdatabases", "sysibm", "msysa", "msysq", "msyso", "msysr", "sqlite_master", "sqlite_temp_master",
          "user_tables", "all_tables", "user_tab_columns", "all_tab", "user_users", "user_objects", "user_constraints", "db_miwf", "tempdb", "msdb", "master..", "pg_user", "pg_shadow", "northwind", "user_group", "user_pass", "database_name", "sys.database", "sys.user_", "dba_users", "schema_name"],
        r"\b(?:information_schema|pg_catalog|sysobjects|syscolumns|sysusers|sysdatabases|sysibm|mysql\.(?:user|db)|msys(?:ac|objects|queries|relationships|modules)\w*|sqlite_(?:temp_)?master|(?:user|all)_(?:tables|tab_columns|tab|users|objects|constraints)|(?:tempdb|master)\.\.|pg_(?:user|shadow)|sys\.(?:database|user_)\w+|dba_users|schema_name\b|\b(?:tempdb|msdb)\b|\bnorthwind\b)",
        "names a catalogue of a database",
    ),
    p(
        2.0,
        &["sleep", "benchmark", "load_file", "extractvalue", "updatexml", "xp_", "sp_",
          "dbms_", "utl_", "randomblob", "openrowset", "openquery", "waitfor", "@@", "lo_", "pg_"],
        r"(?:\b(?:sleep|pg_sleep)\s?\(\s?[\d.'\x22]|\bbenchmark\s?\(\s?[\d.]+.{0,8},|\b(?:load_file|extractvalue|updatexml|randomblob)\s?\(\s?[\w'\x22(]|\b(?:open(?:rowset|query))\s?\(|\b(?:xp|sp)_(?:cmdshell|reg\w+|dirtree|enum\w+|availablemedia|execresultset|fileexist|loginconfig|makecab|ntsec\w*|servicecontrol|subdirs|terminate\w*|filelist|oa\w+|prepare|executesql|sqlexec|makewebtask|password|addextendedproc|execute\w*|is_srvrole\w*|helpdb|configure|addlogin\w*|addsrvrole\w*|replwrite\w*|who|server\w*|process\w*)\b|\b(?:dbms|utl)_(?:\w+\.)\w+|\bwaitfor\s+(?:delay|time)\s*['\x22\d]|@@(?:version|servername|spid|datadir|hostname|basedir|pack_received|global\.|language|connections|cpu_busy|fetch_status)\b|\blo_(?:import|get|from_bytea|export|put)\s?\(|\bpg_(?:ls_dir|read_file|read_binary_file|stat_file|sleep|terminate_backend|catalog)\b|select\s+pg_sleep)",
        "calls a function of a database",
    ),
    p(
        1.0,
        &["database", "db_name", "group_concat", "connection_id", "current_user", "last_insert_id", "sqlite_version", "system_user", "current_catalog", "session_user", "load_extension", "row_count", "schema", "version", "user", "is_member", "charindex", "unhex", "coalesce", "concat", "char", "substr", "json_extract", "json_", "if", "case", "ascii", "bin"],
        r"(?:^|[\s,(+\-*/=|&'\x22;])(?:(?:database|db_name|group_concat|connection_id|current_user|last_insert_id|sqlite_version|system_user|session_user|load_extension|row_count|is_member|is_srvrolemember|unhex|found_rows|user_name|schema|version|current_catalog)\s?\(\s?[)'\x22\dx]?|(?:char|chr)\s?\(\s?(?:0x)?\d{1,3}\s?[,)]|concat(?:_ws)?\s?\(\s?(?:0x|char|@|version|user|\d|'|\x22|\()|(?:substr(?:ing)?|mid|ascii|ord|hex|length|bin)\s?\(\s?(?:\(?\s?select\b|user|database|version|@@|password|current|1\.e|substr)|json_(?:extract|keys|depth)\s?\()",
        "calls a function of a database",
    ),
    p(
        1.5,
        &["union", "except", "intersect"],
        r"(?:\bunion\b[\s(]*(?:all|distinct)?[\s(]*\bselect\b|(?:^|[^\w\s])\s*(?:union|except|intersect)\s+(?:all\s+)?(?:select[.\s@]|values\s?\())",
        "joins another query",
    ),
    p(
        1.5,
        &["select"],
        r"(?:\bselect\b[\s(]*(?:(?:top|distinct|all)\s+\d*\s*)?(?:\*|@@?\w|\w+\s?\(|null\b|(?:0x[0-9a-f]+|\d+)\s*(?:,|from|$)|[\w.`]+\s*,|'[^']*'\s*(?:,|from\b|--|\))|case\b)|\bselect\b.{1,100}?\bfrom\b\s*(?:[`(\[]|information|dual\b|\w+\s*(?:where\b|$|--|limit\b|#|;|\)))|^select\s+\w+\s+from\s+\w+$|\(\s*select\s+[\w.]+)",
        "holds a query",
    ),
    p(
        1.0,
        &["from", " as", ")as"],
        r"(?:\bfrom\s?\(\s?select|\bfrom\s+[`\[]\w+[`\]](?:\.|\s*(?:limit|where))|\bas\s+[`'\x22]\w+[`'\x22]\s*from\b|\bfrom\b\W+information_schema|\bfrom\s+\w+\.\.\w+|\bas\b\W*?\bfrom\b|\)\s*as\s+\w+\s+from\b|\bfrom\s+[\w`\x22]+\s+(?:group|order)\s+by\b|\bfrom\s+[\w`\x22]+\s+where\s+[\w`.]+(?:\s*[=(]))",
        "holds a piece of a query",
    ),
    p(
        1.0,
        &["order by", "group by", "order  by", "having", "limit", "procedure", "rlike", "regexp"],
        r"(?:^[\s'\x22);,]*(?:order|group)\s+by\b\s*(?:$|[\d(]|\w+\s*(?:$|--|#|,\s*\d|asc\b|desc\b))|\b(?:order|group)\s+by\s+\d+\s*(?:$|--|#|/\*|,\s*\d)|\bhaving\b\s*(?:[\d'\x22(]|\w+\s*[=<>])|\blimit\s+\d+\s*,\s*\d|\bprocedure\s+analyse\b|`\s*regexp\b|\b(?:rlike|regexp)\s*(?:\(|sleep|'|\x22|0x))",
        "holds a clause of a query",
    ),
    p(
        1.5,
        &["insert", "values", "0x", "',", "update", "delete", "drop", "alter", "create", "truncate", "replace", "declare", "exec", "shutdown", "handler", "analyze", "execute", "load data", "into outfile", "into dumpfile", "deallocate", "backup"],
        r"(?:\b(?:insert|replace)\s+into\s+[\w.`\[\]]+\s*(?:\(|values|select|$)|\bupdate\s+[\w.`\[\]]+\s+set\s+[\w.`\[\]]+\s*=|\bdelete\s+from\s+[\w.`]+\s*(?:where|;|$|--)|\b(?:drop|alter|create|truncate)\s+(?:table|database|schema|procedure|view|login|trigger|(?:or\s+replace\s+)?(?:function|procedure))\s+[\w`\[]|\bdeclare\s*@\w|\bvalues\s*\(\s*['\x22]|\bexecute\s?\(\s*$|['\x22]\s*,\s*(?:0x[0-9a-f]|\(\d|'\w*'\s*=)|\bexec(?:ute)?\s*\(\s*[@'\x22]|\bexec(?:ute)?\s+(?:master\b|sp_|xp_|immediate\b)|\bload\s+data\b.{0,40}\binfile\b|\binto\s+(?:out|dump)file\b|;\s*(?:drop|shutdown|handler|analyze|deallocate|backup)\b|\bdrop\s+\w+\s*;\s*--)",
        "holds a statement",
    ),
    p(
        1.0,
        &["4294967296", "2147483648", "2147483647", "2.2250738585072", "-1.797", "0.0000001", "9223372036854775808", "18446744073709551616", "1.e("],
        r"^(?:-?214748364[78]|4294967296|-?2\.2250738585072\d+e-308|1e309|0xffffffff|-?9223372036854775808|18446744073709551616|1\.e\(\w)",
        "holds a number at the edge of what programs take",
    ),
    p(
        2.0,
        &["1.e"],
        r"\b\d\.e[\s(.]+(?:ascii|substring|tables|select|columns|\d)",
        "hides a statement behind a number",
    ),
    p(
        1.0,
        &["::int", "::b", "::double", "::json", "div", "::text", "::varchar", "::char", "::numeric", "msdasql", "sqloledb", "sqlncli", "msysaces", "xmlelement", "placing"],
        r"(?:\w\)?::(?:int(?:eger)?|bool(?:ean)?|bigint|double precision|json|text|varchar|char|numeric|regclass)\b|\bdiv\s*\(\s*[\d.]+\s*,|['\x22](?:msdasql|sqloledb|sqlncli)|\boverlay\s?\(.{1,40}\bplacing\b)",
        "converts as databases do",
    ),
    p(
        0.5,
        &["&&", "||", "<=", ">=", "==", "->", ">>", "<<", "<=>", "regexp", "like null", "xor", "not null", "isnull", "rlike", "sounds like", "!=", "<>", "not between", "not like", "in (", "is null"],
        r"^\s*(?:&&|\|\||>>|<<|<=>|<>|!=|<=|>=|==|->|<|regexp|rlike|xor|isnull|(?:not\s+)?like\s+null|(?:is\s+)?not\s+null|is\s+null|sounds\s+like|not\s+between\s+\d+\s+and\s+\d+|not\s+like\b.*|in\s*\(.*)\s*$",
        "is an operator alone, as probes are",
    ),
    p(
        1.5,
        &["{if", "{ if", "{`", "/*!", "/*+", "/* !", "/* +"],
        r"(?:\{\s*(?:if|`\w+`|\w+)\s*\(?\s*(?:length|select|\(select|substr|ascii)|/\*\s*[!+](?:\d{0,6})?\s*\w)",
        "hides a statement in a comment",
    )
    .seen(View::Plain),
    p(
        1.5,
        &["case", "when", "if("],
        r"(?:\bcase\b.{1,60}\bwhen\b.{1,60}\bthen\b|\)\s*when\s+\d+\s+then|\bif\s?\(\s?[\d(].{0,40}[=<>].{1,40},.{0,60},)",
        "holds a condition",
    ),
    p(
        1.5,
        &["/*"],
        r"\b(?:drop|select|union|delete|insert|alter|update|or|and)/\*|\b[a-z]{2,}/\*.{0,30}?\*/[a-z]",
        "hides words in comments",
    )
    .seen(View::Plain),
];
