//! Reads the sets, and asks as a client would send each payload.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clew_appsec::attack::{Attacks, Class};
use clew_event::http::{HttpEvent, HttpRequest, HttpResponse};

/// Misses of each file that are printed.
pub(crate) fn shown() -> usize {
    std::env::var("CLEW_MISSES").ok().and_then(|it| it.parse().ok()).unwrap_or(0)
}

/// The folder of the sets, unless it is absent.
pub(crate) fn folder() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let shared = std::env::var_os("CLEW_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("data/app-layer");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: {} is absent, so nothing was measured", folder.display());
    None
}

/// Name and payloads of each file whose name begins so.
pub(crate) fn lines(folder: &Path, prefix: &str) -> Vec<(String, Vec<String>)> {
    let mut files: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    files.retain(|path| name(path).starts_with(prefix));
    let read = |path: &PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let kept = text.lines().filter(|it| !it.trim().is_empty() && !it.starts_with('#'));
        (name(path), kept.map(str::to_owned).collect())
    };
    files.iter().map(read).collect()
}

/// Payloads of a file of `GoTestWAF`: the items of its first list, in any of YAML's quotes.
pub(crate) fn gotestwaf(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut found: Vec<String> = Vec::new();
    for line in text.lines().skip_while(|it| !it.starts_with("payload")).skip(1) {
        if !line.starts_with(' ') {
            break;
        }
        match line.strip_prefix("  - ") {
            Some(item) => found.push(item.to_owned()),
            None => {
                let last = found.last_mut().unwrap();
                match last.strip_suffix('\\') {
                    Some(head) => *last = head.to_owned() + line.trim_start(),
                    None => *last = format!("{last}\n{}", line.trim_start()),
                }
            }
        }
    }
    found.iter().map(|item| unquoted(item)).collect()
}

fn unquoted(item: &str) -> String {
    if let Some(inner) = item.strip_prefix('\'') {
        return inner.strip_suffix('\'').unwrap_or(inner).replace("''", "'");
    }
    let Some(inner) = item.strip_prefix('"') else { return item.to_owned() };
    let mut out = String::new();
    let mut left = inner.strip_suffix('"').unwrap_or(inner).chars();
    while let Some(character) = left.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        let code = |left: &mut std::str::Chars<'_>, count: usize| {
            let digits: String = left.by_ref().take(count).collect();
            u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32).unwrap_or('?')
        };
        match left.next().unwrap_or('\\') {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            '0' => out.push('\0'),
            'x' => out.push(code(&mut left, 2)),
            'u' => out.push(code(&mut left, 4)),
            other => out.push(other),
        }
    }
    out
}

/// A request of the Core Rule Set's tests.
pub(crate) fn request(input: &serde_json::Value) -> HttpRequest {
    let uri = input["uri"].as_str().unwrap_or("/");
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let fields = input["headers"].as_object().into_iter().flatten();
    let mut headers: Vec<_> = fields
        .map(|(name, value)| {
            (name.to_lowercase().into(), value.as_str().unwrap_or_default().into())
        })
        .collect();
    // The suite's client adds what is missing.
    if !headers
        .iter()
        .any(|(name, _): &(clew_event::Text, clew_event::Text)| name.as_bytes() == b"content-type")
    {
        headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
    }
    HttpRequest {
        method: input["method"].as_str().unwrap_or("GET").into(),
        path: path.into(),
        query: query.into(),
        headers,
        body: input["data"].as_str().unwrap_or_default().into(),
        ..HttpRequest::default()
    }
}

/// The patterns, and ways to ask them.
pub(crate) struct Judge(Attacks);

impl Judge {
    pub(crate) fn new() -> Self {
        Self(Attacks::new())
    }

    fn event(&self, event: &HttpEvent) -> Vec<Class> {
        let mut found = Vec::new();
        self.0.judge(event, &mut found);
        let class = |rule: &str| Class::ALL.into_iter().find(|class| class.rule() == rule);
        found.iter().filter_map(|it| class(&it.rule)).collect()
    }

    pub(crate) fn request(&self, request: HttpRequest) -> Vec<Class> {
        let request = Arc::new(request);
        self.event(&HttpEvent { is_inbound: true, request, ..HttpEvent::default() })
    }

    /// A response with that content.
    pub(crate) fn response(&self, body: &str) -> Vec<Class> {
        let response = HttpResponse { body: body.into(), ..HttpResponse::default() };
        let response = Some(Box::new(response));
        self.event(&HttpEvent { is_inbound: true, response, ..HttpEvent::default() })
    }

    /// A payload that is already coded as in a query.
    pub(crate) fn coded(&self, payload: &str) -> Vec<Class> {
        let query = format!("q={}", payload.replace('&', "%26"));
        self.request(HttpRequest {
            method: "GET".into(),
            path: "/".into(),
            query: query.into(),
            ..HttpRequest::default()
        })
    }

    /// A text in a query, coded.
    pub(crate) fn text(&self, text: &str) -> Vec<Class> {
        self.coded(&coded(text))
    }

    /// A payload where its file says that it is sent.
    pub(crate) fn everywhere(&self, payload: &str, file: &str) -> Vec<Class> {
        let (kind, body, query) = if file.contains("xml") || file.contains("xxe") {
            ("text/xml", payload.to_owned(), String::new())
        } else if file.contains("multipart") {
            let body = "--B\r\nContent-disposition: form-data; name=\"".to_owned()
                + payload
                + "\"\r\n\r\nTest\r\n--B--";
            ("multipart/form-data; boundary=B", body, String::new())
        } else {
            ("", String::new(), format!("q={}", coded(payload)))
        };
        let agent = if file.contains("user-agent") { payload } else { "Mozilla/5.0" };
        self.request(HttpRequest {
            method: "POST".into(),
            path: "/".into(),
            query: query.into(),
            headers: vec![
                ("content-type".into(), kind.into()),
                ("user-agent".into(), agent.into()),
            ],
            body: body.into(),
            ..HttpRequest::default()
        })
    }
}

fn coded(text: &str) -> String {
    let coded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(coded).collect()
}
