/*
 * What a module can still do after it was locked in. Each attempt runs in a
 * child of its own and answers with 0 or the errno it met.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <pthread.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "token/worker.h"
#include "unit.h"

/* A directory with: own/ (may be written), locks/, module/, other/secret; a socket to be the broker's. */
static char root[256];
static struct wire_config config;
static int lane[2];

static int
make_dir(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return mkdir(path, 0700);
}

static int
make_file(const char *name)
{
	char path[300];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", root, name);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1)
		return -1;
	return close(fd);
}

static int
set_up(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(root, sizeof(root), "%s/signet-confine-XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(root) == NULL || make_dir("own") != 0 || make_dir("locks") != 0 ||
	    make_dir("module") != 0 || make_dir("other") != 0 || make_file("own/token") != 0 ||
	    make_file("locks/a") != 0 || make_file("module/m.so") != 0 || make_file("other/secret") != 0)
		return -1;
	config.lanes = 1;
	config.confine = 1;
	snprintf(config.module, sizeof(config.module), "%s/module/m.so", root);
	snprintf(config.lock_dir, sizeof(config.lock_dir), "%s/locks", root);
	config.path_count = 2;
	snprintf(config.paths[0], sizeof(config.paths[0]), "%s/own", root);
	snprintf(config.paths[1], sizeof(config.paths[1]), "%s/not-plugged-in", root);
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, lane);
}

static int
tear_down(void **state)
{
	char command[300];

	(void)state;
	close(lane[0]);
	close(lane[1]);
	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

typedef int (*attempt)(void);

static int
wait_for(pid_t pid)
{
	int status = -1;

	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

enum { CONFINE_FAILED = 255 };

static int
locked_in(attempt try)
{
	char reason[256];
	pid_t pid = fork();

	if (pid == 0) {
		confine_process(lane[1]);
		if (!confine_files(&config, reason, sizeof(reason)) ||
		    !confine_calls(reason, sizeof(reason))) {
			fputs(reason, stderr);
			_exit(CONFINE_FAILED);
		}
		_exit(try());
	}
	return wait_for(pid);
}

/* 0 or errno of a call that answers -1. */
static int
outcome(long answer)
{
	return answer < 0 ? errno : 0;
}

static int
open_below(const char *name, int flags)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return outcome(open(path, flags | O_CLOEXEC, 0600));
}

static int
read_usr(void)
{
	return outcome(open("/usr/lib", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int
read_etc(void)
{
	return outcome(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static int
write_etc(void)
{
	return outcome(open("/etc/signet-should-not-be-there", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
}

static int
read_own(void)
{
	return open_below("own/token", O_RDONLY);
}

static int
write_own(void)
{
	return open_below("own/token", O_RDWR | O_TRUNC);
}

static int
create_own(void)
{
	return open_below("own/new", O_RDWR | O_CREAT);
}

static int
read_module(void)
{
	return open_below("module/m.so", O_RDONLY);
}

static int
write_module(void)
{
	return open_below("module/m.so", O_WRONLY);
}

static int
read_other(void)
{
	return open_below("other/secret", O_RDONLY);
}

static int
truncate_other(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/other/secret", root);
	return outcome(truncate(path, 0));
}

static int
create_lock(void)
{
	return open_below("locks/b", O_RDWR | O_CREAT);
}

static int
remove_lock(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/locks/a", root);
	return outcome(unlink(path));
}

static int
make_device(void)
{
	char path[300];

	snprintf(path, sizeof(path), "%s/own/null", root);
	return outcome(mknod(path, S_IFCHR | 0600, 0x103));
}

static int
write_dev_null(void)
{
	return outcome(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int
read_dev_urandom(void)
{
	return outcome(open("/dev/urandom", O_RDONLY | O_CLOEXEC));
}

static int
read_proc_of_the_broker(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/cmdline", getppid());
	return outcome(open(path, O_RDONLY | O_CLOEXEC));
}

static void
files_are_read_only_or_hidden(void **state)
{
	(void)state;
	assert_int_equal(locked_in(read_usr), 0);
	assert_int_equal(locked_in(read_etc), 0);
	assert_int_equal(locked_in(write_etc), EACCES);
	assert_int_equal(locked_in(read_module), 0);
	assert_int_equal(locked_in(write_module), EACCES);
	assert_int_equal(locked_in(read_other), EACCES);
	assert_int_equal(locked_in(truncate_other), EACCES);
	assert_int_equal(locked_in(read_proc_of_the_broker), EACCES);
	assert_int_equal(locked_in(write_dev_null), 0);
	assert_int_equal(locked_in(read_dev_urandom), 0);
}

static void
configured_paths_may_be_written(void **state)
{
	(void)state;
	assert_int_equal(locked_in(read_own), 0);
	assert_int_equal(locked_in(write_own), 0);
	assert_int_equal(locked_in(create_own), 0);
	assert_int_equal(locked_in(make_device), EACCES);
}

static void
locks_are_made_but_never_removed(void **state)
{
	(void)state;
	assert_int_equal(locked_in(create_lock), 0);
	assert_int_equal(locked_in(remove_lock), EACCES);
}

static int
run_a_program(void)
{
	char *argv[] = {(char *)(uintptr_t) "/bin/true", NULL}, *none[] = {NULL};

	return outcome(execve(argv[0], argv, none));
}

static int
run_from_a_descriptor(void)
{
	return outcome(syscall(SYS_execveat, AT_FDCWD, "/bin/true", NULL, NULL, 0));
}

static int
fork_once(void)
{
	return outcome(fork());
}

static int
clone_a_process(void)
{
	return outcome(syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL));
}

static int
clone3_anything(void)
{
	return outcome(syscall(SYS_clone3, NULL, 0));
}

static void *
nothing(void *arg)
{
	return arg;
}

static int
start_a_thread(void)
{
	pthread_t thread;
	int err = pthread_create(&thread, NULL, nothing, NULL);

	return err != 0 ? err : pthread_join(thread, NULL);
}

static void
no_process_is_started_but_threads_are(void **state)
{
	(void)state;
	assert_int_equal(locked_in(run_a_program), EPERM);
	assert_int_equal(locked_in(run_from_a_descriptor), EPERM);
	assert_int_equal(locked_in(fork_once), EPERM);
	assert_int_equal(locked_in(clone_a_process), EPERM);
	assert_int_equal(locked_in(clone3_anything), ENOSYS);
	assert_int_equal(locked_in(start_a_thread), 0);
}

static int
signal_the_broker(void)
{
	return outcome(kill(getppid(), 0));
}

static int
signal_everybody(void)
{
	return outcome(kill(-1, 0));
}

static int
signal_a_thread_of_the_broker(void)
{
	return outcome(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static int
signal_itself(void)
{
	signal(SIGUSR1, SIG_IGN);
	return outcome(kill(getpid(), 0)) != 0 ? errno : raise(SIGUSR1);
}

static int
limit_the_broker(void)
{
	struct rlimit limit = {0, 0};

	return outcome(prlimit(getppid(), RLIMIT_NOFILE, &limit, NULL));
}

static int
read_own_limits(void)
{
	struct rlimit limit;

	return outcome(getrlimit(RLIMIT_NOFILE, &limit));
}

static int
trace_the_broker(void)
{
	return outcome(ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
}

static int
read_memory_of_the_broker(void)
{
	char byte;
	struct iovec here = {&byte, 1}, there = {root, 1};

	return outcome(process_vm_readv(getppid(), &here, 1, &there, 1, 0));
}

static int
open_the_broker(void)
{
	return outcome(syscall(SYS_pidfd_open, getppid(), 0));
}

static void
other_processes_are_out_of_reach(void **state)
{
	(void)state;
	assert_int_equal(locked_in(signal_the_broker), EPERM);
	assert_int_equal(locked_in(signal_everybody), EPERM);
	assert_int_equal(locked_in(signal_a_thread_of_the_broker), EPERM);
	assert_int_equal(locked_in(signal_itself), 0);
	assert_int_equal(locked_in(limit_the_broker), EPERM);
	assert_int_equal(locked_in(read_own_limits), 0);
	assert_int_equal(locked_in(trace_the_broker), EPERM);
	assert_int_equal(locked_in(read_memory_of_the_broker), EPERM);
	assert_int_equal(locked_in(open_the_broker), EPERM);
}

static int
socket_inet(void)
{
	return outcome(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int
socket_inet6(void)
{
	return outcome(socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
}

static int
socket_netlink(void)
{
	return outcome(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0));
}

static int
socket_unix(void)
{
	return outcome(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static int
listen_unix(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%.90s/own/socket", root);
	if (bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0)
		return errno;
	return outcome(listen(fd, 1));
}

static void
only_unix_sockets_are_left(void **state)
{
	(void)state;
	assert_int_equal(locked_in(socket_inet), EAFNOSUPPORT);
	assert_int_equal(locked_in(socket_inet6), EAFNOSUPPORT);
	assert_int_equal(locked_in(socket_netlink), EAFNOSUPPORT);
	assert_int_equal(locked_in(socket_unix), 0);
	assert_int_equal(locked_in(listen_unix), EPERM);
}

static int
mount_something(void)
{
	return outcome(mount("none", "/mnt", "tmpfs", 0, NULL));
}

static int
unshare_something(void)
{
	return outcome(unshare(CLONE_NEWUSER));
}

static int
load_a_program_into_the_kernel(void)
{
	return outcome(syscall(SYS_bpf, 0, NULL, 0));
}

static int
set_up_a_ring(void)
{
	return outcome(syscall(SYS_io_uring_setup, 1, NULL));
}

static int
read_a_keyring(void)
{
	return outcome(syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0));
}

static int
watch_performance(void)
{
	return outcome(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
}

static int
set_the_clock(void)
{
	struct timespec at = {0, 0};

	return outcome(clock_settime(CLOCK_REALTIME, &at));
}

static void
the_kernel_is_out_of_reach(void **state)
{
	(void)state;
	assert_int_equal(locked_in(mount_something), EPERM);
	assert_int_equal(locked_in(unshare_something), EPERM);
	assert_int_equal(locked_in(load_a_program_into_the_kernel), EPERM);
	assert_int_equal(locked_in(set_up_a_ring), EPERM);
	assert_int_equal(locked_in(read_a_keyring), EPERM);
	assert_int_equal(locked_in(watch_performance), EPERM);
	assert_int_equal(locked_in(set_the_clock), EPERM);
}

static int
become_dumpable(void)
{
	return outcome(prctl(PR_SET_DUMPABLE, 1));
}

static int
outlive_the_broker(void)
{
	return outcome(prctl(PR_SET_PDEATHSIG, 0));
}

static int
type_into_the_terminal(void)
{
	return outcome(ioctl(0, TIOCSTI, "x"));
}

static int
is_as_it_was_left(void)
{
	struct rlimit core;
	int signal = 0;

	if (getrlimit(RLIMIT_CORE, &core) != 0 || prctl(PR_GET_PDEATHSIG, &signal) != 0)
		return errno;
	return core.rlim_cur == 0 && core.rlim_max == 0 && signal == SIGKILL && prctl(PR_GET_DUMPABLE) == 0 &&
		       prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1
		   ? 0
		   : EX_SOFTWARE;
}

static void
what_was_set_stays_set(void **state)
{
	(void)state;
	assert_int_equal(locked_in(become_dumpable), EPERM);
	assert_int_equal(locked_in(outlive_the_broker), EPERM);
	assert_int_equal(locked_in(type_into_the_terminal), EPERM);
	assert_int_equal(locked_in(is_as_it_was_left), 0);
}

/* A thread that a module started in C_Initialize. */
struct early {
	int go[2];
	int err;
};

static void *
try_when_told(void *arg)
{
	struct early *e = arg;
	char byte;

	e->err = read(e->go[0], &byte, 1) == 1 ? socket_inet() : EIO;
	return NULL;
}

static void
threads_that_ran_already_are_filtered_too(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct early e = {.err = 0};
		char reason[256];
		pthread_t thread;

		if (pipe(e.go) != 0 || pthread_create(&thread, NULL, try_when_told, &e) != 0)
			_exit(EX_OSERR);
		confine_process(lane[1]);
		if (!confine_calls(reason, sizeof(reason)) || write(e.go[1], "x", 1) != 1)
			_exit(CONFINE_FAILED);
		pthread_join(thread, NULL);
		_exit(e.err);
	}
	assert_int_equal(wait_for(pid), EAFNOSUPPORT);
}

static void
descriptors_from_the_first_on_are_closed(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		int kept = fcntl(0, F_DUPFD, 20), closed = fcntl(0, F_DUPFD, 21);

		confine_descriptors(21);
		_exit(
		    kept == 20 && closed == 21 && fcntl(20, F_GETFD) == 0 && fcntl(21, F_GETFD) < 0 ? 0 : 1);
	}
	assert_int_equal(wait_for(pid), 0);
}

static void
broker_that_is_gone_already_is_noticed(void **state)
{
	int pair[2];
	pid_t pid;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	close(pair[0]);
	pid = fork();
	if (pid == 0) {
		confine_process(pair[1]);
		_exit(0);
	}
	assert_int_equal(wait_for(pid), EX_UNAVAILABLE);
	close(pair[1]);
}

static void
kernel_without_landlock_is_told(void **state)
{
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		scmp_filter_ctx old = seccomp_init(SCMP_ACT_ALLOW);
		char reason[256] = "";

		if (old == NULL ||
		    seccomp_rule_add(old, SCMP_ACT_ERRNO(ENOSYS), SYS_landlock_create_ruleset, 0) != 0 ||
		    seccomp_load(old) != 0)
			_exit(EX_OSERR);
		_exit(!confine_files(&config, reason, sizeof(reason)) && strstr(reason, "no Landlock") != NULL
			  ? 0
			  : 1);
	}
	assert_int_equal(wait_for(pid), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(files_are_read_only_or_hidden),
	    cmocka_unit_test(configured_paths_may_be_written),
	    cmocka_unit_test(locks_are_made_but_never_removed),
	    cmocka_unit_test(no_process_is_started_but_threads_are),
	    cmocka_unit_test(other_processes_are_out_of_reach),
	    cmocka_unit_test(only_unix_sockets_are_left),
	    cmocka_unit_test(the_kernel_is_out_of_reach),
	    cmocka_unit_test(what_was_set_stays_set),
	    cmocka_unit_test(threads_that_ran_already_are_filtered_too),
	    cmocka_unit_test(descriptors_from_the_first_on_are_closed),
	    cmocka_unit_test(broker_that_is_gone_already_is_noticed),
	    cmocka_unit_test(kernel_without_landlock_is_told),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
