/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vhostctl: see how vhost accesses its rings, and choose how. What the verbs share.
 */
#ifndef VHOSTCTL_H
#define VHOSTCTL_H

#include <argp.h>
#include <json-c/json.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Exit statuses, as the man page promises. */
enum {
	EXIT_OK = 0,
	EXIT_NO = 1,		/* looked, and it is not so: a rule broken, a device gone */
	EXIT_USAGE = 2,
	EXIT_BLIND = 3,		/* cannot look: not root, no such kernel, no such file */
};

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define NSEC		((uint64_t)1000000000)

/* --- util.c --- */

/* Called before a message: what has the screen gives it back. */
extern void (*before_message)(void);

/* An error on stderr; returns @status. */
__attribute__((format(printf, 2, 3)))
int fail(int status, const char *fmt, ...);

/* The same, and out. */
__attribute__((format(printf, 2, 3), noreturn))
void die(int status, const char *fmt, ...);

void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
__attribute__((format(printf, 1, 2)))
char *xasprintf(const char *fmt, ...);

/*
 * A path of the system's, which tests put below VHOSTCTL_ROOT. In one of a few static
 * buffers.
 */
__attribute__((format(printf, 1, 2)))
const char *sys_path(const char *fmt, ...);

/* A file as a string that the caller frees, or NULL with errno. */
char *read_file(const char *path);

/* Write one string; 0 or a negative errno. */
int write_file(const char *path, const char *text);

/* Seconds of a clock that only goes forward. */
double now(void);

/* Sleep, less if a signal comes. */
void nap(double seconds);

/* Numbers on the command line; wrong ones are a usage error. */
double arg_seconds(struct argp_state *st, const char *name, const char *arg);
unsigned long arg_number(struct argp_state *st, const char *name, const char *arg,
			 unsigned long max);

/* The JSON text of @o on stdout, which is dropped: indented, or on one line. */
void json_out(json_object *o, bool line);
void json_int(json_object *o, const char *key, uint64_t v);
void json_str(json_object *o, const char *key, const char *v);
void json_num(json_object *o, const char *key, double v);
void json_flag(json_object *o, const char *key, bool v);

/* Set by SIGINT and SIGTERM once catch_signals() was called. */
extern atomic_int interrupted;
void catch_signals(void);

/* What nearly every verb's parser does with --json, and the option itself. */
#define OPT_JSON { "json", 'j', NULL, 0, "JSON on stdout, as the schema in the sources says", 0 }

/* A verb's command line: argv[0] names the verb. */
void parse_verb(const struct argp *argp, int argc, char **argv, void *input);

/* --- the verbs --- */

int cmd_list(int argc, char **argv);
int cmd_show(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_stat(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_record(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_doctor(int argc, char **argv);

#endif /* VHOSTCTL_H */
