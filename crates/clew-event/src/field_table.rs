//! The fields that Clew provides: one line a field.
//!
//! Names, types and meanings are those of Falco's field classes, because rules are written in
//! them (falco.org, "Supported Fields for Conditions and Outputs").

use super::{ArgumentForm, FieldSpec, Multiplicity, ValueKind};

macro_rules! fields {
    ($($variant:ident $name:literal $kind:ident $many:ident $argument:ident $doc:literal,)*) => {
        /// A field that rules can ask an event for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u16)]
        pub enum FieldId {
            $(#[doc = $doc] $variant,)*
        }

        impl FieldId {
            /// What there is to know about it.
            #[must_use]
            pub const fn spec(self) -> &'static FieldSpec {
                match self {
                    $(Self::$variant => &FieldSpec {
                        id: Self::$variant,
                        name: $name,
                        kind: ValueKind::$kind,
                        multiplicity: Multiplicity::$many,
                        argument: ArgumentForm::$argument,
                        doc: $doc,
                    },)*
                }
            }
        }

        /// Every field, in the order of [`FieldId`].
        pub const FIELDS: &[&FieldSpec] = &[$(FieldId::$variant.spec(),)*];
    };
}

#[rustfmt::skip]
fields! {
    EvtNum "evt.num" Unsigned One None "Number of the event on its stream, from 1.",
    EvtTime "evt.time" Text One None "Time of day with nanoseconds.",
    EvtTimeIso8601 "evt.time.iso8601" Time One None "Time in RFC 3339 with nanoseconds.",
    EvtRawtime "evt.rawtime" Time One None "Nanoseconds since the epoch.",
    EvtType "evt.type" Text One None "Name of the system call or event.",
    EvtCategory "evt.category" Text One None "Family of the event: `file`, `net`, `process`, …",
    EvtIsOpenRead "evt.is_open_read" Bool One None "An open whose flags allow reading, also where it failed.",
    EvtIsOpenWrite "evt.is_open_write" Bool One None "An open whose flags allow writing, also where it failed.",
    EvtIsOpenExec "evt.is_open_exec" Bool One None "An open or creation with an executable mode.",
    EvtRawres "evt.rawres" Signed One None "Return value of the system call.",
    EvtRes "evt.res" Text One None "`SUCCESS`, or the name of the error such as `ENOENT`.",
    EvtFailed "evt.failed" Bool One None "The system call returned an error.",
    EvtCpu "evt.cpu" Unsigned One None "CPU on which it happened.",
    EvtArgs "evt.args" Text One None "All arguments as `name=value`.",
    EvtArg "evt.arg" Text One Required "One argument, by name or by number.",
    EvtHostname "evt.hostname" Text One None "Host name of the machine.",
    EvtSource "evt.source" Text One None "Source of the event: `syscall` for the sensor.",
    EvtBuffer "evt.buffer" Bytes One None "Start of what was read or written.",
    EvtDir "evt.dir" Text One None "Always `<`: only returns of system calls are seen.",
    FdNum "fd.num" Signed One None "Number of the descriptor.",
    FdType "fd.type" Text One None "`file`, `directory`, `ipv4`, `ipv6`, `unix`, `pipe`, …",
    FdTypechar "fd.typechar" Text One None "One letter for the type: `f`, `4`, `6`, `u`, `p`, `d`, …",
    FdName "fd.name" Path One None "Full path of a file, or both ends of a connection.",
    FdNameraw "fd.nameraw" Text One None "Path as the caller gave it.",
    FdDirectory "fd.directory" Path One None "Directory of a file.",
    FdFilename "fd.filename" Text One None "Last part of a path.",
    FdIp "fd.ip" Ip Sides None "Either address of a connection.",
    FdCip "fd.cip" Ip One None "Client's address.",
    FdSip "fd.sip" Ip One None "Server's address.",
    FdLip "fd.lip" Ip One None "Our address.",
    FdRip "fd.rip" Ip One None "The other address.",
    FdPort "fd.port" Port Sides None "Either port of a connection.",
    FdCport "fd.cport" Port One None "Client's port.",
    FdSport "fd.sport" Port One None "Server's port.",
    FdLport "fd.lport" Port One None "Our port.",
    FdRport "fd.rport" Port One None "The other port.",
    FdNet "fd.net" Net Sides None "Either address, compared with networks.",
    FdCnet "fd.cnet" Net One None "Client's address, compared with networks.",
    FdSnet "fd.snet" Net One None "Server's address, compared with networks.",
    FdLnet "fd.lnet" Net One None "Our address, compared with networks.",
    FdRnet "fd.rnet" Net One None "The other address, compared with networks.",
    FdSipName "fd.sip.name" Text One None "Server's domain name, as it was last resolved.",
    FdCipName "fd.cip.name" Text One None "Client's domain name, as it was last resolved.",
    FdLipName "fd.lip.name" Text One None "Domain name of our address.",
    FdRipName "fd.rip.name" Text One None "Domain name of the other address.",
    FdL4proto "fd.l4proto" Text One None "`tcp`, `udp`, `icmp`, `raw`.",
    FdSockfamily "fd.sockfamily" Text One None "`ip` or `unix`.",
    FdIsServer "fd.is_server" Bool One None "Our end is the server.",
    FdUid "fd.uid" Text One None "Descriptor and thread id, which name a descriptor.",
    FdConnected "fd.connected" Bool One None "The socket is connected.",
    FdNameChanged "fd.name_changed" Bool One None "This call changed the descriptor's name.",
    FdDev "fd.dev" Unsigned One None "Device of the file.",
    FdIno "fd.ino" Unsigned One None "Inode of the file.",
    FsPathName "fs.path.name" Path One None "Path that a file system call is about.",
    FsPathNameraw "fs.path.nameraw" Text One None "That path as given.",
    FsPathSource "fs.path.source" Path One None "Source path of a rename or link.",
    FsPathSourceraw "fs.path.sourceraw" Text One None "That path as given.",
    FsPathTarget "fs.path.target" Path One None "Target path of a rename or link.",
    FsPathTargetraw "fs.path.targetraw" Text One None "That path as given.",
    ProcName "proc.name" Text One None "Name of the program, at most 15 bytes.",
    ProcExe "proc.exe" Text One None "First argument, as the program was called.",
    ProcExepath "proc.exepath" Path One None "Path of the file that runs.",
    ProcArgs "proc.args" Text One None "Arguments after the first, joined by spaces.",
    ProcCmdline "proc.cmdline" Text One None "Name and arguments, joined by spaces.",
    ProcExeline "proc.exeline" Text One None "First and further arguments, joined by spaces.",
    ProcCmdnargs "proc.cmdnargs" Unsigned One None "Number of arguments after the first.",
    ProcCmdlenargs "proc.cmdlenargs" Unsigned One None "Length of the arguments after the first.",
    ProcCwd "proc.cwd" Path One None "Working directory, with a final slash.",
    ProcEnv "proc.env" Text One Optional "Environment that the sensor is allowed to read, or one variable of it.",
    ProcPid "proc.pid" Signed One None "Process id on the machine.",
    ProcPpid "proc.ppid" Signed One None "Parent's process id.",
    ProcVpid "proc.vpid" Signed One None "Process id inside its pid namespace.",
    ProcSid "proc.sid" Signed One None "Session id.",
    ProcSname "proc.sname" Text One None "Name of the session leader.",
    ProcVpgid "proc.vpgid" Signed One None "Process group id inside the pid namespace.",
    ProcPgid "proc.pgid" Signed One None "Process group id on the machine.",
    ProcIsVpgidLeader "proc.is_vpgid_leader" Bool One None "The process leads its group.",
    ProcIsSidLeader "proc.is_sid_leader" Bool One None "The process leads its session.",
    ProcTty "proc.tty" Unsigned One None "Controlling terminal; 0 without one.",
    ProcDuration "proc.duration" Duration One None "Time since the process started.",
    ProcPpidDuration "proc.ppid.duration" Duration One None "Time since the parent started.",
    ProcPname "proc.pname" Text One None "Parent's name.",
    ProcPexe "proc.pexe" Text One None "Parent's first argument.",
    ProcPexepath "proc.pexepath" Path One None "Path of the parent's file.",
    ProcPcmdline "proc.pcmdline" Text One None "Parent's name and arguments.",
    ProcAname "proc.aname" Text Ancestors OptionalIndex "Names of ancestors, or of the n-th (0 = the process).",
    ProcAexe "proc.aexe" Text Ancestors OptionalIndex "First arguments of ancestors.",
    ProcAexepath "proc.aexepath" Path Ancestors OptionalIndex "Files of ancestors.",
    ProcAcmdline "proc.acmdline" Text Ancestors OptionalIndex "Command lines of ancestors.",
    ProcApid "proc.apid" Signed Ancestors OptionalIndex "Process ids of ancestors.",
    ProcIsExeUpperLayer "proc.is_exe_upper_layer" Bool One None "The file lies in a container's writable layer.",
    ProcIsExeFromMemfd "proc.is_exe_from_memfd" Bool One None "The file was made by `memfd_create`.",
    ProcIsExeWritable "proc.is_exe_writable" Bool One None "The file is writable for its user.",
    ProcExeIno "proc.exe_ino" Unsigned One None "Inode of the file that runs.",
    ProcExeInoCtime "proc.exe_ino.ctime" Time One None "Last change of that inode.",
    ProcExeInoMtime "proc.exe_ino.mtime" Time One None "Last change of that file's content.",
    ProcExeInoCtimeDurationProcStart "proc.exe_ino.ctime_duration_proc_start" Duration One None "From the inode's change to the start of the process.",
    ThreadTid "thread.tid" Signed One None "Thread id on the machine.",
    ThreadIsmain "thread.ismain" Bool One None "The thread leads its process.",
    ThreadVtid "thread.vtid" Signed One None "Thread id inside its pid namespace.",
    ThreadCapPermitted "thread.cap_permitted" Text One None "Permitted capabilities, names joined by spaces.",
    ThreadCapEffective "thread.cap_effective" Text One None "Effective capabilities, names joined by spaces.",
    ThreadCapInheritable "thread.cap_inheritable" Text One None "Inheritable capabilities, names joined by spaces.",
    ThreadCgroup "thread.cgroup" Text One Required "Path of the thread's cgroup.",
    UserUid "user.uid" Unsigned One None "Effective user id.",
    UserName "user.name" Text One None "Effective user's name.",
    UserLoginuid "user.loginuid" Signed One None "User id at login; -1 where nobody logged in.",
    UserLoginname "user.loginname" Text One None "Name of the user at login.",
    GroupGid "group.gid" Unsigned One None "Effective group id.",
    GroupName "group.name" Text One None "Effective group's name.",
    ContainerId "container.id" Text One None "First 12 digits of the container id; `host` outside containers.",
    ContainerFullId "container.full_id" Text One None "The whole container id.",
    ContainerName "container.name" Text One None "Name; `host` outside containers.",
    ContainerImage "container.image" Text One None "Image as it was asked for.",
    ContainerImageId "container.image.id" Text One None "Image id without `sha256:`, 12 digits.",
    ContainerImageRepository "container.image.repository" Text One None "Image without tag and digest.",
    ContainerImageTag "container.image.tag" Text One None "Tag of the image.",
    ContainerImageDigest "container.image.digest" Text One None "Digest of the image in its repository.",
    ContainerType "container.type" Text One None "Runtime.",
    ContainerPrivileged "container.privileged" Bool One None "Started with all privileges.",
    ContainerMounts "container.mounts" Text One None "All mounts as `source:destination:mode:write:propagation`.",
    ContainerMountDest "container.mount.dest" Text One Required "Destination of the first mount whose source matches.",
    ContainerMountSource "container.mount.source" Text One Required "Source of the first mount whose destination matches.",
    ContainerStartTs "container.start_ts" Time One None "When the container was started.",
    ContainerDuration "container.duration" Duration One None "Time since the container was started.",
    ContainerIp "container.ip" Text One None "First address of the container.",
    ContainerLabel "container.label" Text One Required "One label.",
    ContainerLabels "container.labels" Text One None "All labels.",
    K8sPodName "k8s.pod.name" Text One None "Name of the pod.",
    K8sNsName "k8s.ns.name" Text One None "Namespace of the pod.",
    K8sPodUid "k8s.pod.uid" Text One None "Uid of the pod.",
}
