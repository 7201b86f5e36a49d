// SPDX-License-Identifier: GPL-2.0-only
/*
 * Traces and statistics of MMU-notifier invalidations.
 */
#include <linux/debugfs.h>
#include <linux/jump_label.h>
#include <linux/mmu_notifier.h>
#include <linux/percpu.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#define CREATE_TRACE_POINTS
#include "mmu_notifier_trace.h"

#ifdef CONFIG_MMU_NOTIFIER_STATS
#undef EM
#undef EMe
#define EM(a, b)	[a] = b,
#define EMe(a, b)	[a] = b
static const char * const cause_names[] = { MMU_NOTIFIER_CAUSES };

static_assert(ARRAY_SIZE(cause_names) == NR_MMU_CAUSES);

struct mn_stat {
	u64 ranges;
	u64 bytes;
	u64 called;
	u64 kept;
};

DEFINE_STATIC_KEY_FALSE(mn_stats);
static DEFINE_PER_CPU(struct mn_stat, mn_stat[NR_MMU_CAUSES]);

#define mn_count(range, what, n) do {					\
	if (mn_stats_on())						\
		this_cpu_add(mn_stat[(range)->cause].what, n);		\
} while (0)

static int mn_stats_show(struct seq_file *m, void *unused)
{
	int cause, cpu;

	seq_printf(m, "%-16s %12s %20s %12s %12s\n", "cause", "ranges", "bytes",
		   "called", "kept");
	for (cause = 0; cause < NR_MMU_CAUSES; cause++) {
		struct mn_stat sum = {};

		for_each_possible_cpu(cpu) {
			struct mn_stat *s = per_cpu_ptr(&mn_stat[cause], cpu);

			sum.ranges += READ_ONCE(s->ranges);
			sum.bytes += READ_ONCE(s->bytes);
			sum.called += READ_ONCE(s->called);
			sum.kept += READ_ONCE(s->kept);
		}
		seq_printf(m, "%-16s %12llu %20llu %12llu %12llu\n",
			   cause_names[cause], sum.ranges, sum.bytes,
			   sum.called, sum.kept);
	}
	return 0;
}

static int mn_stats_open(struct inode *inode, struct file *file)
{
	return single_open(file, mn_stats_show, NULL);
}

/* Any write resets the counts to 0. A count under way may survive it. */
static ssize_t mn_stats_write(struct file *file, const char __user *buf,
			      size_t count, loff_t *ppos)
{
	int cpu;

	for_each_possible_cpu(cpu)
		memset(per_cpu_ptr(mn_stat, cpu), 0, sizeof(mn_stat));
	return count;
}

static const struct file_operations mn_stats_fops = {
	.open		= mn_stats_open,
	.read		= seq_read,
	.write		= mn_stats_write,
	.llseek		= seq_lseek,
	.release	= single_release,
};

static int mn_enable_get(void *data, u64 *val)
{
	*val = static_key_enabled(&mn_stats);
	return 0;
}

static int mn_enable_set(void *data, u64 val)
{
	if (val > 1)
		return -EINVAL;
	if (val)
		static_branch_enable(&mn_stats);
	else
		static_branch_disable(&mn_stats);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(mn_enable_fops, mn_enable_get, mn_enable_set,
			 "%llu\n");

static int __init mn_stats_init(void)
{
	struct dentry *dir = debugfs_create_dir("mmu_notifier", NULL);

	debugfs_create_file("stats", 0600, dir, NULL, &mn_stats_fops);
	debugfs_create_file("enable", 0600, dir, NULL, &mn_enable_fops);
	return 0;
}
late_initcall(mn_stats_init);
#else
#define mn_count(...) do { } while (0)
#endif /* CONFIG_MMU_NOTIFIER_STATS */

void __mn_note_start(const struct mmu_notifier_range *range)
{
	trace_mmu_notifier_range_start(range);
	mn_count(range, ranges, 1);
	mn_count(range, bytes, range->end - range->start);
}

static void note_subscriber(const struct mmu_notifier_range *range, void *fn,
			    unsigned int needs, int result)
{
	trace_mmu_notifier_subscriber(range, fn, needs, result);
	if (result == MN_KEPT)
		mn_count(range, kept, 1);
	else
		mn_count(range, called, 1);
}

void __mn_note_interval(const struct mmu_interval_notifier *sub,
			const struct mmu_notifier_range *range, int result)
{
	note_subscriber(range, sub->ops->invalidate, READ_ONCE(sub->needs), result);
}

void __mn_note_mm(const struct mmu_notifier *subscription,
		  const struct mmu_notifier_range *range, int result)
{
	note_subscriber(range, subscription->ops->invalidate_range_start,
			subscription->ops->needs, result);
}
