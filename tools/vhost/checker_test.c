// SPDX-License-Identifier: GPL-2.0-only
/*
 * The checker's rules, each kept, broken and not seen, on made-up events. TAP.
 */
#include <stdlib.h>
#include <string.h>

#include "checker.h"
#include "vhostctl.h"

#define TASK	7
#define OTHER	8

/* Events of queue 0 of device 0, by TASK, each a nanosecond after the last. */
#define EV(t, ...) { .type = EV_ ## t, .task = TASK, .f = { __VA_ARGS__ } }
#define BY(who, t, ...) { .type = EV_ ## t, .task = who, .f = { __VA_ARGS__ } }

#define USED(from_, count_)	EV(USED, [F_FROM] = (from_), [F_COUNT] = (count_))
#define INDEX(from_, to_)	EV(USED_IDX, [F_FROM] = (from_), [F_TO] = (to_))
#define LOG(what_, idx_)	EV(LOG, [F_WHAT] = LOG_ ## what_, [F_USED_IDX] = (idx_))
#define MUTEX(op_, vq_)		EV(MUTEX, [F_OP] = OP_ ## op_, [F_VQ] = (vq_))
#define POLL(x)			EV(BUSY_POLL_ ## x, [F_VQ] = 0, [F_OTHER] = 1)
#define FILL(page_, seq_)	EV(MAP_FILL, [F_PAGE] = (page_), [F_SEQ] = (seq_))
#define USE(page_, seq_)	EV(MAP_USE, [F_PAGE] = (page_), [F_SEQ] = (seq_))
#define DROP(first_, last_, seq_) EV(MAP_DROP, [F_FIRST] = (first_), [F_LAST] = (last_), \
				     [F_DROPPED] = 1, [F_SEQ] = (seq_))
#define RELEASE(seq_)		EV(MAP_RELEASE, [F_DROPPED] = 1, [F_SEQ] = (seq_))
#define RESET			EV(MAP_RESET, [F_SEQ] = 1)
#define UPDATE(queues_, locked_) EV(IOTLB_UPDATE, [F_QUEUES] = (queues_), [F_LOCKED] = (locked_))
#define GAP			EV(GAP_BEGIN), EV(GAP_END, [F_COUNT] = 5)
/* Of another CPU at the same time as the one before */
#define TIE(t, ...) \
	{ .type = EV_ ## t, .task = TASK, .cpu = 1, .f = { __VA_ARGS__ } }
/* A batch in the order that vhost logs in: elements when they are written */
#define LOGGED(from, n)		USED(from, n), LOG(ELEMENTS, (from) + (n)), \
				INDEX(from, (from) + (n)), LOG(INDEX, (from) + (n))

#define MAX	24

static const struct test {
	const char *name;
	enum rule rule;
	unsigned int broken, judged;
	struct ev ev[MAX];
} tests[] = {
	/* elements before index */
	{ "elements, then index", RULE_ELEMENTS, 0, 2,
	  { USED(0, 3), INDEX(0, 3), USED(3, 1), INDEX(3, 4) } },
	{ "a batch in two parts, where the ring wraps", RULE_ELEMENTS, 0, 1,
	  { USED(254, 2), USED(256, 3), INDEX(254, 259) } },
	{ "the index wraps", RULE_ELEMENTS, 0, 2,
	  { USED(65534, 2), INDEX(65534, 0), USED(0, 1), INDEX(0, 1) } },
	{ "elements are written again", RULE_ELEMENTS, 0, 1,
	  { USED(4, 2), USED(4, 3), INDEX(4, 7) } },
	{ "index before elements", RULE_ELEMENTS, 1, 2,
	  { USED(0, 1), INDEX(0, 1), INDEX(1, 2), USED(1, 1) } },
	{ "an element is missing", RULE_ELEMENTS, 1, 2,
	  { USED(0, 1), INDEX(0, 1), USED(1, 1), INDEX(1, 3) } },
	{ "a hole in the elements", RULE_ELEMENTS, 1, 2,
	  { USED(0, 1), INDEX(0, 1), USED(1, 1), USED(3, 1), INDEX(1, 4) } },
	{ "elements that no index publishes", RULE_ELEMENTS, 1, 2,
	  { USED(0, 1), INDEX(0, 1), USED(1, 2), INDEX(1, 2) } },
	{ "the trace begins in a batch", RULE_ELEMENTS, 0, 0,
	  { USED(2, 1), INDEX(0, 3) } },
	{ "a gap hides elements", RULE_ELEMENTS, 0, 1,
	  { USED(0, 1), INDEX(0, 1), GAP, INDEX(1, 2) } },
	{ "in a gap", RULE_ELEMENTS, 0, 1,
	  { USED(0, 1), INDEX(0, 1), EV(GAP_BEGIN), INDEX(1, 2), EV(GAP_END) } },
	{ "queues are apart", RULE_ELEMENTS, 0, 2,
	  { USED(0, 1), EV(USED, [F_VQ] = 1, [F_FROM] = 9, [F_COUNT] = 1), INDEX(0, 1),
	    EV(USED_IDX, [F_VQ] = 1, [F_FROM] = 9, [F_TO] = 10) } },
	{ "devices are apart", RULE_ELEMENTS, 0, 2,
	  { USED(0, 1), EV(USED, [F_DEV] = 2, [F_FROM] = 9, [F_COUNT] = 1), INDEX(0, 1),
	    EV(USED_IDX, [F_DEV] = 2, [F_FROM] = 9, [F_TO] = 10) } },
	{ "nobody knows which was first", RULE_ELEMENTS, 0, 1,
	  { USED(0, 1), INDEX(0, 1), USED(1, 1), TIE(USED_IDX, [F_FROM] = 2, [F_TO] = 3) } },

	/* index before log */
	{ "elements, index, log", RULE_INDEX_LOG, 0, 4, { LOGGED(0, 2), LOGGED(2, 1) } },
	{ "each part of a batch is logged", RULE_INDEX_LOG, 0, 3,
	  { USED(254, 2), LOG(ELEMENTS, 256), USED(256, 1), LOG(ELEMENTS, 257),
	    INDEX(254, 257), LOG(INDEX, 257) } },
	{ "log before index", RULE_INDEX_LOG, 1, 4,
	  { LOGGED(0, 2), USED(2, 1), LOG(ELEMENTS, 3), LOG(INDEX, 3), INDEX(2, 3) } },
	{ "log before elements", RULE_INDEX_LOG, 1, 4,
	  { LOGGED(0, 2), LOG(ELEMENTS, 3), USED(2, 1), INDEX(2, 3), LOG(INDEX, 3) } },
	{ "flags and event index are not ours to order", RULE_INDEX_LOG, 0, 2,
	  { LOGGED(0, 2), LOG(FLAGS, 9), LOG(EVENT, 9), LOG(DATA, 9) } },
	{ "a gap hides the index", RULE_INDEX_LOG, 0, 3,
	  { LOGGED(0, 2), USED(2, 1), LOG(ELEMENTS, 3), GAP, LOG(INDEX, 3) } },
	{ "elements written before the trace", RULE_INDEX_LOG, 0, 0, { LOG(ELEMENTS, 3) } },

	/* no log missing */
	{ "all is logged", RULE_LOG_MISSING, 0, 2,
	  { LOGGED(0, 2), LOGGED(2, 1), MUTEX(RELEASED, 0) } },
	{ "elements are logged after the index", RULE_LOG_MISSING, 0, 1,
	  { USED(0, 1), INDEX(0, 1), LOG(ELEMENTS, 1), LOG(INDEX, 1), MUTEX(RELEASED, 0) } },
	{ "the index is not logged", RULE_LOG_MISSING, 1, 2,
	  { LOGGED(0, 2), USED(2, 1), LOG(ELEMENTS, 3), INDEX(2, 3), USED(3, 1) } },
	{ "elements are not logged", RULE_LOG_MISSING, 1, 2,
	  { LOGGED(0, 2), USED(2, 1), INDEX(2, 3), LOG(INDEX, 3), MUTEX(RELEASED, 0) } },
	{ "logged after the mutex was let go", RULE_LOG_MISSING, 1, 2,
	  { LOGGED(0, 2), USED(2, 1), LOG(ELEMENTS, 3), INDEX(2, 3), MUTEX(RELEASED, 0),
	    LOG(INDEX, 3) } },
	{ "the trace begins between elements and index", RULE_LOG_MISSING, 0, 0,
	  { USED(2, 1), INDEX(0, 3), LOG(INDEX, 3), MUTEX(RELEASED, 0) } },
	{ "a queue that does not log", RULE_LOG_MISSING, 0, 0,
	  { USED(0, 2), INDEX(0, 2), USED(2, 1), INDEX(2, 3), MUTEX(RELEASED, 0) } },
	{ "logging was turned off", RULE_LOG_MISSING, 0, 1,
	  { LOGGED(0, 2), MUTEX(RELEASED, 0), RESET, USED(2, 1), INDEX(2, 3),
	    MUTEX(RELEASED, 0) } },
	{ "a gap hides the log", RULE_LOG_MISSING, 0, 1,
	  { LOGGED(0, 2), MUTEX(RELEASED, 0), USED(2, 1), INDEX(2, 3), GAP,
	    MUTEX(RELEASED, 0) } },

	/* only tries the other queue's mutex */
	{ "tries", RULE_TRIES, 0, 2,
	  { POLL(BEGIN), MUTEX(TRY_TAKEN, 1), MUTEX(RELEASED, 1), POLL(END),
	    POLL(BEGIN), MUTEX(TRY_BUSY, 1), POLL(END) } },
	{ "waits", RULE_TRIES, 2, 3,
	  { POLL(BEGIN), MUTEX(WAIT, 1), MUTEX(TAKEN, 1), POLL(END) } },
	{ "takes", RULE_TRIES, 1, 2, { POLL(BEGIN), MUTEX(TAKEN, 1), POLL(END) } },
	{ "takes outside of busy poll", RULE_TRIES, 0, 1,
	  { POLL(BEGIN), POLL(END), MUTEX(WAIT, 1), MUTEX(TAKEN, 1) } },
	{ "another task takes it", RULE_TRIES, 0, 1,
	  { POLL(BEGIN), BY(OTHER, MUTEX, [F_OP] = OP_TAKEN, [F_VQ] = 1), POLL(END) } },
	{ "its own queue's mutex", RULE_TRIES, 0, 1,
	  { POLL(BEGIN), MUTEX(RELEASED, 0), MUTEX(TAKEN, 0), POLL(END) } },
	{ "another device's mutex", RULE_TRIES, 0, 1,
	  { POLL(BEGIN), EV(MUTEX, [F_DEV] = 2, [F_OP] = OP_TAKEN, [F_VQ] = 1), POLL(END) } },
	{ "nobody knows whether it ended first", RULE_TRIES, 0, 0,
	  { POLL(BEGIN), MUTEX(TRY_BUSY, 1), TIE(BUSY_POLL_END, [F_OTHER] = 1),
	    MUTEX(TAKEN, 1) } },
	{ "a gap hides the end", RULE_TRIES, 0, 0, { POLL(BEGIN), GAP, MUTEX(TAKEN, 1) } },

	/* all queues held */
	{ "both held", RULE_ALL_HELD, 0, 1,
	  { MUTEX(TAKEN, 0), MUTEX(TAKEN, 1), UPDATE(2, 2) } },
	{ "the kernel says one", RULE_ALL_HELD, 1, 1,
	  { MUTEX(TAKEN, 0), MUTEX(TAKEN, 1), UPDATE(2, 1) } },
	{ "one was released", RULE_ALL_HELD, 1, 1,
	  { MUTEX(TAKEN, 0), MUTEX(TAKEN, 1), MUTEX(RELEASED, 1), UPDATE(2, 2) } },
	{ "another task holds one", RULE_ALL_HELD, 1, 1,
	  { MUTEX(TAKEN, 0), BY(OTHER, MUTEX, [F_OP] = OP_TAKEN, [F_VQ] = 1), UPDATE(2, 2) } },
	{ "an invalidation", RULE_ALL_HELD, 1, 1,
	  { EV(IOTLB_INVALIDATE, [F_QUEUES] = 2, [F_LOCKED] = 1) } },
	{ "a gap hides the mutexes", RULE_ALL_HELD, 0, 1,
	  { MUTEX(RELEASED, 1), GAP, UPDATE(2, 2) } },

	/* no use after drop */
	{ "fill, use, drop, fill, use", RULE_DROPPED, 0, 2,
	  { FILL(0, 0), USE(0, 0), DROP(0, 3, 1), FILL(0, 1), USE(0, 1) } },
	{ "use after drop", RULE_DROPPED, 1, 2,
	  { FILL(1, 0), USE(1, 0), DROP(0, 3, 1), USE(1, 1) } },
	{ "validated before the drop, seen after it", RULE_DROPPED, 0, 1,
	  { FILL(1, 4), DROP(0, 3, 5), USE(1, 4) } },
	{ "and after the next fill", RULE_DROPPED, 0, 1,
	  { FILL(1, 4), DROP(0, 3, 5), FILL(1, 5), USE(1, 4) } },
	{ "the new sequence with the old address", RULE_DROPPED, 1, 2,
	  { FILL(1, 4), USE(1, 5), DROP(0, 3, 5) } },
	{ "a later sequence with the old address", RULE_DROPPED, 1, 1,
	  { FILL(1, 4), DROP(0, 3, 5), USE(1, 7) } },
	{ "an older sequence than the fill's", RULE_DROPPED, 1, 1,
	  { DROP(0, 3, 5), FILL(1, 7), USE(1, 6) } },
	{ "too old to judge", RULE_DROPPED, 0, 0,
	  { DROP(0, 3, 5), USE(1, 4) } },
	{ "the sequence moves, the page stays", RULE_DROPPED, 0, 1,
	  { FILL(1, 4), USE(1, 9) } },
	{ "nothing was dropped", RULE_DROPPED, 0, 2,
	  { FILL(1, 4), USE(1, 4), EV(MAP_DROP, [F_FIRST] = 0, [F_LAST] = 3, [F_SEQ] = 4),
	    USE(1, 4) } },
	{ "a reset keeps addresses", RULE_DROPPED, 0, 1, { FILL(1, 0), RESET, USE(1, 1) } },
	{ "use after release", RULE_DROPPED, 1, 1, { FILL(1, 0), RELEASE(1), USE(1, 1) } },
	{ "use after release of a page never heard of", RULE_DROPPED, 1, 1,
	  { RELEASE(1), USE(9, 1) } },
	{ "another page is dropped", RULE_DROPPED, 0, 1,
	  { FILL(1, 0), DROP(2, 3, 1), USE(1, 1) } },
	{ "another ring is dropped", RULE_DROPPED, 0, 1,
	  { FILL(1, 0), EV(MAP_DROP, [F_RING] = 2, [F_FIRST] = 0, [F_LAST] = 3,
			   [F_DROPPED] = 1, [F_SEQ] = 1), USE(1, 1) } },
	{ "a page filled before the trace", RULE_DROPPED, 0, 0, { USE(1, 1) } },
	{ "a gap hides the fill", RULE_DROPPED, 0, 0, { DROP(0, 3, 1), GAP, USE(1, 1) } },
	{ "nobody knows whether drop or fill was first", RULE_DROPPED, 0, 0,
	  { FILL(1, 0), TIE(MAP_DROP, [F_FIRST] = 0, [F_LAST] = 3, [F_DROPPED] = 1,
			    [F_SEQ] = 1), USE(1, 1) } },
};

static unsigned int broken;
static enum rule broke;

static void on_broken(void *arg, enum rule rule, const struct ev *ev, const char *why)
{
	(void)arg;
	(void)ev;
	broken++;
	broke = rule;
	printf("# %s: %s\n", rule_names[rule], why);
}

static bool run(const struct test *t)
{
	struct checker *c = checker_new(on_broken, NULL);
	const struct rule_result *r = &checker_results(c)[t->rule];
	uint64_t ts = 1000;
	bool ok;

	broken = 0;
	broke = t->rule;
	for (int i = 0; i < MAX && t->ev[i].task; i++) {
		struct ev ev = t->ev[i];

		ev.ts = ev.cpu ? ts : ++ts;
		ev.tied = i + 1 < MAX && t->ev[i + 1].cpu;
		checker_feed(c, &ev);
	}
	ok = r->broken == t->broken && r->judged == t->judged && broken == t->broken &&
	     broke == t->rule;
	if (!ok)
		printf("# broken %u of %u judged, and not %u of %u\n",
		       (unsigned int)r->broken, (unsigned int)r->judged, t->broken, t->judged);
	checker_free(c);
	return ok;
}

/* Many queues and pages, so that tables grow; the time of one run is the test's. */
static bool run_many(void)
{
	struct checker *c = checker_new(on_broken, NULL);
	uint64_t ts = 0;
	bool ok = true;

	broken = 0;
	for (int round = 0; round < 3; round++)
		for (unsigned int dev = 1; dev < 3000; dev++) {
			struct ev fill = { .type = EV_MAP_FILL, .ts = ++ts,
				.f = { [F_DEV] = dev, [F_VQ] = dev % 5, [F_PAGE] = dev % 130 } };
			struct ev use = fill;

			use.type = EV_MAP_USE;
			use.ts = ++ts;
			checker_feed(c, &fill);
			checker_feed(c, &use);
		}
	ok = !broken && checker_results(c)[RULE_DROPPED].judged == 3 * 2999;
	checker_free(c);
	return ok;
}

int main(void)
{
	unsigned int n = ARRAY_SIZE(tests), failed = 0;

	printf("TAP version 13\n1..%u\n", n + 1);
	for (unsigned int i = 0; i < n; i++) {
		bool ok = run(&tests[i]);

		failed += !ok;
		printf("%s %u %s: %s\n", ok ? "ok" : "not ok", i + 1,
		       rule_names[tests[i].rule], tests[i].name);
	}
	if (!run_many()) {
		failed++;
		printf("not ");
	}
	printf("ok %u many queues\n", n + 1);
	return !!failed;
}
