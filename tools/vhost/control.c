// SPDX-License-Identifier: GPL-2.0-only
/* The verb set. */
#define _GNU_SOURCE
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

/* The file that a target's accessor is in. */
static const char *accessor_path(const char *target, char *name, size_t size)
{
	int queue;

	if (!strcmp(target, "all"))
		return sys_path(VHOST_DEBUGFS "/accessor");
	if (!strcmp(target, "default"))
		return sys_path(VHOST_DEFAULT);
	if (!device_parse(target, name, size, &queue))
		die(EXIT_USAGE, "'%s' is none of all, default, a device (1234-1) and a queue (1234-1/0)", target);
	if (queue >= 0)
		return sys_path(VHOST_DEBUGFS "/%s/%d/accessor", name, queue);
	return sys_path(VHOST_DEBUGFS "/%s/accessor", name);
}

static const char *lock_times_path(const char *target, char **value)
{
	if (strcmp(target, "all"))
		die(EXIT_USAGE, "lock_times are counted for all devices or none: set all lock_times on|off");
	if (!strcmp(*value, "on"))
		*value = "1";
	else if (!strcmp(*value, "off"))
		*value = "0";
	else
		die(EXIT_USAGE, "lock_times: '%s' is neither on nor off", *value);
	return sys_path(VHOST_DEBUGFS "/lock_times");
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
	char name[40] = "", is[16];
	const char *path;
	json_object *o;
	char *text, *value;
	int ret;

	parse_verb(&argp, argc, argv, &s);
	value = s.word[2];
	if (!strcmp(s.word[1], "accessor"))
		path = accessor_path(s.word[0], name, sizeof(name));
	else if (!strcmp(s.word[1], "lock_times"))
		path = lock_times_path(s.word[0], &value);
	else
		return fail(EXIT_USAGE, "'%s' cannot be set; accessor and lock_times can", s.word[1]);

	ret = write_file(path, value);
	if (ret == -EINVAL) {
		text = read_file(path);
		if (text)
			no_brackets(text);
		return fail(EXIT_USAGE, "accessor '%s': the kernel knows %s", value, text ? text : "none");
	}
	if (ret == -EACCES || ret == -EPERM)
		return fail(EXIT_BLIND, "%s: %s; only root may set it: run it with sudo", path, strerror(-ret));
	if (ret == -ENOENT || ret == -EIO || ret == -ENODEV) {
		if (!name[0] || access(sys_path(VHOST_DEBUGFS "/accessor"), F_OK))
			cannot_look(ENOENT);
		return fail(EXIT_NO, "no device or queue %s, or no longer; 'vhostctl list' shows the devices", s.word[0]);
	}
	if (ret)
		return fail(EXIT_BLIND, "%s: %s", path, strerror(-ret));
	if (!s.json)
		return EXIT_OK;

	text = read_file(path);
	if (text && strcmp(s.word[1], "accessor"))
		snprintf(is, sizeof(is), "%s", text[0] == '1' || text[0] == 'Y' ? "on" : "off");
	else
		accessor_word(text ? text : "", is, sizeof(is));
	free(text);
	o = json_object_new_object();
	json_str(o, "target", s.word[0]);
	json_str(o, "what", s.word[1]);
	json_str(o, "value", is);
	json_out(o, false);
	return EXIT_OK;
}
