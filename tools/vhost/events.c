// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offsets of fields and names of values, looked up once in the formats: events come by
 * the hundred thousand a second.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <event-parse.h>
#include <trace-seq.h>

#include "events.h"
#include "vhostctl.h"

#define MAX_FIELDS	10
#define MAX_VALUES	128

static const char * const field_names[FIELDS] = {
	[F_DEV] = "dev", [F_OPENER] = "opener", [F_VQ] = "vq", [F_RING] = "ring",
	[F_PAGE] = "page", [F_FIRST] = "first", [F_LAST] = "last",
	[F_DROPPED] = "dropped", [F_CAUSE] = "cause", [F_REASON] = "reason",
	[F_FROM] = "from", [F_TO] = "to", [F_WHY] = "why",
	[F_ACCESSOR] = "accessor", [F_COUNT] = "count", [F_WHAT] = "what",
	[F_USED_IDX] = "used_idx", [F_ADDR] = "addr", [F_LEN] = "len", [F_OP] = "op",
	[F_SITE] = "site", [F_OTHER] = "other", [F_TIMEOUT] = "timeout",
	[F_IOVA] = "iova", [F_ACCESS] = "access", [F_SIZE] = "size",
	[F_UADDR] = "uaddr", [F_PERM] = "perm", [F_QUEUES] = "queues",
	[F_LOCKED] = "locked", [F_SEQ] = "seq", [F_OWNER] = "owner",
	[F_COMM] = "comm", [F_OPENER_COMM] = "opener_comm",
};

const char * const event_names[EV_KERNEL] = {
	[EV_MAP_FILL] = "vhost_map_fill",
	[EV_MAP_DROP] = "vhost_map_drop",
	[EV_MAP_RESET] = "vhost_map_reset",
	[EV_MAP_RELEASE] = "vhost_map_release",
	[EV_MAP_USE] = "vhost_map_use",
	[EV_FALLBACK] = "vhost_fallback",
	[EV_ACCESSOR] = "vhost_accessor",
	[EV_FETCH] = "vhost_fetch",
	[EV_USED] = "vhost_used",
	[EV_USED_IDX] = "vhost_used_idx",
	[EV_LOG] = "vhost_log",
	[EV_KICK] = "vhost_kick",
	[EV_CALL] = "vhost_call",
	[EV_MUTEX] = "vhost_mutex",
	[EV_MAP_LOCK] = "vhost_map_lock",
	[EV_BUSY_POLL_BEGIN] = "vhost_busy_poll_begin",
	[EV_BUSY_POLL_END] = "vhost_busy_poll_end",
	[EV_IOTLB_MISS] = "vhost_iotlb_miss",
	[EV_IOTLB_UPDATE] = "vhost_iotlb_update",
	[EV_IOTLB_INVALIDATE] = "vhost_iotlb_invalidate",
	[EV_OWNER] = "vhost_owner",
};

/* Each has F_DEV and F_OPENER; F_DEV here ends the list. */
static const enum ev_field event_fields[EV_KERNEL][MAX_FIELDS] = {
	[EV_MAP_FILL] = { F_VQ, F_RING, F_PAGE, F_SEQ },
	[EV_MAP_DROP] = { F_VQ, F_RING, F_FIRST, F_LAST, F_DROPPED, F_CAUSE,
			  F_SEQ },
	[EV_MAP_RESET] = { F_VQ, F_SEQ },
	[EV_MAP_RELEASE] = { F_VQ, F_RING, F_DROPPED, F_SEQ },
	[EV_MAP_USE] = { F_VQ, F_RING, F_PAGE, F_SEQ },
	[EV_FALLBACK] = { F_VQ, F_RING, F_REASON },
	[EV_ACCESSOR] = { F_VQ, F_FROM, F_TO, F_WHY },
	[EV_FETCH] = { F_VQ, F_FROM, F_TO, F_ACCESSOR },
	[EV_USED] = { F_VQ, F_FROM, F_COUNT, F_ACCESSOR },
	[EV_USED_IDX] = { F_VQ, F_FROM, F_TO, F_ACCESSOR },
	[EV_LOG] = { F_VQ, F_WHAT, F_USED_IDX, F_ADDR, F_LEN },
	[EV_KICK] = { F_VQ },
	[EV_CALL] = { F_VQ },
	[EV_MUTEX] = { F_VQ, F_OP, F_SITE },
	[EV_MAP_LOCK] = { F_VQ, F_OP, F_SITE },
	[EV_BUSY_POLL_BEGIN] = { F_VQ, F_OTHER, F_TIMEOUT },
	[EV_BUSY_POLL_END] = { F_VQ, F_OTHER, F_WHY },
	[EV_IOTLB_MISS] = { F_VQ, F_IOVA, F_ACCESS },
	[EV_IOTLB_UPDATE] = { F_IOVA, F_SIZE, F_UADDR, F_PERM, F_QUEUES, F_LOCKED },
	[EV_IOTLB_INVALIDATE] = { F_IOVA, F_SIZE, F_QUEUES, F_LOCKED },
	[EV_OWNER] = { F_OWNER, F_COMM, F_OPENER_COMM },
};

static const char * const op_names[] = {
	[OP_WAIT] = "wait", [OP_TAKEN] = "taken", [OP_TRY_TAKEN] = "try_taken",
	[OP_TRY_BUSY] = "try_busy", [OP_RELEASED] = "released",
};

static const char * const what_names[] = {
	[LOG_ELEMENTS] = "elements", [LOG_INDEX] = "index", [LOG_FLAGS] = "flags",
	[LOG_EVENT] = "event", [LOG_DATA] = "data",
};

/**
 * struct field - where a field is
 * @id: which
 * @offset: bytes into the record
 * @size: bytes
 * @is_signed: extend the sign
 * @string: it is a string: 's' in place, 'd' where a __data_loc says
 * @known: for F_OP and F_WHAT, the kernel's numbers to ours
 * @names: of the values, as the format has them
 */
struct field {
	enum ev_field id;
	int offset;
	int size;
	bool is_signed;
	char string;
	const int *known;
	char *names[MAX_VALUES];
};

struct format {
	struct tep_event *tep;
	struct field field[MAX_FIELDS];
	int n;
};

struct events {
	struct tep_handle *tep;
	struct format format[EV_KERNEL];
	/* By the kernel's number, plus one. */
	unsigned char type[65536];
	int pid_offset;
	int known_op[MAX_VALUES];
	int known_what[MAX_VALUES];
	struct trace_seq seq;
};

/* The __print_symbolic() of a field, somewhere in an event's print format. */
static struct tep_print_flag_sym *find_symbols(struct tep_print_arg *arg, const char *name)
{
	struct tep_print_flag_sym *s;

	for (; arg; arg = arg->next) {
		struct tep_print_arg *f;

		if (arg->type == TEP_PRINT_TYPE) {
			s = find_symbols(arg->typecast.item, name);
			if (s)
				return s;
		}
		if (arg->type != TEP_PRINT_SYMBOL)
			continue;
		for (f = arg->symbol.field; f && f->type == TEP_PRINT_TYPE;)
			f = f->typecast.item;
		if (f && f->type == TEP_PRINT_FIELD && !strcmp(f->field.name, name))
			return arg->symbol.symbols;
	}
	return NULL;
}

static void read_names(struct field *f, struct tep_event *tep)
{
	struct tep_print_flag_sym *s;

	for (s = find_symbols(tep->print_fmt.args, field_names[f->id]); s; s = s->next) {
		unsigned long v = strtoul(s->value, NULL, 0);

		if (v < MAX_VALUES)
			f->names[v] = s->str;
	}
}

/* The kernel's numbers of names that we decide by. */
static void know(struct field *f, int *known, const char * const *names, unsigned int n)
{
	for (int v = 0; v < MAX_VALUES; v++)
		for (unsigned int i = 0; f->names[v] && i < n; i++)
			if (!strcmp(f->names[v], names[i]))
				known[v] = i;
	f->known = known;
}

static void add_field(struct events *e, struct format *fmt, enum ev_field id)
{
	struct field *f = &fmt->field[fmt->n++];
	struct tep_format_field *t;

	t = tep_find_field(fmt->tep, field_names[id]);
	if (!t)
		die(EXIT_BLIND, "the event %s has no field '%s': it is that of another version of ringmap, and the kernel and vhostctl must be of one",
		    fmt->tep->name, field_names[id]);
	f->id = id;
	f->offset = t->offset;
	f->size = t->size;
	f->is_signed = t->flags & TEP_FIELD_IS_SIGNED;
	if (t->flags & TEP_FIELD_IS_STRING)
		f->string = t->flags & TEP_FIELD_IS_DYNAMIC ? 'd' : 's';
	read_names(f, fmt->tep);
	if (id == F_OP)
		know(f, e->known_op, op_names, ARRAY_SIZE(op_names));
	if (id == F_WHAT)
		know(f, e->known_what, what_names, ARRAY_SIZE(what_names));
}

struct events *events_new(struct tep_handle *tep)
{
	struct events *e = xcalloc(1, sizeof(*e));

	e->tep = tep;
	trace_seq_init(&e->seq);
	for (int i = 0; i < MAX_VALUES; i++)
		e->known_op[i] = e->known_what[i] = -1;
	for (int type = 0; type < EV_KERNEL; type++) {
		struct format *fmt = &e->format[type];
		struct tep_format_field *pid;

		fmt->tep = tep_find_event_by_name(tep, "vhost", event_names[type]);
		if (!fmt->tep)
			continue;
		add_field(e, fmt, F_DEV);
		add_field(e, fmt, F_OPENER);
		for (int i = 0; event_fields[type][i] != F_DEV; i++)
			add_field(e, fmt, event_fields[type][i]);
		e->type[fmt->tep->id & 0xffff] = type + 1;
		pid = tep_find_common_field(fmt->tep, "common_pid");
		e->pid_offset = pid ? pid->offset : 4;
	}
	return e;
}

void events_free(struct events *e)
{
	trace_seq_destroy(&e->seq);
	free(e);
}

unsigned int events_known(const struct events *e)
{
	unsigned int n = 0;

	for (int type = 0; type < EV_KERNEL; type++)
		n += e->format[type].tep != NULL;
	return n;
}

static uint64_t number(const unsigned char *p, int size, bool is_signed)
{
	union {
		uint8_t u8;
		uint16_t u16;
		uint32_t u32;
		uint64_t u64;
	} v = { 0 };

	memcpy(&v, p, size > 8 ? 8 : size);
	if (size == 1)
		return is_signed ? (uint64_t)(int8_t)v.u8 : v.u8;
	if (size == 2)
		return is_signed ? (uint64_t)(int16_t)v.u16 : v.u16;
	if (size == 4)
		return is_signed ? (uint64_t)(int32_t)v.u32 : v.u32;
	return v.u64;
}

static const char *site_name(const struct events *e, const struct field *f,
			     const struct tep_record *rec, uint64_t v)
{
	const char *data = rec->data, *s = "?";

	if (f->string == 's') {
		s = data + f->offset;
	} else if (f->string == 'd') {
		if ((v & 0xffff) + (v >> 16) <= (uint64_t)rec->size)
			s = data + (v & 0xffff);
	} else {
		/* An address, as for %ps */
		s = tep_find_function(e->tep, v);
	}
	return s ? s : "?";
}

static void copy_name(char *to, size_t room, const struct field *f,
		      const struct tep_record *rec)
{
	int n = rec->size - f->offset;

	if (n > f->size)
		n = f->size;
	if (n > (int)room - 1)
		n = room - 1;
	memcpy(to, (const char *)rec->data + f->offset, n);
	to[n] = 0;
}

bool events_parse(const struct events *e, struct tep_record *rec, struct ev *ev)
{
	const unsigned char *data = rec->data;
	const struct format *fmt;
	int type;

	if (rec->size < 8)
		return false;
	type = e->type[number(data, 2, false)] - 1;
	if (type < 0)
		return false;
	ev->type = type;
	ev->ts = rec->ts;
	ev->cpu = rec->cpu;
	ev->task = (int32_t)number(data + e->pid_offset, 4, true);
	ev->raw = rec;
	fmt = &e->format[type];
	for (int i = 0; i < fmt->n; i++) {
		const struct field *f = &fmt->field[i];
		uint64_t v;

		if (f->offset + (f->string ? 4 : f->size) > rec->size)
			return false;
		v = number(data + f->offset, f->size, f->is_signed);
		if (f->known)
			v = v < MAX_VALUES ? (uint64_t)f->known[v] : UINT64_MAX;
		if (f->id == F_SITE)
			ev->site = site_name(e, f, rec, v);
		if (f->id == F_COMM)
			copy_name(ev->comm, sizeof(ev->comm), f, rec);
		if (f->id == F_OPENER_COMM)
			copy_name(ev->opener_comm, sizeof(ev->opener_comm), f, rec);
		ev->f[f->id] = v;
	}
	return true;
}

const char *events_value(const struct events *e, enum ev_type type, enum ev_field field,
			 uint64_t v)
{
	const struct format *fmt = &e->format[type];
	static char buf[24];

	if (v < MAX_VALUES)
		for (int i = 0; i < fmt->n; i++)
			if (fmt->field[i].id == field && fmt->field[i].names[v])
				return fmt->field[i].names[v];
	snprintf(buf, sizeof(buf), "%" PRIu64, v);
	return buf;
}

const char *events_comm(const struct events *e, int task)
{
	const char *comm = e ? tep_data_comm_from_pid(e->tep, task) : NULL;
	static char buf[32];
	char path[32], *text;

	if (comm && strcmp(comm, "<...>"))
		return comm;
	/* Live, those who are still there can be asked. */
	snprintf(path, sizeof(path), "/proc/%d/comm", task);
	text = task ? read_file(path) : NULL;
	if (!text)
		return task ? "<...>" : "<idle>";
	snprintf(buf, sizeof(buf), "%.*s", (int)strcspn(text, "\n"), text);
	free(text);
	return buf;
}

const char *events_text(const struct events *e, const struct ev *ev)
{
	static char buf[512];
	struct trace_seq *s;

	if (!e || !ev->raw) {
		snprintf(buf, sizeof(buf), "%" PRIu64 " task %d: %s", ev->ts, ev->task,
			 ev->type < EV_KERNEL ? event_names[ev->type] : "gap");
		return buf;
	}
	s = (struct trace_seq *)&e->seq;
	trace_seq_reset(s);
	tep_print_event(e->tep, s, ev->raw, "%s", TEP_PRINT_INFO);
	trace_seq_terminate(s);
	snprintf(buf, sizeof(buf), "%" PRIu64 ".%06" PRIu64 " %s-%d [%03d] %s: %s",
		 ev->ts / NSEC, ev->ts % NSEC / 1000, events_comm(e, ev->task), ev->task,
		 ev->cpu, event_names[ev->type], s->buffer);
	return buf;
}
