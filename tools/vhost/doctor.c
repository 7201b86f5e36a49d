// SPDX-License-Identifier: GPL-2.0-only
/* The verb doctor: what is there, what is missing, what to do. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "devices.h"
#include "vhostctl.h"

enum state { FINE, NOTE, MISSING, UNKNOWN };

static const char * const state_names[] = { "ok", "note", "missing", "unknown" };

/* What was found, and with which exit status it ends if it is missing. */
struct doctor {
	bool json;
	int status;
	json_object *checks;
};

__attribute__((format(printf, 5, 6)))
static void say(struct doctor *d, enum state is, const char *name, const char *todo,
		const char *fmt, ...)
{
	json_object *o;
	char *found;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&found, fmt, ap) < 0)
		die(EXIT_BLIND, "out of memory");
	va_end(ap);
	if (d->json) {
		o = json_object_new_object();
		json_str(o, "check", name);
		json_str(o, "state", state_names[is]);
		json_str(o, "found", found);
		json_str(o, "todo", todo);
		json_object_array_add(d->checks, o);
	} else {
		printf("%-8s %-10s %s\n", state_names[is], name, found);
		if (todo)
			printf("%19s -> %s\n", "", todo);
	}
	free(found);
}

static bool there(const char *path)
{
	return !access(sys_path("%s", path), F_OK);
}

/* A file's first line in a static buffer, or "". */
static const char *first_line(const char *path)
{
	static char line[256];
	char *text = read_file(sys_path("%s", path));

	line[0] = 0;
	if (text)
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	return line;
}

/* Our modules for a stock kernel, as dkms leaves them, packed or not */
static bool modules_installed(const char *release)
{
	static const char * const ends[] = { "", ".xz", ".zst", ".gz" };

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		const char *path = sys_path("/lib/modules/%s/updates/dkms/vhost_ringmap.ko%s",
					    release, ends[i]);

		if (!access(path, F_OK))
			return true;
	}
	return false;
}

/* Whether lockdown lets nobody write to debugfs, nor load what is not signed */
static bool check_lockdown(struct doctor *d)
{
	const char *line = first_line("/sys/kernel/security/lockdown");

	if (!line[0] || strstr(line, "[none]"))
		return false;
	say(d, NOTE, "lockdown", NULL,
	    "%s: the kernel loads only signed modules; accessors are set by vhost's parameter, lock_times cannot be counted",
	    line);
	return true;
}

/* vhost is not ours: what is there, and how to get it. */
static void check_missing_kernel(struct doctor *d, const char *release)
{
	bool loaded = there("/sys/module/vhost");

	if (modules_installed(release) && loaded)
		say(d, MISSING, "kernel",
		    "stop what uses vhost, and run 'dpkg-reconfigure vhost-ringmap-dkms'; or reboot",
		    "%s, whose own vhost is loaded; the package's modules are installed", release);
	else if (modules_installed(release))
		say(d, MISSING, "kernel", "load them: modprobe vhost_net",
		    "%s; the package's modules are installed, and not loaded", release);
	else if (!strncmp(release, "6.12.", 5))
		say(d, MISSING, "kernel",
		    "install vhost-ringmap-dkms and linux-headers-$(uname -r), or boot a kernel with CONFIG_VHOST_RINGMAP",
		    loaded ? "%s, whose vhost has no ring mappings" :
			     "%s, which has no vhost with ring mappings that could be loaded", release);
	else
		say(d, MISSING, "kernel",
		    "boot Linux 6.12 and install vhost-ringmap-dkms, or a kernel with CONFIG_VHOST_RINGMAP",
		    "%s, for which there are no modules with ring mappings", release);
	check_lockdown(d);
}

/*
 * The option leaves a parameter, which all may see, and debugfs, which only root
 * may. The package's modules say their version, which begins with the release whose vhost
 * they are. Returns whether vhost is ours.
 */
static bool check_kernel(struct doctor *d)
{
	const char *version = first_line("/sys/module/vhost_ringmap/version");
	unsigned int from = 0, running = 0;
	struct utsname u;

	uname(&u);
	if (!there(VHOST_DEFAULT)) {
		d->status = EXIT_BLIND;
		check_missing_kernel(d, u.release);
		return false;
	}
	if (!version[0]) {
		say(d, FINE, "kernel", NULL, "%s, with CONFIG_VHOST_RINGMAP", u.release);
		return true;
	}
	if (sscanf(version, "6.12.%u", &from) == 1 && sscanf(u.release, "6.12.%u", &running) == 1 &&
	    running > from)
		say(d, NOTE, "kernel", "look for a newer vhost-ringmap-dkms",
		    "%s, with modules of vhost-ringmap-dkms %s, which lack what was fixed in vhost after 6.12.%u",
		    u.release, version, from);
	else
		say(d, FINE, "kernel", NULL, "%s, with modules of vhost-ringmap-dkms %s",
		    u.release, version);
	return true;
}

static void check_default(struct doctor *d)
{
	const char *line = first_line(VHOST_DEFAULT);
	char word[16];

	accessor_word(line, word, sizeof(word));
	if (!word[0])
		say(d, UNKNOWN, "default", NULL, VHOST_DEFAULT ": cannot be read");
	else if (strcmp(word, "ringmap"))
		say(d, NOTE, "default",
		    "for mapped rings in new devices: vhostctl set default accessor ringmap",
		    "new devices access their rings by %s", word);
	else
		say(d, FINE, "default", NULL, "new devices map their rings");
}

static void check_devices(struct doctor *d)
{
	unsigned int n = 0, mixed = 0, other = 0;
	struct device *devices;

	n = devices_read(&devices, 0);
	for (unsigned int i = 0; i < n; i++) {
		mixed += !devices[i].accessor[0];
		other += devices[i].accessor[0] && strcmp(devices[i].accessor, "ringmap");
	}
	devices_free(devices, n);
	if (!n)
		say(d, FINE, "devices", NULL, "none is open");
	else if (mixed || other)
		say(d, NOTE, "devices", "to map them: vhostctl set all accessor ringmap",
		    "%u open; %u without mapped rings, %u with some", n, other, mixed);
	else
		say(d, FINE, "devices", NULL, "%u open, all with mapped rings", n);
}

/* Returns whether it can be read. */
static bool check_debugfs(struct doctor *d)
{
	if (there(VHOST_DEBUGFS "/accessor")) {
		say(d, FINE, "debugfs", NULL, VHOST_DEBUGFS);
		return true;
	}
	if (geteuid()) {
		d->status = EXIT_BLIND;
		say(d, UNKNOWN, "debugfs", "run it as root: sudo vhostctl doctor",
		    "only root may look into /sys/kernel/debug");
	} else if (there(VHOST_DEBUGFS)) {
		d->status = EXIT_BLIND;
		say(d, MISSING, "debugfs", "boot the kernel that belongs to this vhostctl",
		    VHOST_DEBUGFS " is that of an older version: it has no file accessor");
	} else {
		d->status = EXIT_BLIND;
		say(d, MISSING, "debugfs", "mount -t debugfs none /sys/kernel/debug",
		    "there is no " VHOST_DEBUGFS);
	}
	return false;
}

static void check_knobs(struct doctor *d)
{
	const char *line = first_line(VHOST_DEBUGFS "/lock_times");

	if (check_lockdown(d))
		return;
	if (line[0] == '1' || line[0] == 'Y')
		say(d, NOTE, "lock_times", "when it is not needed: vhostctl set all lock_times off",
		    "counting how long the map lock is held, which costs time");
	else
		say(d, FINE, "lock_times", NULL, "off; 'vhostctl set all lock_times on' counts them");
	if (there(VHOST_DEBUGFS "/windows"))
		say(d, NOTE, "windows", "in production: CONFIG_VHOST_RINGMAP_WINDOWS=n",
		    "the kernel can stop in the middle of an access, for tests");
	if (!there("/sys/kernel/debug/mmu_notifier/stats") &&
	    !there("/sys/module/vhost_ringmap/version"))
		say(d, NOTE, "causes", "to count invalidations of all of mm: CONFIG_MMU_NOTIFIER_STATS=y",
		    "no statistics of MMU notifiers; vhost's own are there");
}

static unsigned int count_events(const char *dir)
{
	DIR *events = opendir(dir);
	struct dirent *e;
	unsigned int n = 0;

	if (!events)
		return 0;
	while ((e = readdir(events)))
		n += !strncmp(e->d_name, "vhost_", 6);
	closedir(events);
	return n;
}

static void check_tracing(struct doctor *d)
{
	static const char * const dirs[] = {
		"/sys/kernel/tracing", "/sys/kernel/debug/tracing",
	};
	unsigned int n;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		n = count_events(sys_path("%s/events/vhost", dirs[i]));
		if (!n)
			continue;
		say(d, FINE, "events", NULL, "%u of vhost, in %s", n, dirs[i]);
		return;
	}
	if (geteuid()) {
		say(d, UNKNOWN, "events", NULL, "only root may look into tracefs");
		return;
	}
	if (!d->status)
		d->status = EXIT_NO;
	if (there("/sys/kernel/tracing/events") || there("/sys/kernel/debug/tracing/events"))
		say(d, MISSING, "events", "boot the kernel that belongs to this vhostctl",
		    "tracefs has no events of vhost: record and check --live cannot work");
	else
		say(d, MISSING, "events",
		    "mount -t tracefs none /sys/kernel/tracing; the kernel needs CONFIG_FTRACE",
		    "tracefs is not mounted: record and check --live cannot work");
}

/* Events of different CPUs are ordered by their times. */
static void check_clock(struct doctor *d)
{
	const char *source = first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource");

	if (strstr(source, "jiffies"))
		say(d, NOTE, "clock", "give the machine a TSC or another timer",
		    "%s, too coarse to tell what happened first on two CPUs: check judges less", source);
	else
		say(d, FINE, "clock", NULL, "%s", source[0] ? source : "unknown");
}

static void check_gnuplot(struct doctor *d)
{
	char *path = xstrdup(getenv("PATH") ? getenv("PATH") : ""), *dir, *save;
	bool found = false;

	for (dir = strtok_r(path, ":", &save); dir && !found; dir = strtok_r(NULL, ":", &save)) {
		char *file = xasprintf("%s/gnuplot", dir);

		found = !access(file, X_OK);
		free(file);
	}
	free(path);
	if (found)
		say(d, FINE, "gnuplot", NULL, "installed, for report --plot");
	else
		say(d, NOTE, "gnuplot", "install gnuplot-nox", "not installed: no report --plot");
}

static error_t doctor_parser(int key, char *arg, struct argp_state *st)
{
	struct doctor *d = st->input;

	switch (key) {
	case 'j':
		d->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(st, "'%s': doctor takes no arguments", arg);
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_doctor(int argc, char **argv)
{
	static const struct argp_option options[] = { OPT_JSON, { 0 } };
	static const struct argp argp = {
		options, doctor_parser, NULL,
		"Is the kernel ours, what is configured, what is missing, what to "
		"do. Exit status: 0 nothing is missing, 1 tracing is, 3 vhost cannot "
		"be looked at.", NULL, NULL, NULL
	};
	struct doctor d = { 0 };
	json_object *o;

	parse_verb(&argp, argc, argv, &d);
	d.checks = json_object_new_array();
	if (check_kernel(&d)) {
		check_default(&d);
		if (check_debugfs(&d)) {
			check_devices(&d);
			check_knobs(&d);
		}
		check_tracing(&d);
		check_clock(&d);
	}
	check_gnuplot(&d);
	if (!d.json) {
		json_object_put(d.checks);
		return d.status;
	}
	o = json_object_new_object();
	json_flag(o, "ok", !d.status);
	json_int(o, "status", d.status);
	json_object_object_add(o, "checks", d.checks);
	json_out(o, false);
	return d.status;
}
