//! Java: look-ups of a logger, expressions of frameworks, serialized objects.

use super::{Class, Pattern, Where};

const fn p(
    bits: f64,
    literals: &'static [&'static str],
    regex: &'static str,
    says: &'static str,
) -> Pattern {
    Pattern::new(Class::Java, bits, literals, regex, says)
}

pub(super) const LIST: &[Pattern] = &[
    p(
        4.0,
        &["jndi", "${", "$%7b", "ldap:", "rmi:"],
        r"(?:\$\{[^}]{0,80}?(?:jndi\b|j\$?\{|\$\{[^}]{0,40}:-?[jndi]|lower:|upper:|env:|sys:|ctx:|main:|date:|java:|bundle:|k8s:|docker:|::-)|\bjndi\s*:\s*(?:ldaps?|rmi|dns|iiop|corba|nds|nis|http)|\$\{\s*(?:jndi|j))",
        "asks a logger to look something up",
    ),
    p(
        2.5,
        &["java.", "javax.", "org.apache", "org.springframework", "com.sun.", "ognl", "freemarker", "com.opensymphony", "com.bea.", "com.caucho", "weblogic", "groovy."],
        r"(?:\bjava\.(?:lang|io|util|net|nio|security|beans|rmi|sql)\.\w|\bjavax\.(?:script|naming|management|servlet|el|swing)\b|\borg\.(?:apache\.(?:commons\.(?:collections\d?|beanutils|io|fileupload)|struts2?|catalina|xalan|velocity|wicket|tomcat)|springframework\.(?:context|beans|expression|aop|core|web|jndi)|mozilla\.javascript|hibernate|codehaus\.groovy|jboss|omg)\b|\bcom\.sun\.(?:rowset|org\.apache|jndi|syndication)|\bognl\.\w|\bfreemarker\.template|\bcom\.(?:opensymphony|bea|caucho|tangosol|mchange|alibaba|fasterxml)\.\w|\bweblogic\.\w+\.|\bgroovy\.(?:lang|util)\b)",
        "names a class of Java",
    ),
    p(
        2.5,
        &["runtime", "processbuilder", "#_memberaccess", "#context", "@ognl", "classloader", "getclass", "forname", "getruntime", "multipart/form-data", "#rt", "xwork", "#req", "@java", "allowstaticmethodaccess", "inputstream"],
        r"(?:(?:runtime|processbuilder)\b[\s.]*(?:getruntime|exec|start|\(|\.|evil)|#_memberaccess|#(?:context|parameters|session|application|request|attr|rt|req|res|cmd)\b\s*[.=\[]|@ognl|@java\.|\bclass\s*[.\[]\s*['\x22]?(?:module|classloader)|\bgetclass\s*\(|\bforname\s*\(|%\{\s*\(?#|allowstaticmethodaccess|getruntime\s*\(|%\{[\w.'\x22(+*\s-]{1,60}\})",
        "uses a class of Java to run something",
    ),
    p(
        2.5,
        &["clonetransformer", "forclosure", "instantiatefactory", "instantiatetransformer", "invokertransformer", "prototypeclonefactory", "prototypeserializationfactory", "whileclosure", "getproperty", "filewriter", "xmldecoder", "templatesimpl", "badattributevalue", "constanttransformer", "chainedtransformer"],
        r"(?:clonetransformer|forclosure|instantiate(?:factory|transformer)|(?:invoker|constant|chained)transformer|prototype(?:clone|serialization)factory|whileclosure|\bgetproperty\b|\bfilewriter\b|\bxmldecoder\b|templatesimpl|badattributevalue)",
        "names a class by which objects run code",
    ),
    p(
        2.0,
        &["runtime", "processbuilder", "transformer", "closure", "factory", "unmarshaller", "filewriter", "xmldecoder", "getproperty", "serializ"],
        r"(?:runtime|processbuilder|(?:clone|invoker|instantiate)transformer|(?:for|while)closure|instantiatefactory|prototype\w*factory|unmarshaller|filewriter|xmldecoder|getproperty)",
        "hides a name of Java in base64",
    )
    .at(Where::Base64),
    p(
        3.0,
        &["\u{fffd}", "ro0ab", "kztaau", "cs7qaf", "aced0005"],
        r"(?:^|[^a-z0-9+/])(?:ro0ab[qxyz]?|kztaau|cs7qaf)|\baced0005",
        "holds a serialized object of Java",
    ),
];
