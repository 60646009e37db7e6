//! Messages within messages: header fields, mail commands, character sets; and tools that say who
//! they are.

use super::{Class, Pattern, Where};

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
        Class::Protocol,
        3.0,
        &["content-type", "content-length", "set-cookie", "location", "http/", "x-", "refresh", "transfer-encoding", "remote-addr", "host:", "injectedheader"],
        r"(?:[\r\n]\W*?(?:content-(?:type|length)|set-cookie|transfer-encoding|refresh|x-[\w-]+|remote-addr|access-control-\w+)[\s\r]*:|[\r\n]\W*?location[\s\r]*:\s*\S|\bhttp/\d(?:\.\d)?\s+\d{3}\s|[\r\n]\s*(?:get|post|head|put|delete|options|trace)\s+\S+\s+http/\d|\xe5\x98[\x8a\x8d]\w[\w-]+:|\xe5\x98\x8dset-cookie|%0[ad]\W*set-cookie|^set-cookie\s*:)",
        "adds a field to a message",
    ),
    p(
        Class::Protocol,
        2.0,
        &["\r", "\n"],
        r"^[\w .-]*(?:%0d|%0a|[\r\n])[\r\n%0ad]*[a-z-]{2,24}[\r\s]*:\s*\w",
        "adds a field to a message",
    )
    .at(Where::Arguments),
    p(
        Class::Protocol,
        2.0,
        &["%0d", "%0a"],
        r"%0[ad]\w[\w-]+:\s",
        "adds a field to a message",
    ),
    p(
        Class::Mail,
        2.5,
        &["mail from", "rcpt to", "ehlo", "helo", "data", "quit", "help", "vrfy", "expn", "retr", "list", "top ", "auth ", "apop", "uidl", "stat", "noop", "capability", "fetch", "login", "examine", "logout", "starttls", "dele", "rset", "create", "delete", "rename", "search", "append", "select", "lsub", "user", "pass"],
        r"(?:\r\n\s*(?:mail\s+from|rcpt\s+to)\s*:\s*\S|\n\s*rcpt\s+to:\s*\S|\r\n\s*(?:ehlo|helo)\s+[\w.-]+|\r\n\s*(?:data|quit|rset|noop|starttls|capability|logout)\s*(?:\r|\n|$)|\r\n\s*(?:help|vrfy|expn)\b.{0,60}(?:\r|\n|$)|\r\n\s*(?:retr|list|dele|uidl)\s+\d+|\r\n\s*(?:stat|uidl)\s*$|\r\n\s*top\s+\d+\s+\d+|\r\n\s*(?:auth|apop|user|pass)\s+\S+(?:\s+\S+)?\s*$|\r\n\s*[a-z]*\d+\s+(?:capability|noop|logout|starttls|login|examine|select|create|delete|rename|list|lsub|fetch|search|append|quit|status|authenticate|check|close|expunge|store|copy|uid)\b)",
        "gives a command of a mail server",
    )
    .at(Where::Arguments),
    p(
        Class::Scanner,
        2.0,
        &["sqlmap", "nikto", "nessus", "nuclei", "acunetix", "arachni", "masscan", "zgrab", "nmap", "openvas", "wpscan", "dirbuster", "gobuster", "feroxbuster", "ffuf", "fuzz faster", "w3af", "zmeu", "havij", "netsparker", "burp", "whatweb", "skipfish", "commix", "wfuzz", "jaeles", "dirsearch", "metasploit", "qualys", "xsser", "morfeus", "winhttp.winhttprequest.5", "interact.sh", "oast.", "burpcollaborator", ".nasl", "appscan", "grabber", "jorgee", "hydra", "projectdiscovery", "webinspect", "paros", "detectify", "l9explore", "l9tcpid", "censysinspect", "nvdorz", "webshag", "sqlninja", "bsqlbf", "cgichk", "datacha0s", "floodgate", "get-minimal", "gootkit", "grendel-scan", "inspath", "internet ninja", "jaascois", "zmap", "mysqloit", "n-stealth", "pmafind", "vega/", "sysscan", "springenwerk", "tplmap", "whatcms", "wprecon", "x-scan", "chinaclaw", "python-requests/exploit"],
        r"(?:sqlmap|nikto|nessus|nuclei|acunetix|arachni|masscan|zgrab|\bnmap|openvas|wpscan|dirbuster|gobuster|feroxbuster|\bffuf|fuzz faster u fool|w3af|zmeu|havij|netsparker|burp(?:suite|collaborator)|whatweb|skipfish|commix|wfuzz|jaeles|dirsearch|metasploit|qualys was|\bxsser|morfeus|interact\.sh|oast\.|\.nasl|appscan|^mozilla/4\.0 \(compatible; grabber|jorgee|\(hydra\)|projectdiscovery|webinspect|\bparos\b|detectify|l9explore|l9tcpid|censysinspect|webshag|sqlninja|bsqlbf|cgichk|datacha0s|grendel-scan|inspath|n-stealth|pmafind|\bvega/|sysscan|springenwerk|tplmap|whatcms|wprecon|x-scan)",
        "is a tool that looks for weaknesses",
    )
    .at(Where::UserAgent),
    p(
        Class::Fixation,
        2.0,
        &["cookie"],
        r"(?:\.cookie\b.{0,120}?;\s*\W*?(?:expires|domain)\W*?=|http-equiv\W{1,4}set-cookie)",
        "sets a cookie for somebody else",
    ),
    p(
        Class::Protocol,
        1.5,
        &["utf-7", "content-transfer-encoding"],
        r"(?:charset\s*=\s*['\x22]?utf-7|^content-transfer-encoding\s*:|^utf-7$)",
        "hides text behind a character set",
    ),
];
