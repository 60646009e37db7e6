//! Scripts for browsers, where no tag is needed to run them.

use super::{Class, Pattern, Where};

const fn p(
    bits: f64,
    literals: &'static [&'static str],
    regex: &'static str,
    says: &'static str,
) -> Pattern {
    Pattern::new(Class::Script, bits, literals, regex, says)
}

pub(super) const LIST: &[Pattern] = &[
    p(
        3.0,
        &["script", "vbs", "j a v a", "jav", "mocha:", "livescript:"],
        r"(?:(?:j\s*a\s*v\s*a|v\s*b|live)\s*s\s*c\s*r\s*i\s*p\s*t\s*:(?:[^\s<'\x22,]|\s{1,4}\S{1,40}[(=`])|url\s*\(\s*['\x22]?\s*(?:javascript|vbscript)|javascript\s*:\s*(?:$|/|\\|['\x22])|vbscript\s*:)",
        "holds an address that is run",
    ),
    p(
        2.5,
        &[
            "alert",
            "prompt",
            "confirm",
            "eval",
            "settimeout",
            "setinterval",
            "fromcharcode",
            "atob",
            "importscripts",
        ],
        r"(?:^|[\s;='\x22`(){}<>,/:|&+\-*!?\[\]])(?:top\s*\[\s*['\x22])?(?:alert|prompt|confirm|eval|settimeout|setinterval|string\.fromcharcode|atob|importscripts)['\x22\])]*\s*(?:\?\.)?(?:\.\s*(?:call|apply|bind)\s*)?(?:\(\s*(?:['\x22`/\d)+\[!]|document|window|this|location|string|atob|xss|name|null|self|top|cookie|origin|%|=|\w+\)\s*$)|`)",
        "calls a function of a browser",
    ),
    p(
        2.5,
        &[
            "document",
            "window",
            "self",
            "top",
            "parent",
            "frames",
            "location",
            "innerhtml",
            "localstorage",
        ],
        r"(?:\b(?:document|window|self|top|parent|this)\s*(?:\?\.|\.|\[\s*['\x22`])\s*(?:cookie|domain|write|body|location|referrer|url|getelement\w*|createelement|alert|eval|open|name|onerror|execscript|parentnode|frames|queryselector\w*|docum\w*)|(?:^|[;='\x22\s(])(?:location|innerhtml)\s*(?:=|\.\s*(?:href|hash|replace|assign|search))\s*[=('\x22/a-z]|\blocalstorage\.)",
        "reads what belongs to a page",
    )
    .at(Where::Arguments),
    p(
        2.0,
        &["\"));", "'));", "}catch", "'-", "\"-", "';", "\";", "');", "\");"],
        r"['\x22\\]\)*;?\s*[-+*;]?\s*(?:\b(?:if|var|let|top|self|try|throw|new|function)\b\s*[(!\[{]|alert|prompt|confirm|eval).{0,80}?[)`}]\s*(?://|catch|;|[-+*]\s*['\x22])",
        "leaves a string of a script",
    ),
    p(
        2.0,
        &["[]", "![", "+[", "!!["],
        r"(?:!\s?!?\s?\[\s?\]|\[\s?\]\s?\[\s?\(|\(\s?!\s?\[\s?\]|\+\s?!\s?\+?\s?\[)",
        "is written with brackets alone, as only attacks are",
    ),
    p(
        2.0,
        &["call", "reflect",
            ".apply",
            ".map",
            ".some",
            ".sort",
            ".foreach",
            ".find",
            ".constructor",
            "constructor[",
            "constructor.",
        ],
        r"(?:\.\s*(?:sort|map|some|find)\s*\.\s*call\s*`|\breflect\s*\.\s*\w+\s*\.\s*(?:call|apply)\b|\[[\s\d]*\]\s*\.\s*(?:/\*.{0,20}?\*/\s*)?(?:sort|map|some|every|find\w*|filter|reduce|foreach|from|of|copywithin|entries|fill|push|concat)\b.{0,12}?[.(]?.{0,6}?(?:call\s*`|\(\s*(?:alert|prompt|confirm|eval))|\]?\.(?:constructor\s*\.\s*constructor|_c\.constructor|constructor\s*\(\s*['\x22]))",
        "calls a function by way of another",
    ),
    p(
        2.5,
        &["{{", "v-if", "v-on", "v-html", "ng-", "x-data", "@click"],
        r"(?:\{\{.{0,60}?constructor|\{\{.{0,60}?(?:\$on|\$eval|toString|alert|prompt|confirm)|\[?\b(?:v-(?:if|on:\w+|html|show)|ng-(?:app|click|csp|focus|init|bind-html|blur|mouseover)|x-(?:data|init|html)|@click)\]?\s*=\s*['\x22]?[\w$({])",
        "holds an expression of a browser's framework",
    ),
    p(
        1.5,
        &["-->", "<!--", "]]>"],
        r"(?:^\s*-->|--!?>\s*<|<!--\s*[<#\[]|\]\]>\s*<)",
        "ends a comment of the page",
    ),
    p(
        1.5,
        &["style", "expression", "@import", "-moz-binding", "behavior", "url(", "-o-link"],
        r"(?:\bexpression\s*\(|-moz-binding\s*:|\bbehaviou?r\s*:\s*url|@\\?import\b.{0,20}['\x22(]|style\s*=.{0,60}?(?:javascript|expression|url\s*\(\s*['\x22]?(?:javascript|data:)|behavior)|-o-link(?:-source)?\s*:|x\s*:\s*url\s*\(\s*javascript|=\s*\w+\s*:\s*url\s*\(\s*javascript)",
        "holds a style that is run",
    ),
    p(
        2.0,
        &["&newline", "&tab", "&colon", "&lpar", "\\u00", "\\x"],
        r"(?:v(?:&(?:newline|tab);)*b(?:&(?:newline|tab);)*s|(?:\\u00[46][0-9a-f]|\\x[46][0-9a-f]){3,}|j(?:&\w+;)*a(?:&\w+;)+v|(?:alert|prompt|confirm)\s*&lpar)",
        "hides a script behind references",
    ),
    p(
        2.5,
        &["<"],
        r"(?:<\s?(?:[a-z]+:)?(?:import)\s*(?:implementation)|<\w*(?:import)\s*implementation|<meta\b.{0,60}?charset|<base\b.{0,40}?href|<object\b.{0,40}?(?:data|type|codebase)|<noscript\b|<(?:\w+)?:\w*vmlframe|<!doctype\s|<\w+[^<>]{0,80}\son[a-z]{3,40}[\s\x00]*=|<\s*/?\s*script|<script|<\s*(?:\w+\s?:\s?)?(?:s\s*c\s*r\s*i\s*p\s*t|f\s+o\s+r\s+m|d\s+i\s+a\s+l\s+o\s+g|s\s+v\s+g|i\s+f\s+r\s+a\s+m\s+e)\b)",
        "holds markup that is run",
    ),
    p(
        1.5,
        &["formaction", "xlink:href", "srcdoc", "autofocus", "pattern="],
        r"(?:['\x22\s/])(?:formaction|xlink:href|srcdoc|autofocus|fscommand|seeksegmenttime|allowscriptaccess)\s*=",
        "adds an attribute to a tag",
    ),
    p(
        1.0,
        &["'", "\""],
        r"['\x22]\s+\w[\w.]*\.\w+\s*=|^['\x22][\s\w]*\w+\.\w+\s*=",
        "leaves a string and sets a property",
    ),
    p(
        2.5,
        &["data:", "+adw-", "adw-"],
        r"(?:data:(?:text/html|text/javascript|image/svg\+xml|application/(?:x-)?(?:javascript|xhtml))|\+?adw-script|data:\w*/?\w*;base64,[\w+/]{8})",
        "holds a document in an address",
    ),
];
