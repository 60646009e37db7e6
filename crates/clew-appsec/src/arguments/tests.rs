//! What a request is taken apart into.

use clew_event::http::HttpRequest;

use super::multipart::{BOUNDARY_BYTES_MAX, FILE_BYTES_MAX};
use super::*;

fn request(path: &str, query: &str, kind: &str, body: &[u8]) -> HttpRequest {
    HttpRequest {
        method: "POST".into(),
        path: path.into(),
        query: query.into(),
        headers: vec![("content-type".into(), kind.into())],
        body: body.into(),
        ..HttpRequest::default()
    }
}

fn shown(request: &HttpRequest) -> Vec<String> {
    let found = Arguments::of(request);
    let shown = |it: &Argument<'_>| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!("{} {}={}", it.place.name(), text(&it.name), text(&it.value))
    };
    found.list.iter().filter(|it| it.name.as_ref() != b"content-type").map(shown).collect()
}

#[test]
fn splits_query_and_form() {
    let form = "application/x-www-form-urlencoded";
    let request = request("/a%2Fb", "q=a+b%26c&flag", form, b"x=%3c&y=1");
    let expected = ["path =/a/b", "query q=a b&c", "query flag=", "form x=<", "form y=1"];
    assert_eq!(shown(&request), expected);
}

#[test]
fn names_json_fields_by_their_path_and_reads_broken_documents() {
    let body = br#"{"a":{"b":["x",{"c":"\u003cy"}]},"n":12,"$ne":null,"cut":"unfin"#;
    let expected =
        ["path =/", "json a.b[]=x", "json a.b[].c=<y", "json n=12", "json $ne=", "json cut=unfin"];
    assert_eq!(shown(&request("/", "", "application/json", body)), expected);
}

#[test]
fn reads_texts_attributes_and_document_type_of_xml() {
    let body =
        br#"<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e "v">]><a k="1>2">t<![CDATA[<c>]]></a>"#;
    let expected = [
        "path =/",
        "xml !DOCTYPE=<!DOCTYPE x [<!ENTITY e \"v\">]>",
        "xml k=1>2",
        "xml a=t",
        "xml a=<c>",
    ];
    assert_eq!(shown(&request("/", "", "text/xml", body)), expected);
}

#[test]
fn reads_names_files_and_contents_of_parts() {
    let body = b"--B\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nv\r\n--B\r\n\
        Content-Disposition: form-data; name=\"f\"; filename=\"x\\\"y.php\"\r\n\
        Content-Type: text/plain\r\n\r\n<?php\r\n--B--\r\n";
    let expected = [
        "path =/",
        "part a=v",
        "file name filename=x\\\"y.php",
        "header part=Content-Type: text/plain",
        "part f=<?php",
    ];
    assert_eq!(shown(&request("/", "", "multipart/form-data; boundary=B", body)), expected);
}

#[test]
fn bounds_arguments_names_and_values_and_counts_the_rest() {
    let many = "a=1&".repeat(ARGUMENTS_MAX + 10);
    let many = request("/", &many, "", b"");
    let found = Arguments::of(&many);
    assert_eq!(found.list.len(), ARGUMENTS_MAX);
    assert_eq!(found.dropped_count, 12);

    let long = format!("{}={}end", "n".repeat(NAME_BYTES_MAX + 1), "v".repeat(VALUE_BYTES_MAX));
    let long = request("/", &long, "", b"");
    let found = Arguments::of(&long);
    assert_eq!(found.dropped_count, 1);
    let cut =
        found.list.get(1).map(|it| (it.name.len(), it.value.len(), it.value.ends_with(b"end")));
    assert_eq!(cut, Some((NAME_BYTES_MAX, VALUE_BYTES_MAX, true)));

    let mut file = b"--B\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n".to_vec();
    file.extend(vec![b'x'; FILE_BYTES_MAX + 9]);
    let file = request("/", "", "multipart/form-data; boundary=B", &file);
    assert_eq!(Arguments::of(&file).list.last().map(|it| it.value.len()), Some(FILE_BYTES_MAX));

    for (length, place) in
        [(BOUNDARY_BYTES_MAX, Place::Part), (BOUNDARY_BYTES_MAX + 1, Place::Body)]
    {
        let boundary = "B".repeat(length);
        let kind = format!("multipart/form-data; boundary={boundary}");
        let body = format!("--{boundary}\r\nContent-Disposition: form-data; name=f\r\n\r\nx");
        let request = request("/", "", &kind, body.as_bytes());
        assert_eq!(Arguments::of(&request).list.last().map(|it| it.place), Some(place));
    }

    let deep = "{\"a\":".repeat(json::DEPTH_MAX + 4) + "\"x\"";
    let deep = request("/", "", "application/json", deep.as_bytes());
    let name = Arguments::of(&deep).list.last().map(|it| it.name.len());
    assert_eq!(name, Some(2 * json::DEPTH_MAX - 1));
}

#[test]
fn files_of_an_archive_are_no_arguments() {
    let mut body = vec![0; 1024];
    body[..10].copy_from_slice(b"Dockerfile");
    body[512..532].copy_from_slice(b"\nCMD [\"/bin/sh\"];id\n");
    let reads = |kind: &str, body: &[u8]| {
        let shown = shown(&request("/build", "", kind, body));
        shown.iter().any(|it| it.starts_with("body") || it.starts_with("form"))
    };
    let tar = "application/x-tar";
    assert!(reads(tar, &body));
    body[257..262].copy_from_slice(b"ustar");
    assert!(!reads(tar, &body));
    for other in ["", "application/x-www-form-urlencoded", "application/octet-stream"] {
        assert!(reads(other, &body), "{other}");
    }
}
