//! Keeps of an environment only what may leave the sensor.
//!
//! Loader and shell variables decide which code runs, so their values are kept. Variables of cloud
//! credentials are kept by name alone: that a process holds some is worth knowing, what they are
//! is not. Everything else is left out.

use clew_event::Text;

/// Variables that are kept with their values: they change which code a program runs, or hide it.
const KEPT: &[&[u8]] = &[
    b"LD_PRELOAD",
    b"LD_AUDIT",
    b"LD_LIBRARY_PATH",
    b"GLIBC_TUNABLES",
    b"BASH_ENV",
    b"ENV",
    b"HISTFILE",
    b"NODE_OPTIONS",
    b"PYTHONPATH",
    b"PYTHONSTARTUP",
    b"PERL5OPT",
    b"RUBYOPT",
    b"HTTP_PROXY",
    b"HTTPS_PROXY",
    b"http_proxy",
    b"https_proxy",
    // Where the API server is, by the convention of Kubernetes: its clients ask no name server.
    b"KUBERNETES_SERVICE_HOST",
];

/// Beginnings of names that are kept without their values.
const NAMED: &[&[u8]] = &[b"AWS_"];

/// The allowed part of `environment`, whose entries end with a NUL byte.
///
/// A kept value with an `@`, as in `http://user:password@host`, is left out and its name is kept.
/// An entry that is cut at the end of the record is taken as it is.
pub(super) fn allowed(environment: &[u8]) -> Text {
    let mut kept = Vec::new();
    for entry in environment.split(|&byte| byte == 0) {
        let Some(equals) = entry.iter().position(|&byte| byte == b'=') else {
            continue;
        };
        let (name, value) = entry.split_at(equals);
        let is_kept = KEPT.contains(&name);
        if is_kept && !value.contains(&b'@') {
            kept.extend_from_slice(entry);
        } else if is_kept || NAMED.iter().any(|start| name.starts_with(start)) {
            kept.extend_from_slice(name);
        } else {
            continue;
        }
        kept.push(0);
    }
    kept.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_leaves_with_the_environment() {
        let check = |given: &str, kept: &str| assert_eq!(allowed(given.as_bytes()), kept.into());
        check("HOME=/root\0LD_PRELOAD=/tmp/x.so\0", "LD_PRELOAD=/tmp/x.so\0");
        check("AWS_SECRET_ACCESS_KEY=hunter2\0", "AWS_SECRET_ACCESS_KEY\0");
        check("HTTP_PROXY=http://u:p@host\0", "HTTP_PROXY\0");
        check("LD_PRELOADED=1\0XAWS_=1\0nothing\0", "");
        check("LD_AUDIT=/cut", "LD_AUDIT=/cut\0");
    }
}
