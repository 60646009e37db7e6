//! `github.*`: what GitHub's webhooks send.
//!
//! The type of a message is a header of the request, and whether a commit holds a secret is what
//! its receiver found out; both are told here as Falco's plugin writes them into the record
//! (`webhook_type`, `files`, `workflow_miner_detections`). Without them they are empty.

use clew_event::json::Value;
use clew_event::{FieldId, FieldValue};

use super::record::{Asked, How, is_true};
use super::{boolean_text, maybe, owned};

#[rustfmt::skip]
pub(super) fn how(id: FieldId) -> Option<How> {
    use FieldId as F;
    let how = match id {
        F::GithubType => How::TextOrEmpty(&["webhook_type"]),
        F::GithubAction => How::TextOrEmpty(&["action"]),
        F::GithubUser => How::TextOrEmpty(&["sender", "login"]),
        F::GithubRepo | F::GithubRepoUrl => How::TextOrEmpty(&["repository", "html_url"]),
        F::GithubRepoName => How::Made(repository),
        F::GithubRepoDescription => How::TextOrEmpty(&["repository", "description"]),
        F::GithubOrg => How::TextOrEmpty(&["organization", "login"]),
        F::GithubOwner => How::TextOrEmpty(&["repository", "owner", "login"]),
        F::GithubRepoPublic => How::Made(is_public),
        F::GithubCollaboratorName => How::TextOrEmpty(&["member", "login"]),
        F::GithubCollaboratorRole => How::TextOrEmpty(&["changes", "permission", "to"]),
        F::GithubWebhookId => How::Made(webhook_id),
        F::GithubWebhookType => How::TextOrEmpty(&["hook", "type"]),
        F::GithubCommitAdded => How::Made(added),
        F::GithubCommitModified => How::Made(modified),
        F::GithubCommitRemoved => How::Made(removed),
        F::GithubDiffHasSecrets => How::Made(has_secrets),
        F::GithubDiffCommittedSecretsDesc => How::Made(secret_desc),
        F::GithubDiffCommittedSecretsFiles => How::Made(secret_files),
        F::GithubDiffCommittedSecretsLines => How::Made(secret_lines),
        F::GithubDiffCommittedSecretsLinks => How::Made(secret_links),
        F::GithubWorkflowHasMiners => How::Made(has_miners),
        F::GithubWorkflowMinersType => How::Made(miner_types),
        F::GithubWorkflowFilename => How::TextOrEmpty(&["workflow", "path"]),
        _ => return None,
    };
    Some(how)
}

fn repository<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let address = asked.text_at(&["repository", "html_url"]);
    owned(address.strip_prefix(b"https://github.com/").unwrap_or(&address))
}

fn is_public<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    boolean_text(!asked.at(&["repository", "private"]).is_some_and(is_true))
}

fn webhook_id<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let id = asked.at(&["hook", "id"]).and_then(Value::unsigned);
    owned(id.unwrap_or_default().to_string())
}

fn added<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    commit_files(asked, "added")
}

fn modified<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    commit_files(asked, "modified")
}

fn removed<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    commit_files(asked, "removed")
}

fn commit_files<'a>(asked: &Asked<'_, 'a>, how: &str) -> FieldValue<'a> {
    let commits = asked.at(&["commits"]).into_iter().flat_map(Value::items);
    let files = commits.filter_map(|commit| commit.get(how)).flat_map(Value::items);
    owned(files.filter_map(Value::string).collect::<Vec<_>>().join(&b','))
}

/// The files of each commit by commas, and nothing between two commits: so Falco's plugin.
pub(super) fn files_run_together<'a>(asked: &Asked<'_, 'a>, how: &str) -> FieldValue<'a> {
    let commits = asked.at(&["commits"]).into_iter().flat_map(Value::items);
    let files = commits
        .filter_map(|commit| commit.get(how))
        .map(|files| files.items().filter_map(Value::string).collect::<Vec<_>>().join(&b','));
    owned(files.collect::<Vec<_>>().concat())
}

/// Each secret that was found, with its file.
fn secrets<'v, 'a>(asked: &Asked<'v, 'a>) -> impl Iterator<Item = (Value<'v, 'a>, Value<'v, 'a>)> {
    let files = asked.at(&["files"]).into_iter().flat_map(Value::items);
    files.flat_map(|file| {
        let matches = file.get("matches").into_iter().flat_map(Value::items);
        matches.map(move |found| (file, found))
    })
}

fn has_secrets<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    match asked.at(&["files"]) {
        Some(_) => boolean_text(secrets(asked).next().is_some()),
        None => "".into(),
    }
}

fn text(value: Option<Value<'_, '_>>) -> Vec<u8> {
    value.map_or_else(Vec::new, |value| value.as_text().into_owned())
}

fn secret_list<'a>(
    asked: &Asked<'_, 'a>,
    tell: impl Fn(Value<'_, 'a>, Value<'_, 'a>) -> Vec<u8>,
) -> FieldValue<'a> {
    maybe(asked.at(&["files"]), |_| {
        let told: Vec<_> = secrets(asked).map(|(file, found)| tell(file, found)).collect();
        owned(told.join(&b','))
    })
}

fn secret_desc<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    secret_list(asked, |_, found| text(found.get("desc")))
}

fn secret_files<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    secret_list(asked, |file, _| text(file.get("name")))
}

fn secret_lines<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    secret_list(asked, |_, found| text(found.get("line")))
}

fn secret_links<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    let repository = asked.text_at(&["repository", "html_url"]);
    let commit = asked.text_at(&["head_commit", "id"]);
    secret_list(asked, |file, found| {
        let (name, line) = (text(file.get("name")), text(found.get("line")));
        [&*repository, b"/blob/", &*commit, b"/", &*name, b"/#L", &*line].concat()
    })
}

fn miners<'v, 'a>(asked: &Asked<'v, 'a>) -> Option<Value<'v, 'a>> {
    asked.at(&["workflow_miner_detections", "matches"])
}

fn has_miners<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    maybe(miners(asked), |matches| boolean_text(matches.items().next().is_some()))
}

fn miner_types<'a>(asked: &Asked<'_, 'a>) -> FieldValue<'a> {
    maybe(miners(asked), |matches| {
        let mut types: Vec<_> = matches.items().map(|found| text(found.get("type"))).collect();
        types.sort_unstable();
        types.dedup();
        owned(types.join(&b','))
    })
}
