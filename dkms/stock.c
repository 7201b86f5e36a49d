// SPDX-License-Identifier: GPL-2.0-only
/*
 * See include/trace/misc/mmu_notifier.h.
 */
#define VHOST_STOCK_IMPLEMENTATION

#include <linux/module.h>
#include <linux/workqueue.h>
#include <trace/misc/mmu_notifier.h>

/* Of our own: works that wait fill up a queue, and others wait behind them. */
static struct workqueue_struct *begins;

/*
 * What the events of 6.12 keep: these only write protect. Whatever uses the
 * others has to say so, and most of it does not.
 */
static unsigned int keeps(enum mmu_notifier_event event)
{
	switch (event) {
	case MMU_NOTIFY_PROTECTION_PAGE:
	case MMU_NOTIFY_SOFT_DIRTY:
		return MMU_KEEPS_MAPPED | MMU_KEEPS_READ;
	default:
		return 0;
	}
}

/*
 * Wait until no invalidation of the range is under way. One that comes later makes the
 * sequence stale, and queues the work again.
 */
static void stock_begin(struct work_struct *work)
{
	struct stock_notifier *n = container_of(work, struct stock_notifier, begin);
	unsigned long seq = mmu_interval_read_begin(&n->sub);

	/* Pairs with mmu_interval_read_try_begin(). */
	smp_store_release(&n->seq, seq);
}

static bool stock_invalidate(struct mmu_interval_notifier *sub,
			     const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	struct stock_notifier *n = container_of(sub, struct stock_notifier, sub);
	struct stock_range r = {
		.start = range->start,
		.end = range->end,
		.event = range->event,
	};

	/* Nothing that is needed goes away: what was begun stays begun. */
	if (n->needs && !(n->needs & ~keeps(range->event)))
		return true;
	if (!n->ops->invalidate(n, &r, cur_seq))
		return false;
	queue_work(begins, &n->begin);
	return true;
}

static const struct mmu_interval_notifier_ops stock_ops = {
	.invalidate = stock_invalidate,
};

/**
 * stock_notifier_insert() - mmu_interval_notifier_insert_needs()
 * @n: subscription
 * @mm: whose
 * @start: user address
 * @length: bytes
 * @ops: what to call
 * @needs: MMU_KEEPS_*, or 0: everything
 *
 * Context: process context; may sleep. Must not hold what an invalidation waits for.
 * Return: 0 or a negative errno.
 */
int stock_notifier_insert(struct stock_notifier *n, struct mm_struct *mm, unsigned long start,
			  unsigned long length, const struct stock_notifier_ops *ops,
			  unsigned int needs)
{
	int ret;

	n->ops = ops;
	n->needs = needs;
	/* No sequence is 0: there is no read side before the first begin. */
	n->seq = 0;
	INIT_WORK(&n->begin, stock_begin);
	ret = mmu_interval_notifier_insert(&n->sub, mm, start, length, &stock_ops);
	if (!ret)
		queue_work(begins, &n->begin);
	return ret;
}
EXPORT_SYMBOL_GPL(stock_notifier_insert);

/**
 * stock_notifier_remove() - mmu_interval_notifier_remove()
 * @n: subscription. Its user holds a reference to its mm_struct until this returns.
 *
 * Context: process context; sleeps until invalidations that are under way have ended.
 */
void stock_notifier_remove(struct stock_notifier *n)
{
	/* Nobody queues the work after this. */
	mmu_interval_notifier_remove(&n->sub);
	cancel_work_sync(&n->begin);
}
EXPORT_SYMBOL_GPL(stock_notifier_remove);

static int __init stock_init(void)
{
	begins = alloc_workqueue("vhost_stock", WQ_UNBOUND, 0);
	return begins ? 0 : -ENOMEM;
}
module_init(stock_init);

static void __exit stock_exit(void)
{
	destroy_workqueue(begins);
}
module_exit(stock_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("What vhost's ring mappings need of a kernel whose mm is not ours");
