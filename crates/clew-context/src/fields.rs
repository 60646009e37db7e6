//! What each field says of an event: one line a field, in the order of the table of fields.
//!
//! Meanings are Falco's (falco.org, "Supported Fields for Conditions and Outputs"; where that is
//! silent, the behavior of falcosecurity/libs as of July 2026). Fields of records of audit logs are
//! told by the tables of `record`; a test holds that each field is told by one place.

use std::borrow::Cow;

use clew_event::{FieldArgument, FieldId, FieldValue, Scalar, Text};

use crate::argument;
use crate::names;
use crate::process::Process;
use crate::view::View;

mod cloudtrail;
pub(crate) mod container;
mod dns;
pub(crate) mod evt;
pub(crate) mod fd;
mod gcp;
mod github;
mod http;
mod identity;
mod json;
mod kubernetes;
mod member;
mod okta;
pub(crate) mod path;
mod pod;
pub(crate) mod proc;
mod quirks;
mod record;
pub(crate) mod stack;
pub(crate) mod user;

/// The value of a field.
#[allow(clippy::too_many_lines, reason = "one line a field")]
pub(crate) fn value<'a>(view: &View<'a>, id: FieldId, of: &FieldArgument) -> FieldValue<'a> {
    use FieldId as F;
    match id {
        F::EvtNum => {
            unsigned(view.event.id.capture_number().unwrap_or_else(|| view.context.events()))
        }
        F::EvtTime => owned(view.event.time.time_of_day()),
        F::EvtTimeIso8601 | F::EvtRawtime => unsigned(view.event.time.unix_ns()),
        F::EvtType => evt::type_name(view),
        F::EvtCategory => evt::category(view),
        F::EvtIsOpenRead => boolean(evt::is_open_read(view.event)),
        F::EvtIsOpenWrite => boolean(evt::is_open_write(view.event)),
        F::EvtIsOpenExec => boolean(evt::is_open_exec(view.event)),
        F::EvtRawres => maybe(view.event.result(), signed),
        F::EvtRes => evt::result_name(view),
        F::EvtFailed => maybe(view.event.result(), |result| boolean(result < 0)),
        F::EvtCpu => maybe(evt::cpu(view.event), unsigned),
        F::EvtArgs => argument::all(view),
        F::EvtArg => argument::value(view, of),
        F::EvtHostname => evt::hostname(view),
        F::EvtSource => evt::source(view),
        F::EvtBuffer => evt::buffer(view.event),
        F::EvtDir => "<".into(),

        F::FdNum => maybe(fd::of(view).and_then(|fd| fd.number), signed),
        F::FdType => maybe(fd::of(view), |fd| fd.target.type_name()),
        F::FdTypechar => maybe(fd::of(view), |fd| fd.target.type_char(view.event.event_type)),
        F::FdName => maybe(fd::of(view), |fd| fd.target.name()),
        F::FdNameraw => maybe(fd::of(view), |fd| fd.target.name_given()),
        F::FdDirectory => maybe(fd::of(view), |fd| fd.target.directory()),
        F::FdFilename => maybe(fd::of(view), |fd| fd.target.file_name()),
        F::FdIp | F::FdNet => fd::both(view, |end| Scalar::Ip(fd::address_in_rules(end))),
        F::FdCip | F::FdCnet => maybe(fd::client(view), fd::ip),
        F::FdSip | F::FdSnet => maybe(fd::server(view), fd::ip),
        F::FdLip | F::FdLnet => maybe(fd::local(view), fd::ip),
        F::FdRip | F::FdRnet => maybe(fd::remote(view), fd::ip),
        F::FdPort => fd::both(view, |end| Scalar::Unsigned(end.port().into())),
        F::FdCport => maybe(fd::client(view), fd::port),
        F::FdSport => maybe(fd::server(view), fd::port),
        F::FdLport => maybe(fd::local(view), fd::port),
        F::FdRport => maybe(fd::remote(view), fd::port),
        F::FdSipName => maybe(fd::server(view), |end| dns::names(view, end)),
        F::FdCipName => maybe(fd::client(view), |end| dns::names(view, end)),
        F::FdLipName => maybe(fd::local(view), |end| dns::names(view, end)),
        F::FdRipName => maybe(fd::remote(view), |end| dns::names(view, end)),
        F::FdL4proto => maybe(fd::of(view), |fd| fd.target.transport()),
        F::FdSockfamily => maybe(fd::of(view), |fd| fd.target.socket_family()),
        F::FdIsServer => maybe(fd::of(view), |fd| fd.target.is_server()),
        F::FdUid => fd::uid(view),
        F::FdConnected => maybe(fd::is_connected(view), boolean),
        F::FdNameChanged => maybe(fd::of(view), |fd| boolean(fd.is_name_changed)),
        F::FdDev => maybe(fd::file(view), |file| unsigned(file.device.into())),
        F::FdIno => maybe(fd::file(view), |file| unsigned(file.inode)),
        F::FsPathName => path::name(view),
        F::FsPathNameraw => path::name_given(view),
        F::FsPathSource => path::source(view),
        F::FsPathSourceraw => path::source_given(view),
        F::FsPathTarget => path::target(view),
        F::FsPathTargetraw => path::target_given(view),

        F::ProcName => maybe(view.image(), |image| text(&image.name)),
        F::ProcExe => maybe(view.image(), |image| text(&image.called)),
        F::ProcExepath => maybe(view.image(), |image| text(&image.path)),
        F::ProcArgs => maybe(view.image(), |image| image.arguments().into()),
        F::ProcCmdline => maybe(view.image(), |image| text(&image.command_line)),
        F::ProcExeline => maybe(view.image(), proc::exe_line),
        F::ProcCmdnargs => maybe(view.image(), |image| unsigned(image.arguments_count.into())),
        F::ProcCmdlenargs => maybe(view.image(), proc::arguments_length),
        F::ProcArgv => evt::argument_started(view, of),
        F::ProcCwd => maybe(view.process().and_then(Process::cwd), text),
        F::ProcEnv => maybe(view.image(), |image| proc::environment(image, of)),
        F::ProcPid => maybe(view.key(), |key| signed(key.pid.into())),
        F::ProcPpid => maybe(proc::parent_key(view), |key| signed(key.pid.into())),
        F::ProcVpid => maybe(proc::vpid(view), |vpid| signed(vpid.into())),
        F::ProcSid => maybe(proc::seen(view), |process| signed(process.session.sid.into())),
        F::ProcSname => maybe(proc::session_leader(view), |image| text(&image.name)),
        F::ProcVpgid => maybe(proc::vpgid(view), |vpgid| signed(vpgid.into())),
        F::ProcPgid => maybe(proc::seen(view), |process| signed(process.session.pgid.into())),
        F::ProcIsVpgidLeader => proc::leads(view, |session| session.pgid),
        F::ProcIsSidLeader => proc::leads(view, |session| session.sid),
        F::ProcTty => maybe(proc::seen(view), |process| unsigned(process.session.tty.into())),
        F::ProcDuration => maybe(view.key(), |key| proc::duration(view, key)),
        F::ProcPpidDuration => maybe(proc::parent_key(view), |key| proc::duration(view, key)),
        F::ProcPname => maybe(proc::parent(view), |image| text(&image.name)),
        F::ProcPexe => maybe(proc::parent(view), |image| text(&image.called)),
        F::ProcPexepath => maybe(proc::parent(view), |image| text(&image.path)),
        F::ProcPcmdline => maybe(proc::parent(view), |image| text(&image.command_line)),
        F::ProcAname => proc::ancestors(view, of, |image| &image.name),
        F::ProcAexe => proc::ancestors(view, of, |image| &image.called),
        F::ProcAexepath => proc::ancestors(view, of, |image| &image.path),
        F::ProcAcmdline => proc::ancestors(view, of, |image| &image.command_line),
        F::ProcApid => proc::ancestor_pids(view, of),
        F::ProcIsExeUpperLayer => proc::flag(view, clew_event::process::ExecutedFlags::UPPER_LAYER),
        F::ProcIsExeFromMemfd => proc::flag(view, clew_event::process::ExecutedFlags::MEMFD),
        F::ProcIsExeWritable => proc::flag(view, clew_event::process::ExecutedFlags::WRITABLE),
        F::ProcExeIno => maybe(view.image(), |image| not_zero(image.file.inode)),
        F::ProcExeInoCtime => maybe(view.image(), |image| not_zero(image.ctime_ns)),
        F::ProcExeInoMtime => maybe(view.image(), |image| not_zero(image.mtime_ns)),
        F::ProcExeInoCtimeDurationProcStart => proc::from_change_to_start(view),
        F::ThreadTid => maybe(view.event.actor, |actor| signed(actor.tid.into())),
        F::ThreadIsmain => maybe(view.event.actor, |actor| boolean(actor.tid == actor.process.pid)),
        F::ThreadVtid => maybe(proc::vtid(view), |vtid| signed(vtid.into())),
        F::ThreadCapPermitted => {
            maybe(view.process().and_then(Process::rights), |(permitted, _)| {
                capabilities(permitted)
            })
        }
        F::ThreadCapEffective => {
            maybe(proc::seen(view), |process| capabilities(process.credentials.effective))
        }
        F::ThreadCapInheritable => {
            maybe(view.process().and_then(Process::rights), |(_, inherited)| {
                capabilities(inherited)
            })
        }
        F::ThreadCgroup => proc::cgroup(view),

        F::UserUid => maybe(proc::seen(view), |process| unsigned(process.credentials.uid.into())),
        F::UserName => maybe(proc::seen(view), |process| user::name(view, process.credentials.uid)),
        F::UserLoginuid => maybe(proc::seen(view), user::login_uid),
        F::UserLoginname => {
            maybe(proc::seen(view), |process| user::name(view, process.credentials.login_uid))
        }
        F::GroupGid => maybe(proc::seen(view), |process| unsigned(process.credentials.gid.into())),
        F::GroupName => {
            maybe(proc::seen(view), |process| user::group_name(view, process.credentials.gid))
        }

        F::ContainerId => container::id(view),
        F::ContainerFullId => container::full_id(view),
        F::ContainerName => container::fact(view, "host", |facts| text(&facts.name)),
        F::ContainerImage => container::fact(view, "", |facts| text(&facts.image)),
        F::ContainerImageId => container::fact(view, "", container::image_id),
        F::ContainerImageRepository => container::fact(view, "", container::image_repository),
        F::ContainerImageTag => container::fact(view, "", container::image_tag),
        F::ContainerImageDigest => container::fact(view, "", container::image_digest),
        F::ContainerType => container::fact(view, "host", |facts| text(&facts.runtime)),
        F::ContainerPrivileged => container::privileged(view),
        F::ContainerMounts => container::fact(view, "", container::mounts),
        F::ContainerMountDest => container::mount_destination(view, of),
        F::ContainerMountSource => container::mount_source(view, of),
        F::ContainerStartTs => container::started(view),
        F::ContainerDuration => container::duration(view),
        F::ContainerIp => container::fact(view, "", container::first_address),
        F::ContainerLabel => container::label(view, of),
        F::ContainerLabels => container::fact(view, "", container::labels),
        F::K8sPodName => container::known_label(view, "io.kubernetes.pod.name"),
        F::K8sNsName => container::known_label(view, "io.kubernetes.pod.namespace"),
        F::K8sPodUid => container::known_label(view, "io.kubernetes.pod.uid"),

        F::DnsName | F::DnsType | F::DnsAnswers | F::DnsRcode | F::DnsIsAnswer | F::DnsServer => {
            dns::value(view, id)
        }

        _ => record::value(view, id, of)
            .or_else(|| identity::value(view, id))
            .or_else(|| stack::value(view, id))
            .or_else(|| http::value(view, id, of))
            .unwrap_or_else(|| {
                debug_assert!(record::is_of_records(id), "`{}` is told nowhere", id.spec().name);
                FieldValue::Missing
            }),
    }
}

/// The value made of what is there; missing where nothing is.
pub(crate) fn maybe<'a, T>(
    there: Option<T>,
    value: impl FnOnce(T) -> FieldValue<'a>,
) -> FieldValue<'a> {
    there.map_or(FieldValue::Missing, value)
}

pub(crate) fn text(text: &Text) -> FieldValue<'_> {
    text.as_bytes().into()
}

pub(crate) fn owned<'a>(text: impl Into<Vec<u8>>) -> FieldValue<'a> {
    FieldValue::One(Scalar::Text(Cow::Owned(text.into())))
}

pub(crate) fn boolean<'a>(value: bool) -> FieldValue<'a> {
    FieldValue::One(Scalar::Bool(value))
}

/// `true` or `false` as a text: what fields of records are.
pub(crate) fn boolean_text<'a>(value: bool) -> FieldValue<'a> {
    if value { "true".into() } else { "false".into() }
}

pub(crate) fn unsigned<'a>(value: u64) -> FieldValue<'a> {
    FieldValue::One(Scalar::Unsigned(value))
}

pub(crate) fn signed<'a>(value: i64) -> FieldValue<'a> {
    FieldValue::One(Scalar::Signed(value))
}

/// Missing where 0 means that it is not known.
fn not_zero<'a>(value: u64) -> FieldValue<'a> {
    if value == 0 { FieldValue::Missing } else { unsigned(value) }
}

fn capabilities<'a>(set: u64) -> FieldValue<'a> {
    owned(names::capabilities(set))
}
