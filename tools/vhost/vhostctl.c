// SPDX-License-Identifier: GPL-2.0-only
/* vhostctl: the verbs. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "vhostctl.h"

const char *argp_program_version = "vhostctl 1.0";

static const struct verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *what;
} verbs[] = {
	{ "list", cmd_list, "the vhost devices that are open" },
	{ "show", cmd_show, "a device or queue: accessor, counters, what is mapped" },
	{ "set", cmd_set, "choose how vhost accesses rings" },
	{ "compare", cmd_compare, "what another accessor makes of the traffic that flows now" },
	{ "stat", cmd_stat, "rates, a line for each interval" },
	{ "top", cmd_top, "the same on the whole screen, live" },
	{ "record", cmd_record, "vhost's events into a trace.dat" },
	{ "report", cmd_report, "what a trace says: order, drops, batches, waits, latency" },
	{ "check", cmd_check, "does vhost keep its order? The exit status is the verdict" },
	{ "doctor", cmd_doctor, "is the kernel ours, what is missing, what to do" },
};

static void help(FILE *f)
{
	fputs("Usage: vhostctl VERB [OPTIONS...]\n"
	      "See how vhost accesses its rings, and choose how.\n\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(f, "  %-8s %s\n", verbs[i].name, verbs[i].what);
	fputs("\n'vhostctl VERB --help' explains a verb; vhostctl(8) all of them.\n"
	      "  -?, --help     this list\n"
	      "  -V, --version  the version\n\n"
	      "Exit status: 0 all is well; 1 it is not: a rule is broken, a device is\n"
	      "gone; 2 wrong usage; 3 cannot look: not root, or not such a kernel.\n", f);
}

int main(int argc, char **argv)
{
	argp_err_exit_status = EXIT_USAGE;
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?") ||
	    !strcmp(argv[1], "help")) {
		help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts(argp_program_version);
		return EXIT_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (!strcmp(argv[1], verbs[i].name)) {
			int ret = verbs[i].run(argc - 1, argv + 1);

			if (fflush(stdout) || ferror(stdout))
				return fail(EXIT_BLIND, "cannot write the output; is the disk full?");
			return ret;
		}
	return fail(EXIT_USAGE, "no verb '%s'; 'vhostctl --help' lists them", argv[1]);
}
