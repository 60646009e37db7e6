/*
 * evade: what the parts share: the three deeds that every evasion tries to hide.
 */
#pragma once

#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECRET "/etc/shadow"
#define PROGRAM "/bin/busybox"
#define PEER "203.0.113.10"
#define PEER_PORT 4444
/* The word by which the suite's rules know the program that was run. */
#define MARK "clew-evasion"

/* Exit code: the kernel or the container does not allow the evasion itself. */
#define IMPOSSIBLE 77

/* Ends with IMPOSSIBLE and the reason. */
void impossible(const char *what);

/* Opens and closes a file; 0 if it could be opened. */
int open_once(const char *path);

/* Becomes the program of the deed; returns only on failure. */
int become(const char *path);

/* Waits for a child; 0 if it ended well. */
int wait_for(pid_t child);

/* Evasions by other entries of the kernel: entries.c. */
int uring_open(int flags);
int uring_open_direct(void);
int uring_connect(void);
int compat_open(void);
int compat_execve(void);
int compat_connect(void);
int compat_socketcall(void);

/* Evasions by time: races.c. */
int race_open(void);
int race_exec(void);
int race_connect(void);
int flood(void);
int reuse_pid(void);

/* Evasions by the program's form: programs.c. */
int run_from_memory(void);
int run_deleted(void);
int run_by_vfork(void);
int run_by_thread(void);
int run_by_double_fork(void);
int run_non_utf8(void);
int run_with_long_argv(void);
int run_deep(void);
int run_by_script_chain(void);
