// SPDX-License-Identifier: GPL-2.0-only
/* Errors, files, numbers and JSON. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "vhostctl.h"

atomic_int interrupted;
void (*before_message)(void);

static void complain(const char *fmt, va_list ap)
{
	if (before_message)
		before_message();
	fflush(stdout);
	fputs("vhostctl: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
}

int fail(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	return status;
}

void die(int status, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	complain(fmt, ap);
	va_end(ap);
	exit(status);
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		die(EXIT_BLIND, "out of memory");
	return p;
}

void *xrealloc(void *p, size_t size)
{
	p = realloc(p, size);
	if (!p)
		die(EXIT_BLIND, "out of memory");
	return p;
}

char *xstrdup(const char *s)
{
	return xasprintf("%s", s);
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		die(EXIT_BLIND, "out of memory");
	va_end(ap);
	return s;
}

const char *sys_path(const char *fmt, ...)
{
	static char bufs[8][512];
	static unsigned int turn;
	const char *root = getenv("VHOSTCTL_ROOT");
	char *buf = bufs[turn++ % 8];
	va_list ap;
	int n;

	n = snprintf(buf, sizeof(bufs[0]), "%s", root ? root : "");
	if (n < (int)sizeof(bufs[0])) {
		va_start(ap, fmt);
		n += vsnprintf(buf + n, sizeof(bufs[0]) - n, fmt, ap);
		va_end(ap);
	}
	if (n >= (int)sizeof(bufs[0]))
		die(EXIT_BLIND, "a path is too long: %s...", buf);
	return buf;
}

char *read_file(const char *path)
{
	size_t len = 0, room = 0;
	char *buf = NULL;
	ssize_t n;
	int fd, err;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	do {
		if (room < len + 4097) {
			room = 2 * room + 8192;
			buf = xrealloc(buf, room);
		}
		n = read(fd, buf + len, room - len - 1);
		if (n > 0)
			len += n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	err = errno;
	close(fd);
	if (n < 0) {
		free(buf);
		errno = err;
		return NULL;
	}
	buf[len] = 0;
	return buf;
}

int write_file(const char *path, const char *text)
{
	ssize_t len = strlen(text), n;
	int fd, ret;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = write(fd, text, len);
	ret = n < 0 ? -errno : n < len ? -EIO : 0;
	close(fd);
	return ret;
}

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

void nap(double seconds)
{
	struct timespec t;

	if (seconds <= 0)
		return;
	t.tv_sec = seconds;
	t.tv_nsec = (seconds - t.tv_sec) * 1e9;
	nanosleep(&t, NULL);
}

double arg_seconds(struct argp_state *st, const char *name, const char *arg)
{
	char *end;
	double v = strtod(arg, &end);

	if (*end || end == arg || !isfinite(v) || v < 0.01 || v > 1e7)
		argp_error(st, "%s: '%s' is not a number of seconds", name, arg);
	return v;
}

unsigned long arg_number(struct argp_state *st, const char *name, const char *arg,
			 unsigned long max)
{
	unsigned long v;
	char *end;

	errno = 0;
	v = strtoul(arg, &end, 10);
	if (*end || end == arg || errno || arg[0] == '-' || !v || v > max)
		argp_error(st, "%s: '%s' is not a number from 1 to %lu", name, arg, max);
	return v;
}

void json_out(json_object *o, bool line)
{
	int flags = JSON_C_TO_STRING_NOSLASHESCAPE;

	flags |= line ? JSON_C_TO_STRING_PLAIN :
			JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED;
	puts(json_object_to_json_string_ext(o, flags));
	fflush(stdout);
	json_object_put(o);
}

void json_int(json_object *o, const char *key, uint64_t v)
{
	json_object_object_add(o, key, json_object_new_uint64(v));
}

void json_str(json_object *o, const char *key, const char *v)
{
	json_object_object_add(o, key, v && *v ? json_object_new_string(v) : NULL);
}

/* Three digits after the point: more would only look exact. */
void json_num(json_object *o, const char *key, double v)
{
	json_object *n = NULL;
	char text[64];

	if (isfinite(v)) {
		snprintf(text, sizeof(text), "%.3f", v);
		n = json_object_new_double_s(v, text);
	}
	json_object_object_add(o, key, n);
}

void json_flag(json_object *o, const char *key, bool v)
{
	json_object_object_add(o, key, json_object_new_boolean(v));
}

static void interrupt(int sig)
{
	interrupted = sig;
}

void catch_signals(void)
{
	struct sigaction sa = { .sa_handler = interrupt };

	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}

void parse_verb(const struct argp *argp, int argc, char **argv, void *input)
{
	static char name[64];

	/* Messages and --help then say how it was called. */
	snprintf(name, sizeof(name), "vhostctl %s", argv[0]);
	argv[0] = name;
	/* In order: what is behind a COMMAND is the command's. */
	argp_parse(argp, argc, argv, ARGP_IN_ORDER, NULL, input);
}
