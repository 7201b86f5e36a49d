/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * KUnit tests of the filter and of the collision-retry scheme. Included at the
 * end of mm/mmu_notifier.c.
 */
#ifndef _MM_TESTS_MMU_NOTIFIER_KUNIT_H
#define _MM_TESTS_MMU_NOTIFIER_KUNIT_H

#include <kunit/test.h>
#include <linux/completion.h>
#include <linux/kthread.h>

#include "../mmu_notifier_keeps.h"

#define RO	MMU_NEEDS_RO

/* A subscription and what it saw. Its start is never a real mapping. */
struct mn_probe {
	struct mmu_interval_notifier sub;
	struct mmu_interval_notifier_ops ops;
	struct mmu_notifier mn;
	struct mmu_notifier_ops mn_ops;
	unsigned int calls;
	unsigned int ends;
	bool refuse;
	struct completion removed;
};

static bool mn_probe_invalidate(struct mmu_interval_notifier *sub,
				const struct mmu_notifier_range *range,
				unsigned long cur_seq)
{
	struct mn_probe *p = container_of(sub, struct mn_probe, sub);

	p->calls++;
	if (p->refuse && !mmu_notifier_range_blockable(range))
		return false;
	mmu_interval_set_seq(sub, cur_seq);
	return true;
}

static int mn_probe_start(struct mmu_notifier *mn,
			  const struct mmu_notifier_range *range)
{
	container_of(mn, struct mn_probe, mn)->calls++;
	return 0;
}

static int mn_probe_start_refuse(struct mmu_notifier *mn,
				 const struct mmu_notifier_range *range)
{
	container_of(mn, struct mn_probe, mn)->calls++;
	return mmu_notifier_range_blockable(range) ? 0 : -EAGAIN;
}

static void mn_probe_end(struct mmu_notifier *mn,
			 const struct mmu_notifier_range *range)
{
	container_of(mn, struct mn_probe, mn)->ends++;
}

static int mn_test_init(struct kunit *test)
{
	struct mm_struct *mm = mm_alloc();

	KUNIT_ASSERT_NOT_NULL(test, mm);
	test->priv = mm;
	return 0;
}

static void mn_test_exit(struct kunit *test)
{
	mmput(test->priv);
}

static struct mn_probe *mn_interval(struct kunit *test, unsigned long start,
				    unsigned int needs)
{
	struct mn_probe *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);
	int ret;

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->ops.invalidate = mn_probe_invalidate;
	ret = mmu_interval_notifier_insert_needs(&p->sub, test->priv, start,
						 PAGE_SIZE, &p->ops, needs);
	KUNIT_ASSERT_EQ(test, 0, ret);
	return p;
}

static struct mn_probe *mn_whole(struct kunit *test, unsigned int needs,
				 bool refuse)
{
	struct mn_probe *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	/* A start that can fail may have no end. */
	p->mn_ops.invalidate_range_start = refuse ? mn_probe_start_refuse :
						    mn_probe_start;
	p->mn_ops.invalidate_range_end = refuse ? NULL : mn_probe_end;
	p->mn_ops.needs = needs;
	p->mn.ops = &p->mn_ops;
	KUNIT_ASSERT_EQ(test, 0, mmu_notifier_register(&p->mn, test->priv));
	return p;
}

static void mn_range(struct kunit *test, struct mmu_notifier_range *range,
		     unsigned int keeps)
{
	mmu_notifier_range_init(range, MMU_NOTIFY_CLEAR, keeps, test->priv,
				0, 16 * PAGE_SIZE);
}

static int mn_remove_thread(void *arg)
{
	struct mn_probe *p = arg;

	mmu_interval_notifier_remove(&p->sub);
	complete(&p->removed);
	return 0;
}

/*
 * Remove @p where that waits for ever if a range was left without its end, and
 * return whether it did not. If it did, force the end of whatever is counted: the
 * thread uses @p and the mm, and once it is done both may go as in a test that
 * passes.
 */
static bool mn_remove(struct kunit *test, struct mn_probe *p)
{
	struct mm_struct *mm = test->priv;
	struct mmu_notifier_subscriptions *subscriptions =
		mm->notifier_subscriptions;
	struct task_struct *task;

	init_completion(&p->removed);
	task = kthread_run(mn_remove_thread, p, "mn_remove");
	if (IS_ERR(task)) {
		/* Nobody can wait instead; and @p must not stay in the tree. */
		mmu_interval_notifier_remove(&p->sub);
		return true;
	}
	if (wait_for_completion_timeout(&p->removed, 20 * HZ))
		return true;

	spin_lock(&subscriptions->lock);
	subscriptions->active_invalidate_ranges = 1;
	spin_unlock(&subscriptions->lock);
	mn_itree_inv_end(subscriptions);
	wait_for_completion(&p->removed);
	return false;
}

static unsigned long mn_active(struct kunit *test)
{
	struct mm_struct *mm = test->priv;

	return mm->notifier_subscriptions->active_invalidate_ranges;
}

static unsigned long mn_seq(struct kunit *test)
{
	struct mm_struct *mm = test->priv;

	return mm->notifier_subscriptions->invalidate_seq;
}

/* Every set of needs against every set of guarantees. */
static void mn_test_filter(struct kunit *test)
{
	struct mmu_notifier_range range;
	unsigned int keeps, needs;
	struct mn_probe *p;

	/* A plain insert needs everything, whatever was there before. */
	p = mn_interval(test, 0, MMU_KEEPS_ALL);
	mmu_interval_notifier_remove(&p->sub);
	KUNIT_EXPECT_EQ(test, 0,
			mmu_interval_notifier_insert(&p->sub, test->priv, 0,
						     PAGE_SIZE, &p->ops));
	mn_range(test, &range, MMU_KEEPS_ALL);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, p->calls, 1);
	mmu_interval_notifier_remove(&p->sub);

	for (keeps = 0; keeps <= MMU_KEEPS_ALL; keeps += MMU_KEEPS_MAPPED) {
		for (needs = 0; needs <= MMU_KEEPS_ALL; needs += MMU_KEEPS_MAPPED) {
			struct mn_probe *w = mn_whole(test, needs, false);
			bool kept = needs && !(needs & ~keeps);

			p = mn_interval(test, 0, needs);
			KUNIT_EXPECT_EQ(test, kept,
					mmu_notifier_range_keeps(&(struct mmu_notifier_range) {
						.flags = keeps }, needs));

			mn_range(test, &range, keeps);
			mmu_notifier_invalidate_range_start(&range);
			mmu_notifier_invalidate_range_end(&range);
			KUNIT_EXPECT_EQ_MSG(test, p->calls, !kept,
					    "keeps %u needs %u", keeps, needs);
			KUNIT_EXPECT_EQ(test, w->calls, !kept);
			KUNIT_EXPECT_EQ(test, w->ends, !kept);
			mmu_interval_notifier_remove(&p->sub);
			mmu_notifier_unregister(&w->mn, test->priv);
		}
	}
}

/* Where all is kept the sequence stands still and a read section survives. */
static void mn_test_kept_is_nothing(struct kunit *test)
{
	struct mn_probe *p = mn_interval(test, 0, RO);
	struct mmu_notifier_range range;
	unsigned long before = mn_seq(test);
	unsigned long seq = mmu_interval_read_begin(&p->sub);

	mn_range(test, &range, MMU_KEEPS_ALL);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, mn_seq(test), before);
	/* Would wait for ever if the kept range counted. */
	KUNIT_EXPECT_EQ(test, mmu_interval_read_begin(&p->sub), seq);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, mn_seq(test), before);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&p->sub, seq));

	mn_range(test, &range, MMU_KEEPS_MAPPED);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, mn_seq(test), before | 1);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, mn_seq(test), before + 2);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&p->sub, seq));
	mmu_interval_notifier_remove(&p->sub);
}

/* One who needs more moves the sequence of all, but calls and retries only his. */
static void mn_test_others_retry_not(struct kunit *test)
{
	struct mn_probe *ro = mn_interval(test, 0, RO);
	struct mn_probe *all = mn_interval(test, 0, 0);
	struct mn_probe *rw = mn_interval(test, PAGE_SIZE, MMU_KEEPS_ALL);
	struct mn_probe *away = mn_interval(test, 64 * PAGE_SIZE, 0);
	struct mmu_notifier_range range;
	unsigned long seq[4];

	seq[0] = mmu_interval_read_begin(&ro->sub);
	seq[1] = mmu_interval_read_begin(&all->sub);
	seq[2] = mmu_interval_read_begin(&rw->sub);
	seq[3] = mmu_interval_read_begin(&away->sub);
	mn_range(test, &range, RO);
	mmu_notifier_invalidate_range_start(&range);
	KUNIT_EXPECT_EQ(test, mn_seq(test) & 1, 1);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, ro->calls, 0);
	KUNIT_EXPECT_EQ(test, all->calls, 1);
	KUNIT_EXPECT_EQ(test, rw->calls, 1);
	KUNIT_EXPECT_EQ(test, away->calls, 0);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&ro->sub, seq[0]));
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&all->sub, seq[1]));
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_retry(&rw->sub, seq[2]));
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&away->sub, seq[3]));
	mmu_interval_notifier_remove(&ro->sub);
	mmu_interval_notifier_remove(&all->sub);
	mmu_interval_notifier_remove(&rw->sub);
	mmu_interval_notifier_remove(&away->sub);
}

/*
 * An insert in the middle of a kept range must collide with it: the new one may
 * need what the range does not keep.
 */
static void mn_test_insert_during_kept(struct kunit *test)
{
	struct mn_probe *p = mn_interval(test, 0, RO), *late;
	struct mmu_notifier_range range;
	unsigned long seq;

	mn_range(test, &range, RO);
	mmu_notifier_invalidate_range_start(&range);
	late = mn_interval(test, 0, 0);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_try_begin(&late->sub, &seq));
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, mn_seq(test) & 1, 0);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_try_begin(&late->sub, &seq));
	KUNIT_EXPECT_EQ(test, p->calls + late->calls, 0);
	mmu_interval_notifier_remove(&late->sub);
	mmu_interval_notifier_remove(&p->sub);
}

/* Kept and other ranges nested and interleaved, and one who leaves in between. */
static void mn_test_nested(struct kunit *test)
{
	struct mn_probe *p = mn_interval(test, 0, RO);
	struct mn_probe *gone = mn_interval(test, 0, RO);
	struct mmu_notifier_range kept, other;
	unsigned long before = mn_seq(test), seq;

	mn_range(test, &kept, RO);
	mn_range(test, &other, 0);
	mmu_notifier_invalidate_range_start(&kept);
	/* Not invalidating: leaves at once, without waiting. */
	mmu_interval_notifier_remove(&gone->sub);
	KUNIT_EXPECT_EQ(test, mn_seq(test), before);
	mmu_notifier_invalidate_range_start(&other);
	KUNIT_EXPECT_EQ(test, p->calls, 1);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_try_begin(&p->sub, &seq));
	mmu_notifier_invalidate_range_end(&other);
	/* The kept range goes on, and nobody waits for it. */
	KUNIT_EXPECT_EQ(test, mn_seq(test), before + 2);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_try_begin(&p->sub, &seq));
	mmu_notifier_invalidate_range_end(&kept);
	KUNIT_EXPECT_EQ(test, mn_seq(test), before + 2);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&p->sub, seq));
	KUNIT_EXPECT_EQ(test, p->calls, 1);
	KUNIT_EXPECT_EQ(test, gone->calls, 0);
	mmu_interval_notifier_remove(&p->sub);
}

/*
 * Somebody who is inserted while a kept range is active may need more than it keeps,
 * and has to wait for its end: also if another range began and ended meanwhile, be it
 * before the insert or around it. So has everybody if the range called somebody.
 */
static void mn_test_insert_holds(struct kunit *test)
{
	struct mn_probe *p = mn_interval(test, 0, RO), *late;
	struct mmu_notifier_range kept, other;
	unsigned long seq;
	bool before;
	int i;

	mn_range(test, &kept, RO);
	mn_range(test, &other, 0);
	for (i = 0; i < 2; i++) {
		before = i;
		mmu_notifier_invalidate_range_start(&kept);
		mmu_notifier_invalidate_range_start(&other);
		if (before)
			mmu_notifier_invalidate_range_end(&other);
		late = mn_interval(test, 0, 0);
		if (!before)
			mmu_notifier_invalidate_range_end(&other);
		KUNIT_EXPECT_EQ(test, mn_seq(test) & 1, 1);
		KUNIT_EXPECT_FALSE(test, mmu_interval_read_try_begin(&late->sub, &seq));
		mmu_notifier_invalidate_range_end(&kept);
		KUNIT_EXPECT_EQ(test, mn_seq(test) & 1, 0);
		KUNIT_EXPECT_TRUE(test, mmu_interval_read_try_begin(&late->sub, &seq));
		mmu_interval_notifier_remove(&late->sub);
	}

	late = mn_interval(test, 0, MMU_KEEPS_ALL);
	mmu_notifier_invalidate_range_start(&kept);
	mmu_notifier_invalidate_range_start(&other);
	mmu_notifier_invalidate_range_end(&other);
	KUNIT_EXPECT_FALSE(test, mmu_interval_read_try_begin(&late->sub, &seq));
	mmu_notifier_invalidate_range_end(&kept);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_try_begin(&late->sub, &seq));
	mmu_interval_notifier_remove(&late->sub);
	mmu_interval_notifier_remove(&p->sub);
}

#if defined(CONFIG_MMU_NOTIFIER_CAUSES) && defined(CONFIG_SMP)
/* Of those that a range passes, how many while somebody holds the lock: nobody else wants it. */
struct mn_passed {
	struct mm_struct *mm;
	int all;
	int locked;
};

static void mn_note_passed(void *data, const struct mmu_notifier_range *range,
			   void *fn, unsigned int needs, int result)
{
	struct mn_passed *passed = data;

	if (range->mm != passed->mm)
		return;
	passed->all++;
	if (spin_trylock(&range->mm->notifier_subscriptions->lock))
		spin_unlock(&range->mm->notifier_subscriptions->lock);
	else
		passed->locked++;
}

/* Soft-dirty is cleared in the whole mm, where @many are left out and nobody is called. */
static void mn_whole_mm(struct kunit *test, int many)
{
	struct mn_passed passed = { .mm = test->priv };
	struct mmu_notifier_range range;

	KUNIT_ASSERT_EQ(test, 0, register_trace_mmu_notifier_subscriber(mn_note_passed,
									&passed));
	mmu_notifier_range_init(&range, MMU_NOTIFY_SOFT_DIRTY, MMU_KEEPS_RO,
				test->priv, 0, -1UL);
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_end(&range);
	unregister_trace_mmu_notifier_subscriber(mn_note_passed, &passed);
	tracepoint_synchronize_unregister();
	KUNIT_EXPECT_EQ(test, passed.all, many);
	KUNIT_EXPECT_EQ(test, passed.locked, min(many, MN_KEPT_UNDER_LOCK));
	kunit_info(test, "%d left out, %d of them while the lock is held\n",
		   passed.all, passed.locked);
}
#else
static void mn_whole_mm(struct kunit *test, int many)
{
}
#endif

/*
 * Of many who are left out, some are passed under the lock, however many there are;
 * and the others after it, so that whoever comes last is called.
 */
static void mn_test_bounded(struct kunit *test)
{
	static const int many[] = { 1, 255, 256, 257, 1000, 10000 };
	struct mm_struct *mm = test->priv;
	struct mmu_notifier_subscriptions *subscriptions;
	struct interval_tree_node *first, *node;
	struct mn_probe *last, *p, **kept;
	struct mmu_notifier_range range;
	unsigned long before, seq;
	int i, n, have = 0, calls;

	kept = kunit_kcalloc(test, 10000, sizeof(*kept), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, kept);
	for (i = 0; i < ARRAY_SIZE(many); i++) {
		for (; have < many[i]; have++)
			kept[have] = mn_interval(test, 0, RO);
		subscriptions = mm->notifier_subscriptions;
		mn_range(test, &range, RO);

		spin_lock(&subscriptions->lock);
		first = interval_tree_iter_first(&subscriptions->itree,
						 range.start, range.end - 1);
		node = mn_itree_skip_some(first, &range);
		for (n = 0; first && first != node; n++)
			first = interval_tree_iter_next(first, range.start,
							range.end - 1);
		spin_unlock(&subscriptions->lock);
		KUNIT_EXPECT_EQ_MSG(test, n, min(many[i], MN_KEPT_UNDER_LOCK),
				    "of %d passed under the lock", many[i]);

		/* Nobody is called, and nobody has to read again. */
		p = kept[have - 1];
		before = mn_seq(test);
		seq = mmu_interval_read_begin(&p->sub);
		mmu_notifier_invalidate_range_start(&range);
		KUNIT_EXPECT_EQ(test, mmu_interval_read_begin(&p->sub), seq);
		mmu_notifier_invalidate_range_end(&range);
		KUNIT_EXPECT_FALSE(test, mmu_interval_read_retry(&p->sub, seq));
		KUNIT_EXPECT_EQ(test, mn_active(test), 0);
		if (many[i] <= MN_KEPT_UNDER_LOCK)
			KUNIT_EXPECT_EQ(test, mn_seq(test), before);
		mn_whole_mm(test, many[i]);

		/* Nodes are ordered by their start: this one is the last. */
		last = mn_interval(test, PAGE_SIZE, 0);
		mmu_notifier_invalidate_range_start(&range);
		mmu_notifier_invalidate_range_end(&range);
		KUNIT_EXPECT_EQ(test, last->calls, 1);
		mmu_interval_notifier_remove(&last->sub);
	}
	for (i = 0, calls = 0; i < have; i++) {
		calls += kept[i]->calls;
		mmu_interval_notifier_remove(&kept[i]->sub);
	}
	KUNIT_EXPECT_EQ(test, calls, 0);
}

/* A start that is refused must not reach the ends of those it left out. */
static void mn_test_nonblock(struct kunit *test)
{
	struct mn_probe *kept = mn_whole(test, RO, false);
	struct mn_probe *called = mn_whole(test, 0, false);
	struct mn_probe *refuses = mn_whole(test, 0, true);
	struct mn_probe *p;
	struct mmu_notifier_range range, other;
	unsigned long seq;

	mn_range(test, &range, RO);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			mmu_notifier_invalidate_range_start_nonblock(&range));
	KUNIT_EXPECT_EQ(test, kept->calls + kept->ends, 0);
	KUNIT_EXPECT_EQ(test, called->calls, 1);
	KUNIT_EXPECT_EQ(test, called->ends, 1);
	mmu_notifier_unregister(&kept->mn, test->priv);
	mmu_notifier_unregister(&called->mn, test->priv);
	mmu_notifier_unregister(&refuses->mn, test->priv);

	p = mn_interval(test, 0, MMU_KEEPS_ALL);
	p->refuse = true;
	mn_range(test, &range, MMU_KEEPS_ALL);
	KUNIT_EXPECT_EQ(test, 0,
			mmu_notifier_invalidate_range_start_nonblock(&range));
	KUNIT_EXPECT_EQ(test, p->calls, 0);
	mmu_notifier_invalidate_range_end(&range);
	mn_range(test, &range, RO);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			mmu_notifier_invalidate_range_start_nonblock(&range));
	KUNIT_EXPECT_EQ(test, p->calls, 1);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_try_begin(&p->sub, &seq));

	/* It is not counted any more: what one of two others began ends with the last. */
	mn_range(test, &range, 0);
	other = range;
	mmu_notifier_invalidate_range_start(&range);
	mmu_notifier_invalidate_range_start(&other);
	mmu_notifier_invalidate_range_end(&range);
	KUNIT_EXPECT_EQ(test, mn_seq(test) & 1, 1);
	mmu_notifier_invalidate_range_end(&other);
	KUNIT_EXPECT_EQ(test, mn_seq(test) & 1, 0);
	mmu_interval_notifier_remove(&p->sub);
}

/*
 * A start that the interval side accepts and then a whole-mm subscriber refuses
 * ends the interval side, also where all of it was kept: the range counts as
 * active even so. Of the whole-mm subscribers, the one at @at in the list
 * refuses, and the others have ends if they had starts.
 */
static bool mn_refused_late(struct kunit *test, unsigned int keeps, int at)
{
	struct mn_probe *p = mn_interval(test, 0, RO), *late, *w[3];
	unsigned long before = mn_seq(test), seq;
	struct mmu_notifier_range range;
	bool kept = keeps == RO, done;
	int i;

	/* The last to subscribe is the first of the list. */
	for (i = ARRAY_SIZE(w) - 1; i >= 0; i--)
		w[i] = mn_whole(test, (at + 1) % 3 == i ? RO : 0, i == at);

	mn_range(test, &range, keeps);
	KUNIT_EXPECT_EQ(test, -EAGAIN,
			mmu_notifier_invalidate_range_start_nonblock(&range));
	KUNIT_EXPECT_EQ(test, p->calls, !kept);
	KUNIT_EXPECT_EQ(test, w[at]->calls, 1);
	KUNIT_EXPECT_EQ(test, w[(at + 1) % 3]->calls, !kept);
	KUNIT_EXPECT_EQ(test, w[(at + 1) % 3]->ends, !kept);
	KUNIT_EXPECT_EQ(test, w[(at + 2) % 3]->calls, 1);
	KUNIT_EXPECT_EQ(test, w[(at + 2) % 3]->ends, 1);

	KUNIT_EXPECT_EQ(test, mn_active(test), 0);
	KUNIT_EXPECT_EQ(test, mn_seq(test), kept ? before : before + 2);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_try_begin(&p->sub, &seq));

	/* Nor does one that is inserted later collide with the range. */
	late = mn_interval(test, 0, 0);
	KUNIT_EXPECT_TRUE(test, mmu_interval_read_try_begin(&late->sub, &seq));
	done = mn_remove(test, late);
	done &= mn_remove(test, p);
	KUNIT_EXPECT_TRUE_MSG(test, done,
			      "removal waits for ever: keeps %u, refused by %d",
			      keeps, at);

	for (i = 0; i < ARRAY_SIZE(w); i++)
		mmu_notifier_unregister(&w[i]->mn, test->priv);
	return done;
}

static void mn_test_refused_late(struct kunit *test)
{
	int at;

	for (at = 0; at < 3; at++) {
		if (!mn_refused_late(test, 0, at) ||
		    !mn_refused_late(test, RO, at))
			return;
	}
}

/* A subscription whose insert failed does not look like one that is inserted. */
static void mn_test_insert_fails(struct kunit *test)
{
	struct mn_probe *p = kunit_kzalloc(test, sizeof(*p), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	p->ops.invalidate = mn_probe_invalidate;
	KUNIT_EXPECT_EQ(test, -EOVERFLOW,
			mmu_interval_notifier_insert(&p->sub, test->priv, 0, 0,
						     &p->ops));
	KUNIT_EXPECT_NULL(test, p->sub.mm);
}

/* The rights that change_protection() keeps. */
static void mn_test_change_protection(struct kunit *test)
{
	struct vm_area_struct vma = { .vm_mm = test->priv };
	static const struct {
		unsigned long vm_flags;
		pgprot_t prot;
		unsigned long cp_flags;
		unsigned int keeps;
	} rows[] = {
		{ 0, PAGE_NONE, 0, MMU_KEEPS_MAPPED },
		{ VM_READ, PAGE_READONLY, 0, MMU_KEEPS_RO },
		/* a private mapping, or one with writenotify */
		{ VM_READ | VM_WRITE, PAGE_COPY, 0, MMU_KEEPS_RO },
		{ VM_READ | VM_WRITE | VM_SHARED, PAGE_SHARED, 0, MMU_KEEPS_ALL },
#ifdef CONFIG_ARCH_HAS_PKEYS
		/* a protection key, whose rights nobody announces */
		{ VM_READ | VM_WRITE | VM_SHARED | VM_PKEY_BIT0, PAGE_SHARED, 0,
		  MMU_KEEPS_MAPPED },
#endif
		{ VM_READ | VM_WRITE, PAGE_COPY, MM_CP_PROT_NUMA, MMU_NEEDS_RW },
		{ VM_READ | VM_WRITE, PAGE_COPY, MM_CP_UFFD_WP, MMU_KEEPS_RO },
		{ VM_READ | VM_WRITE, PAGE_COPY, MM_CP_UFFD_WP_RESOLVE, MMU_KEEPS_ALL },
		{ VM_READ | VM_WRITE | VM_SHARED, PAGE_SHARED, MM_CP_UFFD_WP_RESOLVE,
		  MMU_KEEPS_ALL },
		/* shared, and clean entries stay read only since writes are tracked */
		{ VM_READ | VM_WRITE | VM_SHARED, PAGE_COPY, MM_CP_UFFD_WP_RESOLVE, MMU_KEEPS_RO },
		{ VM_READ | VM_WRITE | VM_SHARED, PAGE_COPY, MM_CP_PROT_NUMA, MMU_NEEDS_RO },
#ifdef CONFIG_HUGETLB_PAGE
		/* nobody makes these writable again but a fault */
		{ VM_READ | VM_WRITE | VM_HUGETLB, PAGE_COPY, MM_CP_UFFD_WP_RESOLVE, MMU_KEEPS_RO },
		{ VM_READ | VM_HUGETLB, PAGE_READONLY, 0, MMU_KEEPS_RO },
		{ VM_READ | VM_HUGETLB | VM_MAYSHARE, PAGE_READONLY, 0, 0 },
#endif
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		vm_flags_init(&vma, rows[i].vm_flags);
		vma.vm_page_prot = rows[i].prot;
		KUNIT_EXPECT_EQ_MSG(test, rows[i].keeps,
				    __change_protection_keeps(&vma, rows[i].prot,
							      rows[i].cp_flags),
				    "row %d", i);
	}
}

static struct kunit_case mn_test_cases[] = {
	KUNIT_CASE(mn_test_filter),
	KUNIT_CASE(mn_test_kept_is_nothing),
	KUNIT_CASE(mn_test_others_retry_not),
	KUNIT_CASE(mn_test_insert_during_kept),
	KUNIT_CASE(mn_test_nested),
	KUNIT_CASE(mn_test_insert_holds),
	KUNIT_CASE(mn_test_bounded),
	KUNIT_CASE(mn_test_nonblock),
	KUNIT_CASE(mn_test_refused_late),
	KUNIT_CASE(mn_test_insert_fails),
	KUNIT_CASE(mn_test_change_protection),
	{}
};

static struct kunit_suite mn_test_suite = {
	.name = "mmu_notifier",
	.init = mn_test_init,
	.exit = mn_test_exit,
	.test_cases = mn_test_cases,
};

kunit_test_suite(mn_test_suite);

#endif /* _MM_TESTS_MMU_NOTIFIER_KUNIT_H */
