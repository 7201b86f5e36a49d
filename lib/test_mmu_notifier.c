// SPDX-License-Identifier: GPL-2.0-only
/*
 * Subscribers of MMU-notifier invalidations, controlled from user space.
 *
 * Each subscriber keeps kernel addresses of user pages, without references, until an
 * invalidation tells it to drop them: it trusts what an invalidation says it keeps.
 * A selftest compares what it reads and writes through these addresses with what user
 * space sees. If an emitter promises too much, they differ.
 */
#include <linux/delay.h>
#include <linux/fs.h>
#include <linux/highmem.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <trace/misc/mmu_notifier.h>

#include "test_mmu_notifier_uapi.h"

#define MAX_SUBS	10100
#define MAX_PAGES	4096
#define MAX_MS		10000

/*
 * @lock is the user lock of the collision-retry scheme: callbacks take it, and
 * kernel addresses are installed and used under it.
 */
struct test_sub {
	struct mmu_interval_notifier interval;
	struct mmu_interval_notifier_ops interval_ops;
	struct mmu_notifier mn;
	struct mmu_notifier_ops mn_ops;
	u32 kind;
	unsigned long start;
	unsigned long npages;
	spinlock_t lock; /* see above */
	void **kaddr;
	unsigned int active;
	u64 seq;
	u64 calls;
	u64 causes;
	u64 dropped;
	u64 retries;
	u32 hold_point;
	u32 hold_ms;
};

struct test_file {
	struct mm_struct *mm;
	struct mutex lock; /* sub, nr */
	struct test_sub *sub[MAX_SUBS];
	unsigned int nr;
};

static void test_window(struct test_sub *sub, u32 point)
{
	if (READ_ONCE(sub->hold_point) != point)
		return;
	WRITE_ONCE(sub->hold_point, 0);
	msleep(sub->hold_ms);
}

/* Drop the pages that overlap the range. The caller holds the sub's lock. */
static void test_drop(struct test_sub *sub,
		      const struct mmu_notifier_range *range)
{
	unsigned long i;

	for (i = 0; i < sub->npages; i++) {
		unsigned long addr = sub->start + i * PAGE_SIZE;

		if (addr + PAGE_SIZE > range->start && addr < range->end &&
		    sub->kaddr[i]) {
			sub->kaddr[i] = NULL;
			sub->dropped++;
		}
	}
	sub->calls++;
	sub->causes |= BIT_ULL(mmu_notifier_why(range));
}

static bool test_interval_invalidate(struct mmu_interval_notifier *interval,
				     const struct mmu_notifier_range *range,
				     unsigned long cur_seq)
{
	struct test_sub *sub = container_of(interval, struct test_sub, interval);

	spin_lock(&sub->lock);
	mmu_interval_set_seq(interval, cur_seq);
	test_drop(sub, range);
	spin_unlock(&sub->lock);
	if (mmu_notifier_range_blockable(range))
		test_window(sub, TEST_MN_HOLD_CALLBACK);
	return true;
}

static bool test_overlaps(struct test_sub *sub,
			  const struct mmu_notifier_range *range)
{
	return range->end > sub->start &&
	       range->start < sub->start + sub->npages * PAGE_SIZE;
}

static int test_mn_start(struct mmu_notifier *mn,
			 const struct mmu_notifier_range *range)
{
	struct test_sub *sub = container_of(mn, struct test_sub, mn);
	bool overlaps = test_overlaps(sub, range);

	spin_lock(&sub->lock);
	sub->active++;
	sub->seq++;
	if (overlaps)
		test_drop(sub, range);
	spin_unlock(&sub->lock);
	if (overlaps && mmu_notifier_range_blockable(range))
		test_window(sub, TEST_MN_HOLD_CALLBACK);
	return 0;
}

static void test_mn_end(struct mmu_notifier *mn,
			const struct mmu_notifier_range *range)
{
	struct test_sub *sub = container_of(mn, struct test_sub, mn);

	spin_lock(&sub->lock);
	/* It was called for every start since it was registered. */
	WARN_ON_ONCE(!sub->active);
	sub->active--;
	spin_unlock(&sub->lock);
}

static void test_mn_release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	struct test_sub *sub = container_of(mn, struct test_sub, mn);

	spin_lock(&sub->lock);
	memset(sub->kaddr, 0, sub->npages * sizeof(*sub->kaddr));
	sub->calls++;
#ifdef CONFIG_MMU_NOTIFIER_CAUSES
	sub->causes |= BIT_ULL(MMU_CAUSE_EXIT);
#else
	sub->causes |= BIT_ULL(MMU_NOTIFY_RELEASE);
#endif
	spin_unlock(&sub->lock);
}

static void test_sub_free(struct test_sub *sub)
{
	if (sub->kind == TEST_MN_MM)
		mmu_notifier_unregister(&sub->mn, sub->mn.mm);
	else
		mmu_interval_notifier_remove(&sub->interval);
	kvfree(sub->kaddr);
	kfree(sub);
}

static int test_add(struct test_file *f, struct test_mn_add *add)
{
	struct test_sub *sub;
	int ret;

	if (!PAGE_ALIGNED(add->addr) || !PAGE_ALIGNED(add->len) || !add->len ||
	    add->len > MAX_PAGES * PAGE_SIZE || add->needs & ~TEST_MN_KEEPS_ALL ||
	    add->kind > TEST_MN_MM || current->mm != f->mm)
		return -EINVAL;
	if (f->nr == MAX_SUBS)
		return -ENOSPC;
	sub = kcalloc(1, sizeof(*sub), GFP_KERNEL);
	if (!sub)
		return -ENOMEM;
	sub->kind = add->kind;
	sub->start = add->addr;
	sub->npages = add->len / PAGE_SIZE;
	spin_lock_init(&sub->lock);
	sub->interval_ops.invalidate = test_interval_invalidate;
	sub->mn_ops.invalidate_range_start = test_mn_start;
	sub->mn_ops.invalidate_range_end = test_mn_end;
	sub->mn_ops.release = test_mn_release;
#ifdef CONFIG_MMU_NOTIFIER_KEEPS
	sub->mn_ops.needs = add->needs * MMU_KEEPS_MAPPED;
#endif
	sub->kaddr = kvcalloc(sub->npages, sizeof(*sub->kaddr), GFP_KERNEL);
	if (!sub->kaddr) {
		kfree(sub);
		return -ENOMEM;
	}
	if (sub->kind == TEST_MN_MM) {
		sub->mn.ops = &sub->mn_ops;
		ret = mmu_notifier_register(&sub->mn, f->mm);
	} else {
		ret = mmu_interval_notifier_insert_needs(&sub->interval, f->mm,
							 add->addr, add->len,
							 &sub->interval_ops,
							 add->needs * MMU_KEEPS_MAPPED);
	}
	if (ret) {
		kvfree(sub->kaddr);
		kfree(sub);
		return ret;
	}
	add->id = f->nr;
	f->sub[f->nr++] = sub;
	return 0;
}

/* Get an address for each page that has none. The caller holds the file's lock. */
static int test_fill(struct test_sub *sub, struct test_mn_access *access)
{
	unsigned int flags = access->write ? FOLL_WRITE : 0;
	unsigned long i, seq = 0;
	u64 filled = 0;

	for (i = 0; i < sub->npages; i++) {
		struct page *page;
		bool raced;

		if (sub->kind == TEST_MN_INTERVAL) {
			seq = mmu_interval_read_begin(&sub->interval);
		} else {
			spin_lock(&sub->lock);
			seq = sub->seq;
			raced = sub->active;
			spin_unlock(&sub->lock);
			if (raced)
				return -EAGAIN;
		}
		if (get_user_pages_fast_only(sub->start + i * PAGE_SIZE, 1,
					     flags, &page) != 1)
			continue;
		test_window(sub, TEST_MN_HOLD_FILL);
		spin_lock(&sub->lock);
		if (sub->kind == TEST_MN_INTERVAL)
			raced = mmu_interval_read_retry(&sub->interval, seq);
		else
			raced = sub->active || sub->seq != seq;
		if (raced) {
			sub->retries++;
		} else {
			sub->kaddr[i] = page_address(page);
			if (access->write)
				set_page_dirty(page);
			filled++;
		}
		spin_unlock(&sub->lock);
		put_page(page);
	}
	access->value = filled;
	return 0;
}

static int test_move(struct test_sub *sub, struct test_mn_access *access,
		     unsigned int cmd)
{
	unsigned long off = access->addr - sub->start;
	u64 *p;

	if (access->addr < sub->start || off >= sub->npages * PAGE_SIZE ||
	    off % sizeof(u64))
		return -EINVAL;
	spin_lock(&sub->lock);
	p = sub->kaddr[off >> PAGE_SHIFT];
	if (p) {
		p = (void *)p + offset_in_page(off);
		if (cmd == TEST_MN_FRAME)
			access->value = page_to_pfn(virt_to_page(p));
		else if (cmd == TEST_MN_STORE)
			WRITE_ONCE(*p, access->value);
		else
			access->value = READ_ONCE(*p);
	}
	spin_unlock(&sub->lock);
	return p ? 0 : -ENODATA;
}

static void test_info(struct test_sub *sub, struct test_mn_info *info)
{
	spin_lock(&sub->lock);
	info->active = sub->active;
	info->calls = sub->calls;
	info->causes = sub->causes;
	info->seq = sub->kind == TEST_MN_INTERVAL ?
		    sub->interval.invalidate_seq : sub->seq;
	info->dropped = sub->dropped;
	info->retries = sub->retries;
	spin_unlock(&sub->lock);
}

/* As a driver that tracks writes to a file's pages would. */
static int test_protect(struct mm_struct *mm, unsigned long addr)
{
	struct address_space *mapping = NULL;
	struct vm_area_struct *vma;
	pgoff_t pgoff = 0;
	struct inode *inode = NULL;

	mmap_read_lock(mm);
	vma = vma_lookup(mm, addr);
	if (vma && vma->vm_file) {
		mapping = vma->vm_file->f_mapping;
		pgoff = linear_page_index(vma, addr);
		inode = igrab(mapping->host);
	}
	mmap_read_unlock(mm);
	if (!inode)
		return -EINVAL;
	wp_shared_mapping_range(mapping, pgoff, 1);
	iput(inode);
	return 0;
}

static int test_emit(struct mm_struct *mm, struct test_mn_emit *emit)
{
	struct mmu_notifier_range range;
	u32 i;

	if (!PAGE_ALIGNED(emit->addr) || !PAGE_ALIGNED(emit->len) ||
	    emit->keeps & ~TEST_MN_KEEPS_ALL ||
	    !emit->len || emit->addr + emit->len < emit->addr)
		return -EINVAL;
	for (i = 0; i < emit->count && !fatal_signal_pending(current); i++) {
		mmap_read_lock(mm);
		mmu_notifier_range_init(&range, MMU_NOTIFY_CLEAR,
					emit->keeps * MMU_KEEPS_MAPPED, mm,
					emit->addr, emit->addr + emit->len);
		mmu_notifier_range_cause(&range, MMU_CAUSE_UNKNOWN);
		mmu_notifier_invalidate_range_start(&range);
		mmu_notifier_invalidate_range_end(&range);
		mmap_read_unlock(mm);
		cond_resched();
	}
	return 0;
}

static long test_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct test_file *f = file->private_data;
	void __user *uarg = (void __user *)arg;
	struct test_sub *sub = NULL;
	union {
		struct test_mn_add add;
		struct test_mn_access access;
		struct test_mn_info info;
		struct test_mn_hold hold;
		struct test_mn_emit emit;
		u32 id;
	} u = {};
	u32 id;
	long ret = 0;

	if (_IOC_SIZE(cmd) > sizeof(u) || copy_from_user(&u, uarg, _IOC_SIZE(cmd)))
		return -EFAULT;

	/* These use no subscriber, or must not block other commands meanwhile. */
	if (cmd == TEST_MN_PROTECT)
		return test_protect(f->mm, u.access.addr);
	if (cmd == TEST_MN_EMIT)
		return current->mm == f->mm ? test_emit(f->mm, &u.emit) : -EINVAL;
	if (cmd == TEST_MN_HOLD && u.hold.ms > MAX_MS)
		return -EINVAL;
	if (cmd == TEST_MN_HOLD && !u.hold.point) {
		msleep(u.hold.ms);
		return 0;
	}

	mutex_lock(&f->lock);
	switch (cmd) {
	case TEST_MN_ADD:
		ret = test_add(f, &u.add);
		goto out;
	case TEST_MN_FILL:
	case TEST_MN_LOAD:
	case TEST_MN_STORE:
	case TEST_MN_FRAME:
		id = u.access.id;
		break;
	case TEST_MN_INFO:
	case TEST_MN_HOLD:
	case TEST_MN_REMOVE:
		id = u.id;
		break;
	default:
		ret = -ENOTTY;
		goto out;
	}
	if (id < f->nr)
		sub = f->sub[id];
	if (!sub) {
		ret = -ENOENT;
		goto out;
	}
	switch (cmd) {
	case TEST_MN_REMOVE:
		f->sub[id] = NULL;
		test_sub_free(sub);
		break;
	case TEST_MN_FILL:
		ret = test_fill(sub, &u.access);
		break;
	case TEST_MN_LOAD:
	case TEST_MN_STORE:
	case TEST_MN_FRAME:
		ret = test_move(sub, &u.access, cmd);
		break;
	case TEST_MN_INFO:
		test_info(sub, &u.info);
		break;
	case TEST_MN_HOLD:
		sub->hold_ms = u.hold.ms;
		WRITE_ONCE(sub->hold_point, u.hold.point);
		break;
	}
out:
	mutex_unlock(&f->lock);
	if (!ret && _IOC_DIR(cmd) & _IOC_READ &&
	    copy_to_user(uarg, &u, _IOC_SIZE(cmd)))
		ret = -EFAULT;
	return ret;
}

static int test_open(struct inode *inode, struct file *file)
{
	struct test_file *f = kvzalloc(sizeof(*f), GFP_KERNEL);

	if (!f)
		return -ENOMEM;
	mutex_init(&f->lock);
	f->mm = current->mm;
	mmgrab(f->mm);
	file->private_data = f;
	return 0;
}

static int test_release(struct inode *inode, struct file *file)
{
	struct test_file *f = file->private_data;
	unsigned int i;

	for (i = 0; i < f->nr; i++)
		if (f->sub[i])
			test_sub_free(f->sub[i]);
	mmdrop(f->mm);
	kvfree(f);
	return 0;
}

static const struct file_operations test_fops = {
	.owner		= THIS_MODULE,
	.open		= test_open,
	.release	= test_release,
	.unlocked_ioctl	= test_ioctl,
};

static struct miscdevice test_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "test_mmu_notifier",
	.fops	= &test_fops,
	.mode	= 0600,
};

module_misc_device(test_misc);
MODULE_DESCRIPTION("Test driver for MMU-notifier guarantees");
MODULE_LICENSE("GPL");
