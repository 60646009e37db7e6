//! Environments without the values of secrets.
//!
//! A capture holds every variable of every program. Clew's events never hold a secret's value, so
//! of a variable whose name tells of one only the name is kept; the others stay, because rules ask
//! for them by name (`GLIBC_TUNABLES`, `HTTP_PROXY`).

use clew_event::Text;

/// Parts of names of variables that hold secrets.
const SECRET: [&[u8]; 9] = [
    b"SECRET",
    b"TOKEN",
    b"PASSW",
    b"CREDENTIAL",
    b"PRIVATE",
    b"API_KEY",
    b"APIKEY",
    b"AUTH",
    b"ACCESS_KEY",
];
/// How the names of a cloud's credentials begin.
const CLOUD: &[u8] = b"AWS_";

/// The variables, each ended by a NUL byte, of secrets only the names.
pub(super) fn without_secrets(environment: &[u8]) -> Text {
    let variables = || environment.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
    if !variables().any(holds_secret) {
        return Text::from(environment);
    }
    let mut kept = Vec::with_capacity(environment.len());
    for variable in variables() {
        let (name, _) = parts(variable);
        kept.extend_from_slice(if holds_secret(variable) { name } else { variable });
        kept.push(0);
    }
    Text::from(kept)
}

fn parts(variable: &[u8]) -> (&[u8], &[u8]) {
    let end = variable.iter().position(|&byte| byte == b'=').unwrap_or(variable.len());
    variable.split_at_checked(end).unwrap_or_default()
}

/// By its name, or because its value is an address with a password: `http://user:word@host`.
fn holds_secret(variable: &[u8]) -> bool {
    let (name, value) = parts(variable);
    let has_login = value.contains(&b'@') && value.windows(3).any(|at| at == b"://");
    has_login || is_secret(name)
}

fn is_secret(name: &[u8]) -> bool {
    let holds = |part: &[u8]| name.windows(part.len()).any(|at| at.eq_ignore_ascii_case(part));
    name.starts_with(CLOUD) || SECRET.iter().any(|part| holds(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_secret_only_the_name_is_kept() {
        let check = |given: &[u8], kept: &[u8]| {
            assert_eq!(without_secrets(given).as_bytes(), kept);
        };
        check(b"HOME=/root\0HTTP_PROXY=x\0", b"HOME=/root\0HTTP_PROXY=x\0");
        check(b"AWS_SECRET_ACCESS_KEY=s3\0A=b\0", b"AWS_SECRET_ACCESS_KEY\0A=b\0");
        check(b"db_password=p=q\0GITHUB_TOKEN=t", b"db_password\0GITHUB_TOKEN\0");
        check(b"HTTP_PROXY=http://u:p@host\0A=@\0", b"HTTP_PROXY\0A=@\0");
        check(b"", b"");
        check(b"PATH", b"PATH");
    }
}
