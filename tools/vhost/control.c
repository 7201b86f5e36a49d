// SPDX-License-Identifier: GPL-2.0-only
/* The verb set. */
#define _GNU_SOURCE
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "vhostctl.h"

struct set {
	bool json;
	char *word[3];		/* what, "accessor", value */
	int n;
};

static error_t set_parser(int key, char *arg, struct argp_state *st)
{
	struct set *s = st->input;

	switch (key) {
	case 'j':
		s->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (s->n == 3)
			argp_error(st, "'%s' is too much", arg);
		s->word[s->n++] = arg;
		return 0;
	case ARGP_KEY_END:
		if (s->n < 3)
			argp_error(st, "set what? For example: set all accessor ringmap");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static int set_all(const char *accessor)
{
	int ret = write_file(sys_path(VHOST_DEBUGFS "/accessor"), accessor);
	struct device *d;
	unsigned int n;

	if (ret != -EPERM)
		return ret;
	/* No device is called so: that tells whether there is such an accessor. */
	ret = device_set_accessor("0-0", -1, accessor);
	if (ret != -ENOENT)
		return ret;
	n = devices_read(&d, 0);
	ret = 0;
	for (unsigned int i = 0; i < n && (!ret || ret == -ENOENT); i++)
		ret = device_set_accessor(d[i].name, -1, accessor);
	devices_free(d, n);
	return ret == -ENOENT ? 0 : ret;
}

/* 0 or a negative errno */
static int set_accessor(const char *target, const char *accessor)
{
	char name[40];
	int queue;

	if (!strcmp(target, "all"))
		return set_all(accessor);
	if (!strcmp(target, "default"))
		return write_file(sys_path(VHOST_DEFAULT), accessor);
	if (!device_parse(target, name, sizeof(name), &queue))
		die(EXIT_USAGE, "'%s' is none of all, default, a device (1234-1) and a queue (1234-1/0)", target);
	return device_set_accessor(name, queue, accessor);
}

static int set_lock_times(const char *target, const char *value)
{
	bool on = !strcmp(value, "on");

	if (strcmp(target, "all"))
		die(EXIT_USAGE, "lock_times are counted for all devices or none: set all lock_times on|off");
	if (!on && strcmp(value, "off"))
		die(EXIT_USAGE, "lock_times: '%s' is neither on nor off", value);
	return write_file(sys_path(VHOST_DEBUGFS "/lock_times"), on ? "1" : "0");
}

/* Names without the brackets of the one that is chosen. */
static void no_brackets(char *text)
{
	char *to = text;

	for (; *text && *text != '\n'; text++)
		if (*text != '[' && *text != ']')
			*to++ = *text;
	*to = 0;
}

int cmd_set(int argc, char **argv)
{
	static const struct argp_option options[] = { OPT_JSON, { 0 } };
	static const struct argp argp = {
		options, set_parser,
		"DEV[/QUEUE]|all|default accessor uaccess|checked|ringmap\n"
		"all lock_times on|off",
		"Choose how vhost accesses rings: of a queue, of a device, of all "
		"that are open, or by default of those opened from now on. Traffic "
		"goes on and loses nothing. lock_times counts for how long the map "
		"lock is held and waited for, which costs time itself.",
		NULL, NULL, NULL
	};
	struct set s = { 0 };
	json_object *o;
	char *text;
	int ret;

	parse_verb(&argp, argc, argv, &s);
	if (!strcmp(s.word[1], "accessor"))
		ret = set_accessor(s.word[0], s.word[2]);
	else if (!strcmp(s.word[1], "lock_times"))
		ret = set_lock_times(s.word[0], s.word[2]);
	else
		return fail(EXIT_USAGE, "'%s' cannot be set; accessor and lock_times can", s.word[1]);

	switch (ret) {
	case 0:
		break;
	case -EINVAL:
		text = read_file(sys_path(VHOST_DEFAULT));
		if (text)
			no_brackets(text);
		return fail(EXIT_USAGE, "accessor '%s': the kernel knows %s", s.word[2], text ? text : "none");
	case -EACCES:
		return fail(EXIT_BLIND, "only root may set that: run it with sudo");
	case -EPERM:
		return fail(EXIT_BLIND, "%s cannot be set: the kernel is in lockdown", s.word[1]);
	case -ENOENT:
		if (access(sys_path(VHOST_DEBUGFS), F_OK) || !isdigit((unsigned char)s.word[0][0]))
			cannot_look(ENOENT);
		return fail(EXIT_NO, "no device or queue %s, or no longer; 'vhostctl list' shows the devices", s.word[0]);
	default:
		return fail(EXIT_BLIND, "%s cannot be set: %s", s.word[1], strerror(-ret));
	}
	if (!s.json)
		return EXIT_OK;

	o = json_object_new_object();
	json_str(o, "target", s.word[0]);
	json_str(o, "what", s.word[1]);
	json_str(o, "value", s.word[2]);
	json_out(o, false);
	return EXIT_OK;
}
