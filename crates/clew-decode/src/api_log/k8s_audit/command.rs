//! Commands that are started inside pods through the API.
//!
//! `exec`, `attach` and `portforward` carry everything in the address of the request; over
//! WebSocket their verb is `get`. `kubectl debug` adds a container, named in the body. A caller of
//! `nodes/proxy` reaches the same inside the kubelet, and the pod stands in the path.

use std::borrow::Cow;

use clew_event::Text;
use clew_event::control_plane::Claim;
use clew_event::json::Value;

use super::text_of;

/// Most arguments of a command that are kept; the record has them all.
pub(in super::super) const ARGUMENTS_MAX: usize = 64;

/// What was asked of the server.
pub(super) struct Asked<'c, 'j, 'a> {
    /// Resource and subresource.
    pub(super) kind: &'c Text,
    pub(super) namespace: Option<Value<'j, 'a>>,
    pub(super) name: Option<Value<'j, 'a>>,
    pub(super) uri: Option<Value<'j, 'a>>,
    pub(super) request: Option<Value<'j, 'a>>,
}

impl Asked<'_, '_, '_> {
    pub(super) fn command(&self) -> Option<Claim> {
        let uri = || self.uri.and_then(Value::string).unwrap_or_default();
        let (namespace, pod) = (text_of(self.namespace), text_of(self.name));
        match self.kind.as_bytes() {
            b"pods/exec" | b"pods/attach" | b"pods/portforward" => {
                let uri = uri();
                let (container, command) = of_query(query(&uri));
                Some(Claim::PodCommand { namespace, pod, container, command })
            }
            b"pods/ephemeralcontainers" => {
                let all = self.request?.at(&["spec", "ephemeralContainers"])?;
                let [name, command, rest] = all.items().last()?.pick(["name", "command", "args"]);
                let words = [command, rest].into_iter().flatten().flat_map(Value::items);
                let command = words.take(ARGUMENTS_MAX).map(|word| text_of(Some(word))).collect();
                Some(Claim::PodCommand { namespace, pod, container: text_of(name), command })
            }
            b"nodes/proxy" => of_kubelet(&uri()),
            _ => None,
        }
    }
}

/// `…/proxy/exec/NAMESPACE/POD/CONTAINER?command=…`, and the older `run`, whose command is `cmd`.
fn of_kubelet(uri: &[u8]) -> Option<Claim> {
    let path = uri.split(|&byte| byte == b'?').next()?;
    let at = memchr::memmem::find(path, b"/proxy/")? + b"/proxy/".len();
    let mut parts = path.get(at..)?.split(|&byte| byte == b'/');
    let verb = parts.next()?;
    matches!(verb, b"exec" | b"run" | b"attach" | b"portForward").then_some(())?;
    let mut next = || -> Text { (*decoded(parts.next().unwrap_or_default())).into() };
    let (namespace, pod, container) = (next(), next(), next());
    let (_, command) = of_query(query(uri));
    (!pod.is_empty()).then_some(Claim::PodCommand { namespace, pod, container, command })
}

fn query(uri: &[u8]) -> &[u8] {
    memchr::memchr(b'?', uri).and_then(|at| uri.get(at + 1..)).unwrap_or_default()
}

/// Container and command.
fn of_query(query: &[u8]) -> (Text, Vec<Text>) {
    let (mut container, mut command) = (Text::default(), Vec::new());
    for pair in query.split(|&byte| byte == b'&') {
        let mut parts = pair.splitn(2, |&byte| byte == b'=');
        let (name, value) = (parts.next(), parts.next().unwrap_or_default());
        match name {
            Some(b"container") => container = (*decoded(value)).into(),
            Some(b"command" | b"cmd") if command.len() < ARGUMENTS_MAX => {
                command.push((*decoded(value)).into());
            }
            _ => {}
        }
    }
    (container, command)
}

/// A part of an address as it is meant; a broken escape stays as it stands.
fn decoded(part: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr2(b'%', b'+', part).is_none() {
        return Cow::Borrowed(part);
    }
    let digit = |at: usize| part.get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let mut plain = Vec::with_capacity(part.len());
    let mut at = 0;
    while let Some(&byte) = part.get(at) {
        let escaped = (byte == b'%').then(|| Some(digit(at + 1)? * 16 + digit(at + 2)?)).flatten();
        let escaped = escaped.and_then(|byte| u8::try_from(byte).ok());
        plain.push(escaped.unwrap_or(if byte == b'+' { b' ' } else { byte }));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    Cow::Owned(plain)
}
