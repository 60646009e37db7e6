# Makes each system call that Falco's rules or their state read, by its number on x86-64, in the
# folder that is given; Perl, because its `syscall` comes with every Debian.
use strict;
use warnings;

my $d = shift;
my $here = -100;    # AT_FDCWD
sub call { return syscall($_[0], @_[1 .. $#_]) }

# A text that is no constant: `syscall` takes only what could be written to.
sub text { my $copy = shift; return $copy }

my $file = call(257, $here, "$d/file", 0101, 0644);    # openat
call(2, "$d/file", 0, 0);                              # open
call(437, $here, "$d/file", pack("QQQ", 2, 0, 0), 24); # openat2
call(85, "$d/made", 0600);                             # creat
my $folder = call(257, $here, $d, 0200000, 0);
call(304, $folder, pack("LlQ", 8, 1, 0), 0);           # open_by_handle_at

call(83, "$d/one", 0700);                              # mkdir
call(258, $folder, text("two"), 0711);                 # mkdirat
call(84, "$d/one");                                    # rmdir
call(263, $folder, text("two"), 0x200);                # unlinkat of a folder
call(86, "$d/made", "$d/hard");                        # link
call(265, $folder, text("made"), $here, "$d/hard2", 0); # linkat
call(88, text("to"), "$d/soft");                       # symlink
call(266, text("to2"), $folder, text("soft2"));        # symlinkat
call(82, "$d/hard", "$d/hard3");                       # rename
call(264, $folder, text("hard2"), $folder, text("hard4")); # renameat
call(316, $here, "$d/hard3", $folder, text("hard5"), 1); # renameat2
call(87, "$d/hard4");                                  # unlink
call(263, $folder, text("hard5"), 0);                  # unlinkat
call(90, "$d/made", 04711);                            # chmod
call(91, $file, 0640);                                 # fchmod
call(268, $folder, text("made"), 0600);                # fchmodat
call(92, "$d/made", 33, 34);                           # chown
call(93, $file, 35, -1);                               # fchown
call(94, "$d/soft", 36, 37);                           # lchown
call(260, $folder, text("made"), 38, 39, 0);           # fchownat
call(76, "$d/made", 5);                                # truncate
call(77, $file, 6);                                    # ftruncate
mkdir "$d/sub";
call(80, "$d/sub");                                    # chdir
call(81, $folder);                                     # fchdir
call(80, "$d/absent");

sub address { return pack("SnC4x8", 2, shift, 127, 0, 0, 1) }

sub port {
	my ($name, $size) = ("\0" x 16, pack("L", 16));
	call(51, shift, $name, $size);                        # getsockname
	return unpack("x2n", $name);
}

my $server = call(41, 2, 1, 6);                        # socket
call(49, $server, address(0), 16);                     # bind
call(50, $server, 5);                                  # listen
my $at = address(port($server));
my ($first, $second) = (call(41, 2, 1, 6), call(41, 2, 1, 6));
call(42, $_, $at, 16) for $first, $second;             # connect
my $taken = call(43, $server, 0, 0);                   # accept
call(288, $server, 0, 0, 0);                           # accept4
my $room = "\0" x 200;
call(44, $first, text("to the server"), 13, 0, 0, 0);  # sendto over TCP
call(45, $taken, $room, 200, 0, 0, 0);                 # recvfrom over TCP

my ($ours, $theirs) = (call(41, 2, 2, 17), call(41, 2, 2, 17));
call(49, $_, address(0), 16) for $ours, $theirs;
my $peer = address(port($theirs));
call(44, $ours, text("x") x 100, 100, 0, $peer, 16);   # sendto of a datagram
my ($from, $size) = ("\0" x 16, pack("L", 16));
call(45, $theirs, $room, 200, 0, $from, $size);        # recvfrom of a datagram

my @pieces = ("in ", "two ", "pieces");
my $pieces = pack("PQPQPQ", $pieces[0], 3, $pieces[1], 4, $pieces[2], 6);
my $message = pack("P16Lx4PQQQlx4", $peer, 16, $pieces, 3, 0, 0, 0);
call(46, $ours, $message, 0);                          # sendmsg
my $one = pack("P200Q", $room, 200);
my $received = pack("P16Lx4PQQQlx4", $from, 16, $one, 1, 0, 0, 0);
call(47, $theirs, $received, 0);                       # recvmsg
my $many = $message . pack("Lx4", 0);
call(307, $ours, $many, 1, 0);                         # sendmmsg
my $many_received = $received . pack("Lx4", 0);
call(299, $theirs, $many_received, 1, 0x40, 0);        # recvmmsg

call(33, $first, 0);                                   # dup2
call(292, $first, 1, 0);                               # dup3
call(3, 0);                                            # close
call(32, $first);                                      # dup

if (!fork) { exit call(101, 0, 0, 0, 0) }               # ptrace: PTRACE_TRACEME
wait;
call(175, text("no module"), 9, text(""));             # init_module
call(313, $file, text(""), 0);                         # finit_module
call(321, 0x7fff, text("\0") x 8, 8);                  # bpf
call(323, 0x7fff);                                     # userfaultfd
call(308, 9999, 0x04000000);                           # setns
call(272, 0x200);                                      # unshare: CLONE_FS
my ($header, $rights) = (pack("LL", 0x20080522, 0), "\0" x 24);
call(125, $header, $rights);                           # capget
my @rights = unpack("L6", $rights);
$rights[2] = 0;
call(126, $header, pack("L6", @rights));               # capset: nothing inheritable
call(106, 0);                                          # setgid
call(105, 0);                                          # setuid
call(161, "$d/absent");                                # chroot

my $list = pack("ppQ", "argument 0", "argument 1", 0);
call(59, "$d/absent", $list, 0);                       # execve
call(322, $folder, text("absent"), $list, 0, 0);       # execveat
if (!fork) {
	call(322, $here, text("/bin/true"), pack("ppQ", "by execveat", "x", 0), pack("Q", 0), 0);
}
wait;
call(59, text("/bin/true"), pack("ppQ", "by execve", "x", 0), pack("Q", 0));
