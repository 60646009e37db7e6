//! Files and addresses: traversal, inclusion, requests that the server is made to send, XXE.

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
        Class::Traversal,
        3.0,
        &["..", "0x2e", "%2e", "%c0"],
        r"(?:(?:^|[^.\w]|\w)(?:\.\.+|0x2e0x2e)(?:[/\\]|0x2f|0x5c|%2f)+(?:\.\.+|0x2e0x2e|etc|windows|winnt|boot|var|proc|usr|\w+\.ini)|(?:^|[/\\=:])\.{2,3}(?:[/\\]|0x2f|0x5c)|(?:0x5c|0x2f|[/\\])(?:0x2e\.?|\.0x2e)[\x00%0]*(?:0x2f|0x5c|[/\\])|0x2e\.[\x00]*(?:0x2f|[/\\])|[/\\]\.\.$|%c0%a[ef]|0x5c0x2e\.)",
        "goes up a folder",
    ),
    p(
        Class::Traversal,
        3.0,
        &["etc/", "etc\\", "proc/", "boot.ini", "win.ini", "ntuser.dat", "/sys/class", "/var/log", "ssh/", ".aws", ".kube", "sys/kernel", "windows/system32", "winnt", "c$", "/dev/", "etc*", "et*/", "/sys/", "httpd.conf", "nginx.conf", "apache2.conf", "/root/", "inetpub", "/passwd", "subuid"],
        r"(?:\betc[/\\]+(?:\.?[/\\])*(?:passwd|shadow|group|gshadow|hosts|issue|sub[ug]id|sudoers|crontab|motd|fstab|resolv\.conf|ssh/|apache2?/|httpd/|nginx/|mysql/|my\.cnf|php|init\.d|network|kubernetes|ssl/|redhat-release|os-release|security/|profile|master\.passwd)|\bproc[/\\](?:self|\d+|net|sys|version|cmdline|mounts|cpuinfo|meminfo|environ|\w+$)|\b(?:boot|win|system|desktop|php)\.ini\b|ntuser\.dat|[/\\]sys[/\\](?:class|kernel|block|bus|module|devices|firmware)|[/\\]var[/\\](?:log|run[/\\]secrets|spool|mail|lib[/\\](?:mysql|mlocate))[/\\.]?|\.ssh[/\\]|\.(?:aws|kube|docker|azure|gcloud)[/\\](?:credentials|config)|\b(?:windows|winnt)[/\\]+(?:system32|repair|win\.ini|php\.ini|panther|debug)|\\c\$[/\\]|\b(?:httpd|apache2?|nginx|lighttpd|my)\.(?:conf|cnf)\b|[/\\]root[/\\]\.|[/\\]dev[/\\](?:tcp|udp|shm|random|mem|sd[a-z])\b|\bet\*[/\\]+pas|[/\\]\.?(?:bash_history|htpasswd|htaccess)\b)",
        "names a file of the system",
    ),
    p(
        Class::Traversal,
        2.0,
        &[".env", ".git", ".svn", ".htaccess", ".htpasswd", "wp-config", ".ssh", "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", ".bash_history", ".aws", ".npmrc", ".pypirc", ".dockercfg", ".docker", ".kube", "web.config", ".ds_store", ".hg", ".idea", ".vscode", ".claude", ".cursor", ".continue", ".aider", ".roo", ".rovodev", ".a0proj", ".plandex", ".fabric", ".n8n", ".sql.", ".zed", ".cline", ".codeium", ".windsurf", ".gemini", ".copilot", ".codex", "composer.json", "dump.sql", ".boto", "docker-compose", "server-status", "phpinfo", "actuator", "heapdump", "claude.md", "agents.md", ".mcp", "gemini.md", ".github", ".trae", ".kiro", ".amazonq", ".junie", ".qwen", ".goose", ".cody", ".tabnine", ".augment", ".opencode", ".swe", "mcp.json", "settings.local"],
        r"(?:^|[/\\=\s])(?:\.env(?:\.\w+)?$|\.(?:git|svn|hg)[/\\](?:config|head|index|entries|objects|wc|refs|logs)|\.ht(?:access|passwd)|wp-config[.\w-]*|\.ssh[/\\]?|id_(?:rsa|dsa|ecdsa|ed25519)|\.(?:bash|zsh|sh|mysql|psql|python|node_repl)_history|\.aws[/\\]|\.(?:npmrc|pypirc|dockercfg|netrc|pgpass|boto)$|\.docker[/\\]|\.kube[/\\]|web\.config$|\.(?:idea|vscode|claude|cursor|continue|aider|roo|zed|cline|rovodev|a0proj|plandex|fabric|n8n|codeium|windsurf|gemini|copilot|codex|trae|kiro|amazonq|junie|qwen|goose|cody|tabnine|augment|opencode)[/\\]|\.aider[.\w]*|actuator/(?:env|heapdump|dump|trace|jolokia)|heapdump$|[\w-]+\.sql\.\w+$|\.(?:cursor|windsurf|cline|roo)rules|\.?mcp\.json$|(?:claude|agents|gemini)\.md$)",
        "names a file that is nobody's to read",
    ),
    p(
        Class::Traversal,
        2.0,
        &["file:", "netdoc:", "jar:"],
        r"\b(?:file|netdoc|jar)\s*:/{1,3}(?:[a-z]:|\.{0,2}/?\w)",
        "reads a file by its address",
    )
    .at(Where::Arguments),
    p(
        Class::Inclusion,
        2.0,
        &["://"],
        r"^\s*(?:url|file|path|src|page|inc)?[=:]?\s*(?:https?|ftps?|gopher|dict|ldaps?|sftp|tftp|smb|file|ogg)://(?:\[[0-9a-f:.]+\]|\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9a-f]{1,4}(?::{1,2}[0-9a-f]{1,4}){3,7})",
        "includes a file of a bare address",
    )
    .at(Where::Arguments),
    p(
        Class::Inclusion,
        2.0,
        &["?"],
        r"^\s*(?:https?|ftps?|file)(?:://[^?\s]*)?\?+$",
        "ends an address so that what is added to it is lost",
    )
    .at(Where::Arguments),
    p(
        Class::Inclusion,
        2.0,
        &["://"],
        r"^\s*(?:https?|ftps?)://[^\s?#]+\.(?:php\d?|phtml|txt|asp|jsp|inc)\?+$|^(?:include|require)\w*\s*\(?['\x22]?(?:https?|ftp)://|^\s*(?:https?|ftp)://[^/\s]+/[^\s?#]*(?:shell|r57|c99|cmd|backdoor)[^\s/]*\.(?:php|txt)",
        "includes a program of another machine",
    )
    .at(Where::Arguments),
    p(
        Class::ServerRequest,
        3.0,
        &["http:", "https:", "://"],
        r"(?:\bhttps?:/?(?:\d{8,10}\b|0x[0-9a-f]{8,}|0\d{2,}(?:\.0*\d+){3}|\[[0-9a-f:.]+\])|\b[a-z][a-z0-9+_-]{2,12}://(?:\\\\\w|[^/]{0,60}@)?(?:\\\\\w\\\\\w|\[[0-9a-f:.]*\]|\d{8,10}|0x[0-9a-f]{2,}(?:\.0x[0-9a-f]+){0,3}|0\d{2,}(?:\.0*\d+){1,3}|\d{1,3}(?:\.\d{3,}){1,2}|169\.254\.\d+\.\d+|127\.\d[\d.]*|0\.0\.0\.0|0/|10\.\d+\.\d+\.\d+|172\.(?:1[6-9]|2\d|3[01])\.\d+\.\d+|192\.168\.\d+\.\d+|100\.100\.100\.200|localhost|\[(?:[0:]*:)?(?:1|(?:0*:)*ffff:[0-9a-f.:]+|fd00:ec2::254|fe80:[^\]]*|::[0-9a-f.:]*)\]|metadata(?:\.google)?(?:\.internal)?|instance-data|[\w.-]+\.(?:nip\.io|xip\.io|sslip\.io|localtest\.me|lvh\.me|localdomain|internal)|(?:\d{1,3}\.){1,2}\d{1,8}[/:]|spoofed\.|rbndr\.|\d+\.\d+\.\d+\.\d+\.\w+\.\w+|(?:0*\d+|0x[0-9a-f]+)(?:\.(?:0*\d+|0x[0-9a-f]+)){3}[:/]|[^\s/]*[\xe2\xe3\xef]))",
        "names an internal address",
    )
    .at(Where::Arguments),
    p(
        Class::ServerRequest,
        2.5,
        &["169.254.", "metadata.google", "100.100.100.200", "gopher://", "dict://", "ldap://", "jar:http", "netdoc:", "burpcollaborator", "oastify", "interact.sh", "oast.", "dnslog", "requestbin", "canarytokens", "pingb.in", "webhook.site", "pipedream", "ngrok", "localtest.me", "bxss"],
        r"(?:169\.254\.(?:169\.254|170\.2)|metadata\.google\.internal|100\.100\.100\.200|\b(?:gopher|dict|ldaps?|jar:https?|netdoc|rmi|dns|iiop)://|(?:burpcollaborator\.net|oastify\.com|interact\.sh|\boast\.(?:me|pro|fun|site|live|online)|dnslog\.cn|ceye\.io|requestbin|canarytokens\.com|pingb\.in|localtest\.me|bxss\.me))",
        "names an address that tells who asked",
    ),
    p(
        Class::ServerRequest,
        2.0,
        &["unix:"],
        r"^unix:.{3,}\|https?:",
        "makes a proxy ask another server",
    ),
    p(
        Class::ExternalEntity,
        3.0,
        &["<!doctype", "<!entity", "xinclude", "xi:include", "+adwaiq-", "<!element"],
        r"(?:<!doctype\b[^>]{0,200}?(?:\bsystem\b|\bpublic\b[^>]{0,100}['\x22][^'\x22]*(?:://|\.dtd\b)(?:[^w]|w[^w])|\[)|<!entity\b.{0,60}?(?:\bsystem\b|\bpublic\b|%|['\x22])|<xi:include\b|\bxmlns:xi\s*=|xinclude\x22?|\+adwaiq-)",
        "declares an entity",
    ),
    p(
        Class::Upload,
        2.5,
        &[".php", ".phtml", ".phar", ".asp", ".jsp", ".cgi", ".pht", ".inc", ".htaccess", ".user.ini", ".shtml", ".cfm", ".war", ". jsp", ".pl", ".exe", ".hta", ".ps1", ".bat", ".sh"],
        r"\.\s*(?:php\d{0,2}|phtml|phar|pht|phps|aspx?|ashx|asmx|asa|cer|jspx?|jspf|jsw|cgi|cfml?|shtml|htaccess|user\.ini|war|hta|ps1)(?:\s|\.|%00|\x00|::\$data|/|;)*(?:\.?(?:jpe?g|png|gif|txt|pdf|bak)?)$",
        "uploads a program",
    )
    .at(Where::FileName),
    p(
        Class::Command,
        1.5,
        &[".php", "config", ".boto", "mtrr", "acpi", ".env", ".ini", ".bak", "passwd", "shadow", ".htaccess", "id_rsa", "web.config", ".conf", ".yml", ".yaml", ".sql", ".git", ".ssh", ".aws", "authorized_keys", ".npmrc", ".bash", ".profile"],
        r"(?:^|[/\\])(?:settings\.\s*php|config\.(?:ya?ml|php|inc\.php|json|ini)|wp-config[._-]\s*p\w*(?:\.\w+)?|\.(?:boto|env|npmrc|netrc|profile|bash\w*|htaccess|htpasswd|gitconfig|pgpass|my\.cnf)|mtrr|acpi|web\.config|php\.ini|passwd|shadow|authorized_keys|id_(?:rsa|dsa)|localsettings\.php|parameters\.yml|database\.yml|local\.xml|configuration\.php|settings\.local\.php|\.?user\.ini|docker-compose\.ya?ml)(?:\.bak)?\s*$",
        "uploads in place of a file of the system",
    )
    .at(Where::FileName),
    p(
        Class::Php,
        2.0,
        &["sess_"],
        r"(?:^|[/\\])sess_[\w,-]{20,}$",
        "uploads in place of a session",
    )
    .at(Where::FileName),
    p(
        Class::Traversal,
        1.5,
        &["../", "..\\"],
        r"\.\.[/\\]",
        "goes up a folder",
    )
    .seen(View::Plain)
    .at(Where::FileName),
];
