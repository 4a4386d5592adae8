/*
 * What a vendor's module may still do once it runs in this process.
 *
 * Four fences, each before the module could object: the process dies with the
 * broker, leaves no core and gains nothing by exec; it inherits its lanes and
 * nothing else; files are readable below /usr, /lib, /lib64, /etc and the
 * module's own directory and writable only where the configuration says so
 * (Landlock [landlock(7)]); system calls that reach other processes, the
 * kernel or the network are refused (seccomp).
 *
 * The system calls are a deny-list. What a closed module needs cannot be known
 * beforehand, and an allow-list that is wrong shows only in the middle of a
 * signature. So each group that would let it out is named here, while the
 * broker's unit brings its allow-list around broker and workers together.
 * Refused calls fail with an errno: a module that tries one and copes is no
 * crash.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/landlock.h>
#include <poll.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>
#include <unistd.h>

#include "token/worker.h"

/* Newer than the headers of Debian 12; the kernel is asked at run time. */
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)
#endif
#ifndef LANDLOCK_ACCESS_FS_IOCTL_DEV
#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)
#endif

#define READ_ACCESS (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FILE_ACCESS                                                                                          \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |         \
	    LANDLOCK_ACCESS_FS_TRUNCATE | LANDLOCK_ACCESS_FS_IOCTL_DEV)
/* Execution is handled and granted nowhere; dlopen only reads. Nor are device nodes to be made. */
#define WRITE_ACCESS                                                                                         \
	(READ_ACCESS | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_TRUNCATE |                         \
	    LANDLOCK_ACCESS_FS_IOCTL_DEV | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |  \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |       \
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM | LANDLOCK_ACCESS_FS_REFER)
#define LOCK_ACCESS                                                                                          \
	(LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE)

void
confine_process(int broker_fd)
{
	struct rlimit none = {0, 0};
	struct pollfd broker = {.fd = broker_fd, .events = POLLRDHUP};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_DUMPABLE, 0) != 0 || setrlimit(RLIMIT_CORE, &none) != 0)
		_exit(EX_OSERR);
	/* did the broker die before the first call? Then its end of the lane was closed before that */
	if (poll(&broker, 1, 0) < 0 || (broker.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL)) != 0)
		_exit(EX_UNAVAILABLE);
}

void
confine_descriptors(unsigned first)
{
	if (syscall(SYS_close_range, first, ~0U, 0) != 0)
		_exit(EX_OSERR);
}

/* All accesses that this kernel can refuse; 0 without Landlock. */
static uint64_t
accesses_handled(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (abi <= 0)
		return 0;
	if (abi == 1)
		return LANDLOCK_ACCESS_FS_REFER - 1;
	if (abi == 2)
		return LANDLOCK_ACCESS_FS_TRUNCATE - 1;
	if (abi <= 4)
		return LANDLOCK_ACCESS_FS_IOCTL_DEV - 1;
	return (LANDLOCK_ACCESS_FS_IOCTL_DEV << 1) - 1;
}

struct ruleset {
	int fd;
	uint64_t handled;
};

/* Missing paths are passed over: what is not there cannot be reached either. */
static bool
permit(const struct ruleset *set, const char *path, uint64_t access)
{
	struct landlock_path_beneath_attr rule = {.allowed_access = access & set->handled};
	struct stat st;
	bool ok;

	rule.parent_fd = open(path, O_PATH | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == ENOTDIR;
	if (fstat(rule.parent_fd, &st) != 0 || !S_ISDIR(st.st_mode))
		rule.allowed_access &= FILE_ACCESS;
	ok = syscall(SYS_landlock_add_rule, set->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) == 0;
	close(rule.parent_fd);
	return ok;
}

/* The directory as configured and, where the module is a link, that of the file itself. */
static bool
permit_module(const struct ruleset *set, const char *module)
{
	char path[WIRE_PATH_SIZE], *real = realpath(module, NULL);
	bool ok;

	memcpy(path, module, sizeof(path));
	ok = permit(set, dirname(path), READ_ACCESS);
	if (ok && real != NULL)
		ok = permit(set, dirname(real), READ_ACCESS);
	free(real);
	return ok;
}

static bool
permit_all(const struct ruleset *set, const struct wire_config *c)
{
	static const char *const readable[] = {
	    "/usr", "/lib", "/lib64", "/etc", "/dev/urandom", "/dev/random"};
	bool ok = permit(set, "/dev/null", READ_ACCESS | LANDLOCK_ACCESS_FS_WRITE_FILE);

	for (size_t i = 0; ok && i < array_len(readable); i++)
		ok = permit(set, readable[i], READ_ACCESS);
	ok = ok && permit_module(set, c->module) && permit(set, c->lock_dir, LOCK_ACCESS);
	for (size_t i = 0; ok && i < c->path_count; i++)
		ok = permit(set, c->paths[i], WRITE_ACCESS);
	return ok;
}

bool
confine_files(const struct wire_config *c, char *reason, size_t size)
{
	struct ruleset set = {.handled = accesses_handled()};
	struct landlock_ruleset_attr attr = {.handled_access_fs = set.handled};
	bool ok;

	if (set.handled == 0) {
		text_printf(
		    reason, size, "this kernel has no Landlock: a worker starts only with sandbox = off");
		return false;
	}
	set.fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (set.fd < 0) {
		text_printf(reason, size, "Landlock: %s", strerror(errno));
		return false;
	}
	ok = permit_all(&set, c) && syscall(SYS_landlock_restrict_self, set.fd, 0) == 0;
	if (!ok)
		text_printf(reason, size, "Landlock: %s", strerror(errno));
	close(set.fd);
	return ok;
}

/* Groups, so that what is refused can be read; names that this kernel's libseccomp lacks are passed over. */
static const char *const denied[] = {
    /* other programs and processes */
    "execve",
    "execveat",
    "fork",
    "vfork",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "pidfd_open",
    "pidfd_getfd",
    "pidfd_send_signal",
    "kcmp",
    "tkill",
    "rt_sigqueueinfo",
    "rt_tgsigqueueinfo",
    "migrate_pages",
    "move_pages",
    "setpriority",
    "ioprio_set",
    /* the view of the file system */
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "unshare",
    "setns",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "move_mount",
    "open_tree",
    "mount_setattr",
    "name_to_handle_at",
    "open_by_handle_at",
    "fanotify_init",
    "quotactl",
    "quotactl_fd",
    "acct",
    "swapon",
    "swapoff",
    /* the kernel */
    "init_module",
    "finit_module",
    "delete_module",
    "kexec_load",
    "kexec_file_load",
    "reboot",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "lookup_dcookie",
    "syslog",
    "iopl",
    "ioperm",
    "modify_ldt",
    "personality",
    "vhangup",
    "_sysctl",
    "nfsservctl",
    "uselib",
    "add_key",
    "request_key",
    "keyctl",
    /* the clock and the machine's names */
    "settimeofday",
    "clock_settime",
    "adjtimex",
    "clock_adjtime",
    "stime",
    "sethostname",
    "setdomainname",
};

static bool
deny(scmp_filter_ctx filter, const char *name)
{
	int number = seccomp_syscall_resolve_name(name);

	/* negative numbers are calls of other architectures: there is nothing to refuse */
	return number < 0 || seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) == 0;
}

/* Threads yes, processes no: a child would outlive SIGKILL. glibc falls back from clone3, whose flags no filter sees. */
static bool
deny_processes(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
		   SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0)) == 0;
}

/* The broker runs under the same user: signals and limits stay with ourselves. */
static bool
deny_others(scmp_filter_ctx filter)
{
	scmp_datum_t self = (scmp_datum_t)getpid();

	return seccomp_rule_add(
		   filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(kill), 1, SCMP_A0(SCMP_CMP_NE, self, 0)) == 0 &&
	       seccomp_rule_add(
		   filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(tgkill), 1, SCMP_A0(SCMP_CMP_NE, self, 0)) == 0 &&
	       seccomp_rule_add(
		   filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prlimit64), 1, SCMP_A0(SCMP_CMP_NE, 0, 0)) == 0;
}

/* pcscd and its like are reached by AF_UNIX; every other family is a way out. */
static bool
deny_network(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
		   SCMP_A0(SCMP_CMP_NE, AF_UNIX, 0)) == 0 &&
	       seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(listen), 0) == 0;
}

/* What confine_process set stays set, and no terminal is typed into. */
static bool
deny_undoing(scmp_filter_ctx filter)
{
	static const scmp_datum_t options[] = {PR_SET_DUMPABLE, PR_SET_PDEATHSIG, PR_SET_PTRACER};
	static const scmp_datum_t controls[] = {TIOCSTI, TIOCLINUX};
	bool ok = true;

	for (size_t i = 0; ok && i < array_len(options); i++)
		ok = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(prctl), 1,
			 SCMP_A0(SCMP_CMP_MASKED_EQ, UINT32_MAX, options[i])) == 0;
	for (size_t i = 0; ok && i < array_len(controls); i++)
		ok = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
			 SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, controls[i])) == 0;
	return ok;
}

bool
confine_calls(char *reason, size_t size)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	/* the module may have started threads: the filter takes in all of them */
	bool ok = filter != NULL && seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0;

	for (size_t i = 0; ok && i < array_len(denied); i++)
		ok = deny(filter, denied[i]);
	ok = ok && deny_processes(filter) && deny_others(filter) && deny_network(filter) &&
	     deny_undoing(filter) && seccomp_load(filter) == 0;
	if (!ok)
		text_printf(
		    reason, size, "seccomp does not work here: a worker starts only with sandbox = off");
	seccomp_release(filter);
	return ok;
}
