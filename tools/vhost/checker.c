// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every rule says nothing until it has seen enough to judge, and forgets all when
 * events were lost: what a gap hides breaks no rule.
 *
 * Where two CPUs stamp events with the same time, nobody can say which was first; then
 * what these are about is forgotten.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "table.h"
#include "vhostctl.h"

const char * const rule_names[RULES] = {
	[RULE_ELEMENTS] = "elements-before-index",
	[RULE_INDEX_LOG] = "index-before-log",
	[RULE_LOG_MISSING] = "no-log-missing",
	[RULE_TRIES] = "only-tries-other-mutex",
	[RULE_ALL_HELD] = "all-queues-held",
	[RULE_DROPPED] = "no-use-after-drop",
};

#define RINGS		4
/* More than the largest ring has; a broken trace may say anything. */
#define MAX_PAGE	4096

enum page_state { PAGE_UNKNOWN, PAGE_MAPPED, PAGE_DROPPED };

/**
 * struct page - what is known of a ring's page
 * @state: since the last fill or drop
 * @was_mapped: it was, before the last drop
 * @used: a use was seen
 * @filled: the queue's sequence at the last fill
 * @before: and at the one before the last drop
 * @dropped: the sequence that the last drop made
 * @last_use: the highest sequence of a use
 */
struct page {
	enum page_state state;
	bool was_mapped, used;
	uint64_t filled, before, dropped, last_use;
};

/**
 * struct ring - pages of a ring
 * @page: what is known of the first @n
 * @others: of those behind
 */
struct ring {
	struct page *page;
	unsigned int n;
	struct page others;
};

/**
 * struct queue - what is known of a virtqueue
 * @epoch: when; older than the checker's is forgotten
 * @writing: elements [@first, @next) were written since the last index
 * @written: @first and @next are known
 * @published: @idx is the last index
 * @whole: all elements before it were seen
 * @pending: no other batch began since
 * @logs: an index was logged
 * @log_elements: since the batch began
 * @log_index: since the batch began
 * @lock_known: @holder is known: a task or 0
 */
struct queue {
	unsigned int epoch;
	bool writing, written;
	uint16_t first, next;
	bool published, whole, pending;
	uint16_t idx;
	bool logs, log_elements, log_index;
	bool lock_known;
	int holder;
	struct ring ring[RINGS];
};

/* A task that polls a queue and looks at the other */
struct poll {
	int task;
	uint32_t dev;
	uint16_t vq, other;
};

struct checker {
	broken_fn broken;
	void *arg;
	struct rule_result result[RULES];
	struct checker_totals total;
	unsigned int epoch;
	unsigned int gaps_open;
	struct table queues;
	struct poll *poll;
	unsigned int npoll, poll_room;
	uint64_t tie;			/* the last time that several CPUs have */
};

bool checker_needs(enum ev_type type)
{
	switch (type) {
	case EV_MAP_FILL: case EV_MAP_DROP: case EV_MAP_RESET: case EV_MAP_RELEASE:
	case EV_MAP_USE:
	case EV_USED: case EV_USED_IDX: case EV_LOG: case EV_MUTEX:
	case EV_BUSY_POLL_BEGIN: case EV_BUSY_POLL_END:
	case EV_IOTLB_UPDATE: case EV_IOTLB_INVALIDATE:
		return true;
	default:
		return false;
	}
}

struct checker *checker_new(broken_fn broken, void *arg)
{
	struct checker *c = xcalloc(1, sizeof(*c));

	c->broken = broken;
	c->arg = arg;
	table_init(&c->queues, sizeof(struct queue));
	return c;
}

void checker_free(struct checker *c)
{
	struct queue *q;
	unsigned int at = 0;

	while ((q = table_next(&c->queues, &at)))
		for (int r = 0; r < RINGS; r++)
			free(q->ring[r].page);
	table_free(&c->queues);
	free(c->poll);
	free(c);
}

const struct rule_result *checker_results(const struct checker *c)
{
	return c->result;
}

const struct checker_totals *checker_totals(const struct checker *c)
{
	return &c->total;
}

const char *rule_verdict(const struct rule_result *r)
{
	return r->broken ? "broken" : r->judged ? "kept" : "not seen";
}

/* Judge @ev by a rule: it is broken unless @ok. */
__attribute__((format(printf, 5, 6)))
static void judge(struct checker *c, enum rule which, const struct ev *ev, bool ok,
		  const char *fmt, ...)
{
	char why[200];
	va_list ap;

	c->result[which].judged++;
	if (ok)
		return;
	c->result[which].broken++;
	va_start(ap, fmt);
	vsnprintf(why, sizeof(why), fmt, ap);
	va_end(ap);
	c->broken(c->arg, which, ev, why);
}

static void seen(struct checker *c, enum rule which)
{
	c->result[which].seen++;
}

/* --- queues --- */

static void forget_queue(struct checker *c, struct queue *q)
{
	struct ring ring[RINGS];

	memcpy(ring, q->ring, sizeof(ring));
	*q = (struct queue){ .epoch = c->epoch };
	for (int r = 0; r < RINGS; r++)
		q->ring[r].page = ring[r].page;
}

/* What is known of a queue, or NULL if it was never heard of. */
static struct queue *find_queue(struct checker *c, uint32_t dev, uint16_t vq, bool make)
{
	struct queue *q = table_find(&c->queues, queue_key(dev, vq), make);

	if (q && q->epoch != c->epoch)
		forget_queue(c, q);
	return q;
}

/* --- pages --- */

static struct page *find_page(struct ring *r, uint64_t page)
{
	if (page >= MAX_PAGE)
		return NULL;
	if (page >= r->n) {
		r->page = xrealloc(r->page, (page + 1) * sizeof(*r->page));
		for (; r->n <= page; r->n++)
			r->page[r->n] = r->others;
	}
	return &r->page[page];
}

static void fill_event(struct ring *r, const struct ev *ev)
{
	struct page *p = find_page(r, ev->f[F_PAGE]);

	if (!p)
		return;
	p->state = PAGE_MAPPED;
	p->filled = ev->f[F_SEQ];
}

static void drop_page(struct checker *c, struct page *p, const struct ev *ev,
		      unsigned int page)
{
	uint64_t seq = ev->f[F_SEQ];

	/* A reader that has the new sequence also sees that the address is gone. */
	if (p->used && p->last_use >= seq)
		judge(c, RULE_DROPPED, ev, false,
		      "page %u was used with sequence %" PRIu64 ", which its drop made",
		      page, p->last_use);
	p->was_mapped = p->state == PAGE_MAPPED;
	p->before = p->filled;
	p->state = PAGE_DROPPED;
	p->dropped = seq;
}

/*
 * A read is validated, and traced, some time after it was made: the page may have been
 * dropped meanwhile. So sequences are compared, not times.
 */
static void use_event(struct checker *c, struct ring *r, const struct ev *ev)
{
	struct page *p = find_page(r, ev->f[F_PAGE]);
	uint64_t seq = ev->f[F_SEQ];
	bool late;

	seen(c, RULE_DROPPED);
	if (!p)
		return;
	if (!p->used || seq > p->last_use)
		p->last_use = seq;
	p->used = true;
	late = p->state != PAGE_UNKNOWN && seq < p->dropped;
	if (p->state == PAGE_UNKNOWN || (late && !p->was_mapped))
		return;
	judge(c, RULE_DROPPED, ev,
	      late ? seq >= p->before : p->state == PAGE_MAPPED && seq >= p->filled,
	      "page %u was used with sequence %" PRIu64 "; its last drop made %" PRIu64
	      ", its last fill was at %" PRIu64,
	      (unsigned int)ev->f[F_PAGE], seq, p->dropped, p->filled);
}

static void map_event(struct checker *c, struct queue *q, const struct ev *ev)
{
	struct ring *r = &q->ring[ev->f[F_RING] % RINGS];
	uint64_t last;

	switch (ev->type) {
	case EV_MAP_FILL:
		fill_event(r, ev);
		break;
	case EV_MAP_DROP:
		/* Where nothing was dropped, the sequence did not move. */
		if (!ev->f[F_DROPPED])
			break;
		last = ev->f[F_LAST] < MAX_PAGE ? ev->f[F_LAST] : MAX_PAGE - 1;
		for (uint64_t p = ev->f[F_FIRST]; p <= last; p++)
			drop_page(c, find_page(r, p), ev, p);
		break;
	case EV_MAP_RELEASE:
		for (unsigned int p = 0; p < r->n; p++)
			drop_page(c, &r->page[p], ev, p);
		drop_page(c, &r->others, ev, r->n);
		break;
	case EV_MAP_RESET:
		/* The addresses may be others, and whether writes are logged. */
		q->logs = false;
		break;
	default:
		use_event(c, r, ev);
	}
}

/* --- used elements, index, log --- */

/* The last batch is over: the next begins, or the queue is let go. */
static void end_batch(struct checker *c, struct queue *q, const struct ev *ev)
{
	if (!q->pending)
		return;
	q->pending = false;
	if (!q->logs || !q->whole)
		return;
	seen(c, RULE_LOG_MISSING);
	judge(c, RULE_LOG_MISSING, ev, q->log_elements && q->log_index,
	      "until here nobody logged the %s of index %u",
	      q->log_index ? "elements" : q->log_elements ? "publication" : "elements and publication",
	      q->idx);
}

static void used_event(struct checker *c, struct queue *q, const struct ev *ev)
{
	uint16_t from = ev->f[F_FROM];

	end_batch(c, q, ev);
	if (!q->writing)
		q->log_elements = q->log_index = false;
	/* Elements that are written again, or leave a hole, begin anew. */
	if (!q->writing || from != q->next)
		q->first = from;
	q->next = from + ev->f[F_COUNT];
	q->writing = q->written = true;
}

static void used_idx_event(struct checker *c, struct queue *q, const struct ev *ev)
{
	uint16_t from = ev->f[F_FROM], to = ev->f[F_TO];
	bool covered = q->writing && q->first == from && q->next == to;

	seen(c, RULE_ELEMENTS);
	/* Before the first index, elements may have been written unseen. */
	if (q->published || covered) {
		if (q->writing)
			judge(c, RULE_ELEMENTS, ev, covered,
			      "elements [%u, %u) were written before it", q->first, q->next);
		else
			judge(c, RULE_ELEMENTS, ev, from == to,
			      "no elements were written before it");
	}
	q->published = true;
	q->idx = to;
	q->whole = covered;
	q->pending = true;
	q->writing = false;
}

static void log_event(struct checker *c, struct queue *q, const struct ev *ev)
{
	uint16_t idx = ev->f[F_USED_IDX], n = q->next - q->first, i = idx - q->first;

	switch (ev->f[F_WHAT]) {
	case LOG_INDEX:
		seen(c, RULE_INDEX_LOG);
		if (q->published)
			judge(c, RULE_INDEX_LOG, ev, idx == q->idx,
			      "the published index is %u", q->idx);
		q->logs = true;
		q->log_index |= q->published && idx == q->idx;
		break;
	case LOG_ELEMENTS:
		seen(c, RULE_INDEX_LOG);
		if (!q->written)
			break;
		judge(c, RULE_INDEX_LOG, ev, i && i <= n,
		      "the last elements written are [%u, %u)", q->first, q->next);
		q->log_elements |= idx == q->next;
		break;
	}
}

/* --- mutexes --- */

static struct poll *find_poll(struct checker *c, int task)
{
	for (struct poll *p = c->poll; p < c->poll + c->npoll; p++)
		if (p->task == task)
			return p;
	return NULL;
}

static void poll_event(struct checker *c, const struct ev *ev)
{
	struct poll *p = find_poll(c, ev->task);

	if (ev->type == EV_BUSY_POLL_END) {
		if (!p)
			return;
		judge(c, RULE_TRIES, ev, true, "-");
		*p = c->poll[--c->npoll];
		return;
	}
	seen(c, RULE_TRIES);
	if (!p) {
		if (c->npoll == c->poll_room) {
			c->poll_room = 2 * c->poll_room + 8;
			c->poll = xrealloc(c->poll, c->poll_room * sizeof(*c->poll));
		}
		p = &c->poll[c->npoll++];
	}
	*p = (struct poll){
		.task = ev->task, .dev = ev->f[F_DEV], .vq = ev->f[F_VQ],
		.other = ev->f[F_OTHER],
	};
}

static void mutex_event(struct checker *c, struct queue *q, const struct ev *ev)
{
	struct poll *p = c->npoll ? find_poll(c, ev->task) : NULL;

	if (p && p->dev == ev->f[F_DEV] && p->other == ev->f[F_VQ] &&
	    (ev->f[F_OP] == OP_WAIT || ev->f[F_OP] == OP_TAKEN))
		judge(c, RULE_TRIES, ev, false, "queue %u's busy poll may only try it", p->vq);
	switch (ev->f[F_OP]) {
	case OP_TAKEN:
	case OP_TRY_TAKEN:
		q->lock_known = true;
		q->holder = ev->task;
		break;
	case OP_RELEASED:
		end_batch(c, q, ev);
		q->lock_known = true;
		q->holder = 0;
		break;
	}
}

static void iotlb_event(struct checker *c, const struct ev *ev)
{
	unsigned int queues = ev->f[F_QUEUES], locked = ev->f[F_LOCKED];

	seen(c, RULE_ALL_HELD);
	if (locked != queues) {
		judge(c, RULE_ALL_HELD, ev, false, "%u of %u queues' mutexes are held",
		      locked, queues);
		return;
	}
	for (unsigned int i = 0; i < queues && i < 65536; i++) {
		struct queue *q = find_queue(c, ev->f[F_DEV], i, false);

		if (!q || !q->lock_known || q->holder == ev->task)
			continue;
		if (q->holder)
			judge(c, RULE_ALL_HELD, ev, false,
			      "queue %u's mutex is held by task %d", i, q->holder);
		else
			judge(c, RULE_ALL_HELD, ev, false, "nobody holds queue %u's mutex", i);
		return;
	}
	judge(c, RULE_ALL_HELD, ev, true, "-");
}

/* --- events --- */

static void forget_all(struct checker *c)
{
	c->epoch++;
	c->npoll = 0;
}

static bool of_device(enum ev_type type)
{
	return type == EV_IOTLB_UPDATE || type == EV_IOTLB_INVALIDATE;
}

/* Nobody knows whether @ev was before or after what is known. */
static void forget_about(struct checker *c, const struct ev *ev)
{
	struct poll *p = find_poll(c, ev->task);
	struct queue *q;

	if (p)
		*p = c->poll[--c->npoll];
	if (of_device(ev->type))
		return;
	q = find_queue(c, ev->f[F_DEV], ev->f[F_VQ], false);
	if (q)
		forget_queue(c, q);
}

void checker_feed(struct checker *c, const struct ev *ev)
{
	struct queue *q;

	if (ev->type == EV_GAP_BEGIN) {
		c->gaps_open++;
		return;
	}
	if (ev->type == EV_GAP_END) {
		c->total.gaps++;
		c->total.lost += ev->f[F_COUNT];
		if (!--c->gaps_open)
			forget_all(c);
		return;
	}
	c->total.events++;
	if (c->gaps_open || !checker_needs(ev->type))
		return;
	if (ev->tied && ev->ts != c->tie) {
		c->tie = ev->ts;
		c->total.unordered++;
	}
	if (ev->ts == c->tie) {
		forget_about(c, ev);
		return;
	}
	if (of_device(ev->type)) {
		iotlb_event(c, ev);
		return;
	}
	if (ev->type == EV_BUSY_POLL_BEGIN || ev->type == EV_BUSY_POLL_END) {
		poll_event(c, ev);
		return;
	}
	q = find_queue(c, ev->f[F_DEV], ev->f[F_VQ], true);
	switch (ev->type) {
	case EV_USED:
		used_event(c, q, ev);
		break;
	case EV_USED_IDX:
		used_idx_event(c, q, ev);
		break;
	case EV_LOG:
		log_event(c, q, ev);
		break;
	case EV_MUTEX:
		mutex_event(c, q, ev);
		break;
	default:
		map_event(c, q, ev);
	}
}
