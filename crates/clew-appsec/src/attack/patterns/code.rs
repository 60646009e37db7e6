//! Code of PHP and JavaScript, template expressions, operators of document stores and directories.

use super::{Class, Pattern, View, Where};

const fn p(
    class: Class,
    bits: f64,
    literals: &'static [&'static str],
    regex: &'static str,
    says: &'static str,
) -> Pattern {
    Pattern::new(class, bits, literals, regex, says)
}

pub(super) const LIST: &[Pattern] = &[
    p(
        Class::Php,
        3.0,
        &["<?", "php]", "php}", "[/php]", "[\\php]", "<script language"],
        r"(?:<\?(?:php\b|=|$|\s+(?:$|(?:php|echo)\b|\w+\s*[(;'\x22$=])|\(|[$@'\x22/#!]|x(?:[^mps\w]|ml\s*[^\w\s.=-]|ml\s+[^\w\s])|[a-wyz]\w*\s*[(;'\x22$])|[\[{][/\\]?php[\]}]|<script\s+language\s*=\s*['\x22]?php)",
        "opens a program of PHP",
    ),
    p(
        Class::Php,
        2.5,
        &["php://", "phar://", "zip://", "zlib://", "bzip2", "compress.", "glob://", "expect://", "ssh2.", "rar://", "ogg://", "data://", "zlib:"],
        r"\b(?:php|phar|zip|zlib|glob|expect|rar|ogg|data|bzip2|compress\.(?:zlib|bzip2|zstd)|ssh2(?:\.(?:shell|exec|tunnel|sftp|scp))?)://",
        "reads by a stream of PHP",
    ),
    p(
        Class::Php,
        2.5,
        &["(", "\u{60}"],
        r"(?:\(\s*[\x22']?\s*(?:system|exec|passthru|assert|eval|shell_exec|popen|phpinfo)\s*[\x22']?\s*\)\s*\(|[\x22'](?:system|exec|passthru|assert|shell_exec|phpinfo)[\x22']\s*\()|(?:^|[^\w.>-])@?(?:unpack|substr|strip_tags|intval|filegroup|assert_options|eval|assert|system|exec|shell_exec|passthru|popen|proc_open|pcntl_exec|create_function|call_user_func(?:_array)?|preg_replace(?:_callback)?|file_(?:get|put)_contents|base64_decode|gzinflate|gzuncompress|str_rot13|phpinfo|phpversion|php_uname|php_sapi_name|php_ini\w*|fopen|fwrite|fputs|fputcsv|fsockopen|readfile|unlink|chmod|chr|ord|hex2bin|bin2hex|unserialize|serialize|var_dump|print_r|print|printf|die|ini_set|ini_get\w*|set_time_limit|move_uploaded_file|array_(?:map|filter|walk)|usort|uasort|uksort|register_shutdown_function|ob_start|highlight_file|show_source|scandir|opendir|glob|symlink|readlink|get_(?:defined|current|cfg|object|loaded)_?\w*|posix_\w+|getenv|putenv|mysqli?_\w+|pg_\w+|curl_(?:exec|init)|simplexml_\w+|extract|parse_str|parse_ini_file|error_log|gethostbyname|checkdate|chroot|touch|sprintf|strrev|implode|md5|sha1|dl|syslog|mail|tmpfile|tempnam|fileperms|filesize|file|is_\w+|ctype_\w+|str_\w+|str(?:pos|len|cmp|tolower|toupper|ipos|rpos|str)|ucfirst|rename|copy|mkdir|rmdir|basename|dirname|realpath|pathinfo|ftp_\w+|ssh2_\w+|openssl_\w+|mcrypt_\w+|iconv|ftok|session_\w+|stream_\w+|header(?:s_sent)?|function_exists|method_exists|class_exists|get_class|array_diff_\w+|array_\w+|convert_uuencode|recode_string|is_callable|zlib_\w+|posix_\w+|xml_\w+|dom\w+|collator_\w+|grapheme_\w+|utf8_\w+)\s*(?:\(\s*(?:['\x22$@)\[\d]|[a-z_]+\s*\(|[a-z]+['\x22)]|\w+\s*,|\w+\)))",
        "calls a function of PHP",
    )
    .seen(View::Stripped),
    p(
        Class::Php,
        2.5,
        &["$", "%24"],
        r"(?:\$_(?:get|post|request|server|cookie|session|files|env)\b|\$\{?_?globals\b|\$http_(?:get|post|cookie|server|env)_vars|(?:^|[^\w])@?\${1,2}\s?(?:\{[@\w'\x22$.>-]{1,40}\}|\w+)(?:\s*(?:\[[^\]]{1,40}\]+|\{[^}]{1,40}\})\s*)*\s*\((?:\s*[\w'\x22$.,@ ]*\)|[^)]{1,60}\))|\$\{\s*(?:@\s*)?\w+\s*\(|\$\w+\s*=\s*(?:['\x22]|\w+\s*\(|\$|array\b|new\b))",
        "uses a variable of PHP",
    )
    .seen(View::Stripped),
    p(
        Class::Php,
        2.0,
        &["o:", "a:", "c:"],
        r"(?:^|[;{|])[oc]:\d+:\x22[\w\\]+\x22:\d+:\{",
        "holds a serialized object of PHP",
    ),
    p(
        Class::Php,
        1.5,
        &["opcache.", "memory_limit", "unserialize_", "allow_url", "auto_prepend_file", "disable_functions", "engine", "extension", "mbstring.", "precision", "smtp", "safe_mode", "open_basedir", "suhosin", "zend.", "session.", "assert.", "display_errors", "sendmail_path", "include_path", "cgi.", "pcre.", "short_open_tag"],
        r"(?:^|[\s;&-])(?:allow_url_(?:include|fopen)|memory_limit|extension_dir|unserialize_max_depth|auto_(?:prepend|append)_file|disable_(?:functions|classes)|engine|extension|mbstring\.\w+|opcache\.\w+|precision|smtp|safe_mode\w*|open_basedir|suhosin\.[\w.]+|zend\.\w+|assert\.\w+|display_errors|sendmail_path|include_path|cgi\.\w+|pcre\.\w+|short_open_tag|session\.(?:save_\w+|upload_\w+|serialize_handler))\s*=",
        "sets an option of PHP",
    ),
    p(
        Class::Node,
        2.5,
        &["_$$nd_func$$_", "__js_function", "function", "constructor", "module.exports", "require", "process", "child_process", "__proto__", "global.", "import(", "fromcharcode", "binding(", "vm.run", "tostring", "mainmodule", "exec(", "spawn(", "console"],
        r"(?:_\$\$nd_func\$\$_|__js_function|\bfunction\s*\([\w\s,]{0,60}\)\s*\{|\bnew\s+function\s*\(|\bthis\.constructor|\bconstructor\s*\.\s*(?:constructor|prototype|_load)|\bmodule\.exports\s*=|\brequire\s*\(\s*['\x22`]|(?:\(|=)\s*require\s*[;)]|require\s*[.\[]\s*['\x22]?main|\bprocess\s*\.\s*(?:mainmodule|env\b|exit|binding|platform|argv|version|cwd|kill|pid|stdout|on\b)|\bprocess\s*\[\s*['\x22]|child_process|__proto__|\bglobal\s*[.\[]\s*['\x22]?(?:process|require|root)|\bimport\s*\(\s*['\x22]|eval\s*\(\s*string\s*\.\s*fromcharcode|\bstring\s*\.\s*fromcharcode\b|\bvm\s*\.\s*run|\b(?:spawn|exec|execfile|fork)(?:sync)?\s*\(\s*['\x22]|\b(?:console|process|require)\s*\[\s*[\x22'\w]|\bconsole\s*\.\s*(?:log|error|debug|trace|info|warn|dir|table)\b(?:\s*\(|\.))",
        "gives code of JavaScript",
    ),
    p(
        Class::Node,
        2.5,
        &["__proto__", "prototype", "constructor"],
        r"(?:__proto__\s*(?:\[|\]|\.|['\x22]?\s*[:=]|$)|constructor\s*(?:\]?\s*[\[.]\s*)prototype|\bobject\.prototype\b)",
        "changes what all objects inherit",
    ),
    p(
        Class::Node,
        2.0,
        &["while", "for("],
        r"(?:\bwhile\s*\(\s*(?:(?:!\s*[-+]?\s*(?:0|\x22\x22|''|``|false|null|nan|undefined|\[\s*\]\s*\[)|[-+(]*\s*(?:true|infinity|this|string)\b\s*\)|1\s*\)|!!|(?:\d+|[\x22'`]\w*[\x22'`])\s*(?:[=!<>]=*)|\[\s*\]|[\x22'`]\w+[\x22'`]\s*\)|\{\s*\}|new\s|[-+]?\d|/\w))|\bfor\s*\(\s*;\s*;\s*\)|\bdo\s*\{.{0,80}?\}\s*while\s*\()",
        "loops without an end",
    )
    .seen(View::Stripped),
    p(
        Class::Template,
        2.5,
        &["{{", "${", "#{", "<%", "{%", "@(", "*{", "[[", "<#", "$!{", "~{", "{#", "#set", "{php}", "{system", "{if", "{literal"],
        r"(?:\{\{\s*(?:['\x22\d(\[{]|\w*\s*[.(]?.{0,80}?(?:__\w+__|\bconfig\b|\bself\b|request\.|cycler|joiner|namespace|lipsum|constructor|exec|popen|range\.|_self|app\.|system|\|\s*(?:attr|map|filter|sort|reduce)))|(?:\$|#|\*|~|@)\{\s*(?:\d+\s*[-+*/]|t\s*\(|new\s|['\x22]\w*['\x22]\s*\.|[\w.]*(?:runtime|class|exec|system|getclass|process|script|ex\s*\(|`|eval|popen|spawn|request|session|application|context|global|self|mro|open|file|dump)\b.{0,80}?[(.\[])|[$#]\{.{0,40}?\d+\s*[*+-]\s*\d+|<%=?\s*(?:\d+\s*[-+*/]\s*\d|if\b|for\b|end\b|\w+\s*\(|`|[\w.:]*(?:system|file|dir|exec|runtime|request|response|env|open)\b|@|import|out\.)|\{%\s*\w+.{0,120}?%\}|@\(\s*\d+\s*[-+*/]|<#(?:assign|list|if|import|include|macro)\b|\?new\(\)|#set\s*\(\s*\$|\{php\}|\{\s*(?:system|passthru|exec|if\s+\w+\()|\[\[\s*\$?\{)",
        "holds an expression of a template",
    ),
    p(
        Class::Template,
        2.5,
        &["__class__", "__mro__", "__subclasses__", "__globals__", "__builtins__", "__import__", "__init__", "__base"],
        r"(?:__(?:class|mro|subclasses|globals|builtins|import|init|bases?|getattribute|code|dict)__)",
        "climbs the classes of Python",
    ),
    p(
        Class::Template,
        2.0,
        &["@{["],
        r"@\{\s*\[",
        "is expanded by Perl",
    ),
    p(
        Class::NoSql,
        2.5,
        &["$"],
        r"(?:(?:^|[\[{'\x22\s,.(])\$(?:where|ne|nin|gte?|lte?|regex|exists|elemmatch|expr|function|accumulator|or|nor|and|in|not|all|size|type|mod|text|jsonschema|comment|lookup|eval)\b['\x22]?\s*(?:[:\]]|=|$))",
        "gives an operator of a document store",
    ),
    p(
        Class::NoSql,
        2.0,
        &["db.", "this.", "$where", "new date", "sleep(", "mapreduce", "return", "'||'", "{'"],
        r"(?:\bdb\.\w+\.(?:insert|find\w*|update|remove|drop|count|aggregate|save|mapreduce|eval)\w*\s*\(|['\x22]\s*;?\s*return\s+(?:true|this|\w+\s*[=!]=)|\bthis\.\w+(?:\.match\(|\s*[!=]=\s*)|\bvar\s+\w+\s*=\s*new\s+date\s*\(|\$where\s*:|['\x22]\s*,\s*\$or\s*:|(?:^|[;'\x22])\s*it=new%20|\bsleep\s*\(\s*\d{3,}\s*\)\s*;?\s*\})",
        "gives code of a document store",
    ),
    p(
        Class::NoSql,
        1.5,
        &["__startswith", "__istartswith", "__endswith", "__icontains", "__contains", "__regex", "__iregex", "__gt", "__lt", "__isnull", "__has_key", "__iexact", "__exact", "__password", "__iendswith", "__range", "__year"],
        r"\w__\w+?__(?:i?(?:startswith|endswith|contains|regex|exact)|[gl]te?|isnull|in|has_(?:any_)?keys?|contained_by|range|year|month|day)$",
        "asks for a column of another table",
    ),
    p(
        Class::Ldap,
        2.5,
        &[")", "*(|"],
        r"(?:^[^()]{0,60}\)\s*(?:\(?[&|!]?\s*\(|[&|]|!\()|^\*\(\||\*\)\s*[!(&|])",
        "changes a filter of a directory",
    )
    .at(Where::Arguments),
    p(
        Class::Ldap,
        2.0,
        &["userpassword", "objectclass"],
        r"(?:\buserpassword\s*(?:[:=]|:[\d.]+:=)|\(\s*objectclass\s*=\s*\*)",
        "names the password of a directory",
    )
    .at(Where::Arguments),
];
