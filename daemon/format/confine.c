/*
 * signet-format reads what strangers made, so it gets the least: one socket,
 * one folder to read, memory and time. Here everything that is needed is known,
 * so system calls are an allow-list [seccomp(2)], and files are those below the
 * folder with revocation lists, read-only [landlock(7)].
 */
#include "format/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

void
format_confine_process(int fd)
{
	struct rlimit none = {0, 0};
	struct pollfd broker = {.fd = fd, .events = POLLRDHUP};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0 ||
	    syscall(SYS_close_range, (unsigned)fd + 1, ~0U, 0) != 0)
		_exit(EX_OSERR);
	/* did the broker die before the first call? Then its end was closed before that */
	if (poll(&broker, 1, 0) < 0 || (broker.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0)
		_exit(EX_UNAVAILABLE);
}

/* Every access that this kernel knows to refuse, by its ABI; newer bits are not in the headers of Debian 12. */
static uint64_t
all_accesses(void)
{
	static const unsigned bits[] = {0, 13, 14, 15, 15, 16};
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi <= 0)
		return 0;
	return (UINT64_C(1) << bits[abi < (long)array_len(bits) ? (size_t)abi : array_len(bits) - 1]) - 1;
}

static bool
permit_reading(int set, const char *folder)
{
	struct landlock_path_beneath_attr rule = {
	    .allowed_access = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR};
	bool ok;

	rule.parent_fd = open(folder, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR || errno == EACCES;
	ok = syscall(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return ok;
}

static bool
confine_files(const char *folder, char *reason, size_t size)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = all_accesses()};
	int set = attr.handled_access_fs == 0
		      ? -1
		      : (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	bool ok = set >= 0 && (folder[0] == '\0' || permit_reading(set, folder)) &&
		  syscall(SYS_landlock_restrict_self, set, 0) == 0;

	if (set >= 0)
		close(set);
	if (!ok)
		snprintf(reason, size, "Landlock does not work here: signet-format starts only with sandbox = off");
	return ok;
}

static bool
confine_calls(char *reason, size_t size)
{
	static const char *const allowed[] = {"read", "readv", "pread64", "write", "writev", "recvfrom", "recvmsg",
	    "sendto", "sendmsg", "close", "openat", "fstat", "newfstatat", "statx", "getdents64", "lseek", "fcntl",
	    "dup", "mmap", "mremap", "munmap", "mprotect", "brk", "madvise", "futex", "getrandom", "clock_gettime",
	    "gettimeofday", "clock_nanosleep", "nanosleep", "exit", "exit_group", "rt_sigreturn", "rt_sigaction",
	    "rt_sigprocmask", "sigaltstack", "getpid", "gettid", "tgkill", "sched_yield", "rseq", "set_robust_list",
	    "poll", "ppoll", "restart_syscall"};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	bool ok = filter != NULL;

	for (size_t i = 0; ok && i < array_len(allowed); i++) {
		int number = seccomp_syscall_resolve_name(allowed[i]);

		/* names that this machine has not are passed over */
		ok = number < 0 || seccomp_rule_add(filter, SCMP_ACT_ALLOW, number, 0) == 0;
	}
	ok = ok && seccomp_load(filter) == 0;
	seccomp_release(filter);
	if (!ok)
		snprintf(reason, size, "seccomp does not work here: signet-format starts only with sandbox = off");
	return ok;
}

bool
format_confine(const char *folder, char *reason, size_t size)
{
	return confine_files(folder, reason, size) && confine_calls(reason, size);
}
