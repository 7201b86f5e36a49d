// SPDX-License-Identifier: GPL-2.0-only
/* Reading debugfs; the verbs list and show. */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices.h"
#include "vhostctl.h"

void cannot_look(int err)
{
	const char *dir = sys_path(VHOST_DEBUGFS);

	if (err == EACCES || err == EPERM)
		die(EXIT_BLIND, "%s: %s; only root may look: run it with sudo", dir,
		    strerror(err));
	die(EXIT_BLIND, "%s: %s; this kernel has no CONFIG_VHOST_RINGMAP, or debugfs is not mounted, or vhost is not loaded: 'vhostctl doctor' tells which",
	    dir, strerror(err));
}

void accessor_word(const char *text, char *word, size_t size)
{
	const char *open = strchr(text, '[');
	size_t n = open ? strcspn(open + 1, "]\n") : 0;

	if (n >= size)
		n = size - 1;
	if (n)
		memcpy(word, open + 1, n);
	word[n] = 0;
}

bool device_parse(const char *arg, char *name, size_t size, int *queue)
{
	unsigned int pid, n, q;
	int end = 0;

	*queue = -1;
	if (!isdigit((unsigned char)arg[0]))
		return false;
	if (sscanf(arg, "%u-%u%n", &pid, &n, &end) != 2 || !end ||
	    !isdigit((unsigned char)arg[end - 1]))
		return false;
	if (arg[end] == '/') {
		int more = 0;

		if (sscanf(arg + end, "/%5u%n", &q, &more) != 1 || arg[end + more])
			return false;
		*queue = q;
	} else if (arg[end]) {
		return false;
	}
	return snprintf(name, size, "%.*s", end, arg) < (int)size;
}

/* A queue's file, or NULL with errno; a removed file reads as EIO. */
static char *queue_file(const char *dev, unsigned int q, const char *file)
{
	char *text = read_file(sys_path(VHOST_DEBUGFS "/%s/%u/%s", dev, q, file));

	if (!text && (errno == EIO || errno == ENODEV))
		errno = ENOENT;
	return text;
}

static void parse_stats(struct queue *q, char *text)
{
	struct counter c;
	char *line, *save;

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (sscanf(line, "%47s %" SCNu64, c.name, &c.v) != 2)
			continue;
		q->c = xrealloc(q->c, (q->nc + 1) * sizeof(c));
		q->c[q->nc++] = c;
	}
}

static void parse_map(struct queue *q, char *text)
{
	char *line, *save;

	for (line = strtok_r(text, "\n", &save);
	     line && q->nmap < ARRAY_SIZE(q->map);
	     line = strtok_r(NULL, "\n", &save)) {
		struct ring_map *m = &q->map[q->nmap];

		if (sscanf(line, "%15s addr=%23s len=%" SCNu64 " pages=%" SCNu64
			   " mapped=%" SCNu64 " kind=%15s", m->ring, m->addr, &m->len,
			   &m->pages, &m->mapped, m->kind) == 6)
			q->nmap++;
	}
}

static void parse_times(struct queue *q, char *text)
{
	uint64_t less, count;
	char *line, *save;
	char what[16];

	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		struct times *t;

		if (sscanf(line, "%15s %" SCNu64 " %" SCNu64, what, &less, &count) != 3)
			continue;
		t = !strcmp(what, "hold_ns") ? &q->hold :
		    !strcmp(what, "wait_ns") ? &q->wait : NULL;
		if (!t || t->n == ARRAY_SIZE(t->count))
			continue;
		t->less_than[t->n] = less;
		t->count[t->n++] = count;
	}
}

/* A part of the kernel's output may not exist; a queue that went has none. */
static int queue_read(struct queue *q, const char *dev, int what)
{
	static const struct {
		int what;
		const char *file;
		void (*parse)(struct queue *q, char *text);
	} parts[] = {
		{ READ_STATS, "stats", parse_stats },
		{ READ_MAP, "map", parse_map },
		{ READ_TIMES, "lock_times", parse_times },
	};
	char *text;

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (!(what & parts[i].what))
			continue;
		text = queue_file(dev, q->index, parts[i].file);
		if (!text)
			return -errno;
		parts[i].parse(q, text);
		free(text);
	}
	return 0;
}

/* What all queues have, empty where they differ */
static void common_accessor(struct device *d)
{
	snprintf(d->accessor, sizeof(d->accessor), "%s", d->nq ? d->q[0].accessor : "");
	for (unsigned int i = 1; i < d->nq; i++)
		if (strcmp(d->q[i].accessor, d->accessor))
			d->accessor[0] = 0;
}

/* "ROLE pid=PID comm=NAME"; the name may hold anything but the end of a line. */
static void parse_process(struct process *p, const char *role, const char *line)
{
	size_t n = strlen(role);
	int at = 0;

	if (strncmp(line, role, n) || sscanf(line + n, " pid=%d comm=%n", &p->pid, &at) != 1 || !at)
		return;
	snprintf(p->comm, sizeof(p->comm), "%s", line + n + at);
}

/* Without the file, the opener's number is all that is known. */
static void owner_read(struct device *d)
{
	char *text = read_file(sys_path(VHOST_DEBUGFS "/%s/owner", d->name));
	char *line, *save;

	for (line = text ? strtok_r(text, "\n", &save) : NULL; line;
	     line = strtok_r(NULL, "\n", &save)) {
		parse_process(&d->owner, "owner", line);
		parse_process(&d->opener, "opener", line);
	}
	free(text);
}

int device_read(struct device *d, const char *name, int what)
{
	const char *path = sys_path(VHOST_DEBUGFS "/%s/queues", name);
	char *text, *line, *save;
	int ret;

	memset(d, 0, sizeof(*d));
	snprintf(d->name, sizeof(d->name), "%s", name);
	if (sscanf(name, "%d-%u", &d->opener.pid, &d->n) != 2)
		return -ENOENT;
	owner_read(d);

	text = read_file(path);
	if (!text)
		return errno == EIO || errno == ENODEV ? -ENOENT : -errno;
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		struct queue q = { 0 };

		if (sscanf(line, "%u accessor=%15s mode=%15s worker=%d", &q.index, q.accessor,
			   q.mode, &q.worker) != 4)
			continue;
		ret = queue_read(&q, name, what);
		if (ret) {
			free(text);
			free(q.c);
			device_free(d);
			return ret;
		}
		d->q = xrealloc(d->q, (d->nq + 1) * sizeof(q));
		d->q[d->nq++] = q;
	}
	free(text);
	common_accessor(d);
	/* A device without queues is one that is being removed. */
	return d->nq ? 0 : -ENOENT;
}

int device_set_accessor(const char *name, int queue, const char *accessor)
{
	char which[64], *text;
	int ret;

	if (queue < 0)
		snprintf(which, sizeof(which), "%s", name);
	else
		snprintf(which, sizeof(which), "%s/%d", name, queue);
	ret = write_file(sys_path(VHOST_DEBUGFS "/%s/accessor", which), accessor);
	if (ret == -EPERM) {
		text = xasprintf("%s %s", which, accessor);
		ret = write_file(sys_path(VHOST_SET), text);
		free(text);
	}
	return ret == -EIO || ret == -ENODEV ? -ENOENT : ret;
}

void device_free(struct device *d)
{
	for (unsigned int i = 0; i < d->nq; i++)
		free(d->q[i].c);
	free(d->q);
	d->q = NULL;
	d->nq = 0;
}

static int by_number(const void *a, const void *b)
{
	const struct device *x = a, *y = b;

	return (x->n > y->n) - (x->n < y->n);
}

unsigned int devices_read(struct device **devices, int what)
{
	DIR *dir = opendir(sys_path(VHOST_DEBUGFS));
	unsigned int n = 0;
	struct dirent *e;
	int ret;

	*devices = NULL;
	if (!dir)
		cannot_look(errno);
	while ((e = readdir(dir))) {
		char name[40];
		int q;

		if (!device_parse(e->d_name, name, sizeof(name), &q))
			continue;
		*devices = xrealloc(*devices, (n + 1) * sizeof(**devices));
		ret = device_read(&(*devices)[n], name, what);
		if (!ret)
			n++;
		else if (ret != -ENOENT)
			cannot_look(-ret);
	}
	closedir(dir);
	if (n)
		qsort(*devices, n, sizeof(**devices), by_number);
	return n;
}

void devices_free(struct device *d, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		device_free(&d[i]);
	free(d);
}

void devices_say_owners(void)
{
	DIR *dir = opendir(sys_path(VHOST_DEBUGFS));
	struct dirent *e;
	char name[40];
	int q;

	while (dir && (e = readdir(dir)))
		if (device_parse(e->d_name, name, sizeof(name), &q))
			free(read_file(sys_path(VHOST_DEBUGFS "/%s/owner", name)));
	if (dir)
		closedir(dir);
}

const char *process_name(const struct process *p)
{
	static char bufs[4][sizeof(p->comm)];
	static unsigned int turn;
	char *buf = bufs[turn++ % 4];

	if (!p->pid)
		return "-";
	snprintf(buf, sizeof(bufs[0]), "%s", p->comm[0] ? p->comm : "?");
	for (char *s = buf; *s; s++)
		if (*s <= ' ' || *s > '~')
			*s = '_';
	return buf;
}

static bool is_other(const struct process *owner, const struct process *opener)
{
	return owner->pid != opener->pid;
}

const char *processes_text(const struct process *owner, const struct process *opener)
{
	static char buf[160];
	int n;

	if (owner->pid)
		n = snprintf(buf, sizeof(buf), "owner %s (%d)", process_name(owner), owner->pid);
	else
		n = snprintf(buf, sizeof(buf), "no owner");
	if (is_other(owner, opener))
		snprintf(buf + n, sizeof(buf) - n, ", opened by %s (%d)", process_name(opener),
			 opener->pid);
	return buf;
}

json_object *process_json(const struct process *p)
{
	json_object *o;

	if (!p->pid)
		return NULL;
	o = json_object_new_object();
	json_int(o, "pid", p->pid);
	json_str(o, "comm", p->comm);
	return o;
}

uint64_t queue_counter(const struct queue *q, const char *name)
{
	for (unsigned int i = 0; i < q->nc; i++)
		if (!strcmp(q->c[i].name, name))
			return q->c[i].v;
	return 0;
}

uint64_t device_counter(const struct device *d, const char *name)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < d->nq; i++)
		sum += queue_counter(&d->q[i], name);
	return sum;
}

double mapped_share(uint64_t mapped, uint64_t fallback)
{
	return mapped + fallback ? 100.0 * mapped / (mapped + fallback) : NAN;
}

static const char *share_text(char *buf, size_t size, uint64_t mapped, uint64_t fallback)
{
	double share = mapped_share(mapped, fallback);

	if (isnan(share))
		return "-";
	snprintf(buf, size, "%.2f %%", share);
	return buf;
}

/* --- list --- */

static error_t list_parser(int key, char *arg, struct argp_state *st)
{
	bool *json = st->input;

	switch (key) {
	case 'j':
		*json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(st, "'%s': list takes no arguments; 'vhostctl show %s'?", arg, arg);
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_list(int argc, char **argv)
{
	static const struct argp_option options[] = { OPT_JSON, { 0 } };
	static const struct argp argp = {
		options, list_parser, NULL,
		"The vhost devices that are open, a line for each. DEVICE is "
		"PID-N: the process that opened it, and its number since boot. "
		"OWNER is the process in whose memory the rings are, as it was "
		"called when it became that. OPENED BY is another process, which "
		"handed the device over.",
		NULL, NULL, NULL
	};
	json_object *out, *array;
	struct device *d;
	bool json = false, handed = false;
	unsigned int n;

	parse_verb(&argp, argc, argv, &json);
	n = devices_read(&d, READ_STATS);
	for (unsigned int i = 0; i < n; i++)
		handed |= is_other(&d[i].owner, &d[i].opener);
	out = json_object_new_object();
	array = json_object_new_array();
	if (!json)
		printf("%-14s %-15s %7s %6s  %-8s %12s %10s%s\n", "DEVICE", "OWNER", "PID",
		       "QUEUES", "ACCESSOR", "USED", "MAPPED", handed ? "  OPENED BY" : "");
	for (unsigned int i = 0; i < n; i++) {
		uint64_t mapped = device_counter(&d[i], "mapped");
		uint64_t fallback = device_counter(&d[i], "fallback");
		uint64_t used = device_counter(&d[i], "used");
		json_object *o;
		char share[16], pid[16] = "-";

		if (!json) {
			if (d[i].owner.pid)
				snprintf(pid, sizeof(pid), "%d", d[i].owner.pid);
			printf("%-14s %-15s %7s %6u  %-8s %12" PRIu64 " %10s", d[i].name,
			       process_name(&d[i].owner), pid, d[i].nq,
			       d[i].accessor[0] ? d[i].accessor : "mixed", used,
			       share_text(share, sizeof(share), mapped, fallback));
			if (is_other(&d[i].owner, &d[i].opener))
				printf("  %s", process_name(&d[i].opener));
			putchar('\n');
			continue;
		}
		o = json_object_new_object();
		json_str(o, "name", d[i].name);
		json_object_object_add(o, "owner", process_json(&d[i].owner));
		json_object_object_add(o, "opener", process_json(&d[i].opener));
		json_int(o, "queues", d[i].nq);
		json_str(o, "accessor", d[i].accessor);
		json_int(o, "used", used);
		json_int(o, "mapped", mapped);
		json_int(o, "fallback", fallback);
		json_num(o, "mapped_percent", mapped_share(mapped, fallback));
		json_object_array_add(array, o);
	}
	json_object_object_add(out, "devices", array);
	if (json)
		json_out(out, false);
	else
		json_object_put(out);
	if (!n && !json)
		fputs("vhostctl: no vhost device is open\n", stderr);
	devices_free(d, n);
	return EXIT_OK;
}

/* --- show --- */

struct show {
	bool json;
	char *target;
};

static error_t show_parser(int key, char *arg, struct argp_state *st)
{
	struct show *s = st->input;

	switch (key) {
	case 'j':
		s->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (s->target)
			argp_error(st, "one device or queue at a time, not also '%s'", arg);
		s->target = arg;
		return 0;
	case ARGP_KEY_END:
		if (!s->target)
			argp_error(st, "which device? 'vhostctl list' shows them");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static bool starts(const char *s, const char *with)
{
	return !strncmp(s, with, strlen(with));
}

#define FALLBACK	"fallback_"
#define INVALIDATE	"invalidate_"

static void show_group(const struct queue *q, const char *prefix, const char *title)
{
	bool any = false;

	for (unsigned int i = 0; i < q->nc; i++) {
		if (!starts(q->c[i].name, prefix) || !q->c[i].v)
			continue;
		if (!any)
			printf("  %s:\n", title);
		any = true;
		printf("    %-24s %12" PRIu64 "\n", q->c[i].name + strlen(prefix), q->c[i].v);
	}
}

static void show_times(const struct times *t, const char *title)
{
	if (!t->n)
		return;
	printf("  %s:\n", title);
	for (unsigned int i = 0; i < t->n; i++)
		printf("    < %-12" PRIu64 " ns %19" PRIu64 "\n", t->less_than[i], t->count[i]);
}

static void show_queue(const struct queue *q)
{
	char share[16];

	printf("queue %u: accessor %s%s, mapped %s, thread %d\n", q->index, q->accessor,
	       strcmp(q->accessor, q->mode) ? " (cannot map now)" : "",
	       share_text(share, sizeof(share), queue_counter(q, "mapped"),
			  queue_counter(q, "fallback")), q->worker);
	for (unsigned int i = 0; i < q->nmap; i++) {
		const struct ring_map *m = &q->map[i];

		printf("  %-5s %s, %" PRIu64 " bytes, %" PRIu64 " of %" PRIu64 " pages mapped (%s)\n",
		       m->ring, m->addr, m->len, m->mapped, m->pages, m->kind);
	}
	for (unsigned int i = 0; i < q->nc; i++)
		if (!starts(q->c[i].name, FALLBACK) && !starts(q->c[i].name, INVALIDATE))
			printf("  %-26s %12" PRIu64 "\n", q->c[i].name, q->c[i].v);
	show_group(q, FALLBACK, "fallbacks by reason");
	show_group(q, INVALIDATE, "invalidations by cause");
	show_times(&q->hold, "map lock held for");
	show_times(&q->wait, "map lock waited for");
}

static json_object *group_json(const struct queue *q, const char *prefix)
{
	json_object *o = json_object_new_object();

	for (unsigned int i = 0; i < q->nc; i++)
		if (starts(q->c[i].name, prefix))
			json_int(o, q->c[i].name + strlen(prefix), q->c[i].v);
	return o;
}

static json_object *times_json(const struct times *t)
{
	json_object *a = json_object_new_array();

	for (unsigned int i = 0; i < t->n; i++) {
		json_object *o = json_object_new_object();

		json_int(o, "less_than_ns", t->less_than[i]);
		json_int(o, "count", t->count[i]);
		json_object_array_add(a, o);
	}
	return a;
}

static json_object *queue_json(const struct queue *q)
{
	json_object *o = json_object_new_object(), *c = json_object_new_object();
	json_object *maps = json_object_new_array();

	json_int(o, "index", q->index);
	json_str(o, "accessor", q->accessor);
	json_str(o, "mode", q->mode);
	json_int(o, "worker", q->worker);
	for (unsigned int i = 0; i < q->nmap; i++) {
		json_object *m = json_object_new_object();

		json_str(m, "ring", q->map[i].ring);
		json_str(m, "addr", q->map[i].addr);
		json_int(m, "len", q->map[i].len);
		json_int(m, "pages", q->map[i].pages);
		json_int(m, "mapped", q->map[i].mapped);
		json_str(m, "kind", q->map[i].kind);
		json_object_array_add(maps, m);
	}
	json_object_object_add(o, "rings", maps);
	for (unsigned int i = 0; i < q->nc; i++)
		if (!starts(q->c[i].name, FALLBACK) && !starts(q->c[i].name, INVALIDATE))
			json_int(c, q->c[i].name, q->c[i].v);
	json_object_object_add(o, "counters", c);
	json_object_object_add(o, "fallbacks", group_json(q, FALLBACK));
	json_object_object_add(o, "invalidations", group_json(q, INVALIDATE));
	json_object_object_add(o, "lock_hold", times_json(&q->hold));
	json_object_object_add(o, "lock_wait", times_json(&q->wait));
	return o;
}

int cmd_show(int argc, char **argv)
{
	static const struct argp_option options[] = { OPT_JSON, { 0 } };
	static const struct argp argp = {
		options, show_parser, "DEV[/QUEUE]",
		"A device or one of its queues: accessor, what is mapped, counters, "
		"why accesses fell back and what invalidated mappings. The times of "
		"the map lock are counted after 'vhostctl set all lock_times on'.",
		NULL, NULL, NULL
	};
	json_object *o, *queues;
	struct show s = { 0 };
	struct device d;
	char name[40];
	int queue, ret;

	parse_verb(&argp, argc, argv, &s);
	if (!device_parse(s.target, name, sizeof(name), &queue))
		return fail(EXIT_USAGE, "'%s' is no device or queue, which look like 1234-1 and 1234-1/0", s.target);
	if (access(sys_path(VHOST_DEBUGFS), R_OK))
		cannot_look(errno);
	ret = device_read(&d, name, READ_STATS | READ_MAP | READ_TIMES);
	if (ret == -ENOENT)
		return fail(EXIT_NO, "no device %s, or no longer; 'vhostctl list' shows those that are open", name);
	if (ret)
		cannot_look(-ret);
	if (queue >= (int)d.nq) {
		ret = fail(EXIT_NO, "%s has no queue %d; its queues are 0 to %u", name, queue, d.nq - 1);
		device_free(&d);
		return ret;
	}

	o = json_object_new_object();
	queues = json_object_new_array();
	json_str(o, "name", d.name);
	json_object_object_add(o, "owner", process_json(&d.owner));
	json_object_object_add(o, "opener", process_json(&d.opener));
	json_str(o, "accessor", d.accessor);
	if (!s.json)
		printf("device %s: %s, %u queues, accessor %s\n", d.name,
		       processes_text(&d.owner, &d.opener), d.nq,
		       d.accessor[0] ? d.accessor : "mixed");
	for (unsigned int i = 0; i < d.nq; i++) {
		if (queue >= 0 && queue != (int)i)
			continue;
		if (s.json)
			json_object_array_add(queues, queue_json(&d.q[i]));
		else
			show_queue(&d.q[i]);
	}
	json_object_object_add(o, "queues", queues);
	if (s.json)
		json_out(o, false);
	else
		json_object_put(o);
	device_free(&d);
	return EXIT_OK;
}
