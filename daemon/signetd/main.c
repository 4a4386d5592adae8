/* signetd: options, limits of the process, start, run. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/json.h"
#include "broker.h"
#include "config_describe.h"
#include "journal.h"

static const char usage[] = "Usage: signetd [--config FILE]\n"
			    "The daemon that owns this machine's crypto tokens. See signetd(8).\n"
			    "\n"
			    "  -c, --config FILE  default /etc/signet/signetd.conf, then FILE.d/*.conf\n"
			    "  -t, --check        read the configuration, say what is wrong, and exit\n"
			    "  -j, --json         with --check: print what was read, for programs\n"
			    "      --version\n"
			    "      --help\n";

/* No core file, no ptrace by our uid, and room for as many peers as the configuration allows. */
static void
limit_process(void)
{
	struct rlimit none = {0, 0}, files;

	umask(0077);
	signal(SIGPIPE, SIG_IGN);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max < 16384 ? files.rlim_max : 16384;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static int
print_config(const struct config *c, const char *path)
{
	json_t *described = config_describe(c, path);
	int failed = described == NULL || json_dumpf(described, stdout, JSON_COMPACT) != 0 || putchar('\n') == EOF;

	json_decref(described);
	return failed;
}

static int
check(const char *path, bool as_json)
{
	struct config *c = NULL;
	char why[512];
	int code = 0;

	if (config_load(&c, path, why, sizeof(why)) != SIGNET_OK) {
		fprintf(stderr, "signetd: %s\n", why);
		return 1;
	}
	if (as_json)
		code = print_config(c, path);
	else
		printf("%s: %zu tokens, %zu keys, %zu rules\n", path, c->token_count, c->key_count, c->policy->rule_count);
	config_unref(c);
	return code;
}

static int
serve(const char *path)
{
	static struct broker broker;
	char why[512];

	limit_process();
	if (broker_start(&broker, path, why, sizeof(why)) != SIGNET_OK) {
		journal(LOG_ERR, NULL, "not started: %s", why);
		return 1;
	}
	return broker_run(&broker);
}

int
main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
	    {"check", no_argument, NULL, 't'}, {"json", no_argument, NULL, 'j'}, {"version", no_argument, NULL, 'V'}, {"help", no_argument, NULL, 'h'},
	    {NULL, 0, NULL, 0}};
	const char *path = "/etc/signet/signetd.conf";
	bool only_check = false, as_json = false;
	int c;

	json_wipe_freed_memory();
	journal_open();
	while ((c = getopt_long(argc, argv, "c:tj", options, NULL)) != -1) {
		switch (c) {
		case 'c':
			path = optarg;
			break;
		case 't':
			only_check = true;
			break;
		case 'j':
			as_json = true;
			break;
		case 'V':
			puts("signetd " SIGNET_VERSION);
			return 0;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	if (optind < argc) {
		fputs(usage, stderr);
		return 2;
	}
	return only_check ? check(path, as_json) : serve(path);
}
