//! Classes of attacks, with what they are in other catalogues.

/// A class of attack in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A statement of SQL is changed.
    Sql,
    /// A script runs in another user's browser.
    Script,
    /// A file outside the intended folder is named.
    Traversal,
    /// A file of another machine is included.
    Inclusion,
    /// A command of a shell is given, Unix or Windows.
    Command,
    /// Code of PHP is given.
    Php,
    /// Code of JavaScript for a server is given.
    Node,
    /// A Java look-up, expression or serialized object is given.
    Java,
    /// An expression of a template engine is given.
    Template,
    /// The server is made to ask an internal address.
    ServerRequest,
    /// An XML document names an external entity.
    ExternalEntity,
    /// An operator of a document store is given.
    NoSql,
    /// A filter of a directory is changed.
    Ldap,
    /// A command of a mail server is given.
    Mail,
    /// A tool that looks for weaknesses.
    Scanner,
    /// A message that readers may take apart differently, or that adds fields to a response.
    Protocol,
    /// A session is given to somebody else.
    Fixation,
    /// A program is uploaded.
    Upload,
    /// A response tells what only developers should read.
    Leak,
    /// A response is the page of a web shell.
    WebShell,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Sql,
        Self::Script,
        Self::Traversal,
        Self::Inclusion,
        Self::Command,
        Self::Php,
        Self::Node,
        Self::Java,
        Self::Template,
        Self::ServerRequest,
        Self::ExternalEntity,
        Self::NoSql,
        Self::Ldap,
        Self::Mail,
        Self::Scanner,
        Self::Protocol,
        Self::Fixation,
        Self::Upload,
        Self::Leak,
        Self::WebShell,
    ];

    /// Name of the detector.
    #[must_use]
    pub const fn rule(self) -> &'static str {
        match self {
            Self::Sql => "SQL injection in a request",
            Self::Script => "Script injection in a request",
            Self::Traversal => "Path traversal in a request",
            Self::Inclusion => "Remote file inclusion in a request",
            Self::Command => "Command injection in a request",
            Self::Php => "PHP injection in a request",
            Self::Node => "JavaScript injection in a request",
            Self::Java => "Java injection in a request",
            Self::Template => "Template injection in a request",
            Self::ServerRequest => "Internal address in a request",
            Self::ExternalEntity => "External entity in a request",
            Self::NoSql => "NoSQL injection in a request",
            Self::Ldap => "LDAP injection in a request",
            Self::Mail => "Mail command in a request",
            Self::Scanner => "Scanner asks",
            Self::Protocol => "Protocol abused by a request",
            Self::Fixation => "Session fixed by a request",
            Self::Upload => "Program uploaded by a request",
            Self::Leak => "Internals told in a response",
            Self::WebShell => "Web shell answers",
        }
    }

    /// The word of its tag, and of fields.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Sql => "attack.sqli",
            Self::Script => "attack.xss",
            Self::Traversal => "attack.lfi",
            Self::Inclusion => "attack.rfi",
            Self::Command => "attack.rce",
            Self::Php => "attack.php",
            Self::Node => "attack.node",
            Self::Java => "attack.java",
            Self::Template => "attack.ssti",
            Self::ServerRequest => "attack.ssrf",
            Self::ExternalEntity => "attack.xxe",
            Self::NoSql => "attack.nosql",
            Self::Ldap => "attack.ldap",
            Self::Mail => "attack.mail",
            Self::Scanner => "attack.scanner",
            Self::Protocol => "attack.protocol",
            Self::Fixation => "attack.fixation",
            Self::Upload => "attack.upload",
            Self::Leak => "attack.leak",
            Self::WebShell => "attack.webshell",
        }
    }

    /// ATT&CK techniques, ascending.
    #[must_use]
    pub const fn techniques(self) -> &'static [&'static str] {
        match self {
            Self::Command => &["T1059", "T1190"],
            Self::Php | Self::Java | Self::Template => &["T1190"],
            Self::Node => &["T1059.007", "T1190"],
            Self::Script => &["T1059.007", "T1189"],
            Self::Scanner => &["T1595.002"],
            Self::Traversal => &["T1083", "T1190"],
            Self::Upload | Self::WebShell => &["T1190", "T1505.003"],
            Self::ServerRequest => &["T1190", "T1552.005"],
            Self::Fixation => &["T1539"],
            Self::Leak => &["T1592"],
            Self::Sql
            | Self::Inclusion
            | Self::ExternalEntity
            | Self::NoSql
            | Self::Ldap
            | Self::Mail
            | Self::Protocol => &["T1190"],
        }
    }
}
