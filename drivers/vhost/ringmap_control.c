// SPDX-License-Identifier: GPL-2.0-only
/*
 * The user interface of the accessors: files in debugfs, module parameters, and the times
 * for which the map lock is held.
 */

#define pr_fmt(fmt) "vhost: " fmt

#include <linux/debugfs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/sched/clock.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/string_helpers.h>

#include "ringmap_int.h"

static const char * const accessor_names[VHOST_ACCESSOR_MAX] = {
	[VHOST_ACCESSOR_UACCESS] = "uaccess",
	[VHOST_ACCESSOR_CHECKED] = "checked",
	[VHOST_ACCESSOR_RINGMAP] = "ringmap",
};

/* Accessor for devices that are opened from now on. */
static int default_accessor =
	IS_ENABLED(CONFIG_VHOST_ACCESSOR_RINGMAP) ? VHOST_ACCESSOR_RINGMAP :
	IS_ENABLED(CONFIG_VHOST_ACCESSOR_CHECKED) ? VHOST_ACCESSOR_CHECKED :
	VHOST_ACCESSOR_UACCESS;

static const char * const miss_names[NR_VHOST_MISSES] = {
	[VHOST_MISS_NONE] = "none",
	[VHOST_MISS_ABSENT] = "absent",
	[VHOST_MISS_INVALIDATING] = "invalidating",
	[VHOST_MISS_RACED] = "raced",
	[VHOST_MISS_DEVICE_MEMORY] = "device_memory",
	[VHOST_MISS_BUSY] = "busy",
	[VHOST_MISS_NO_MEMORY] = "no_memory",
	[VHOST_MISS_ELSEWHERE] = "elsewhere",
	[VHOST_MISS_STRADDLES] = "straddles",
	[VHOST_MISS_OUTSIDE] = "outside",
	[VHOST_MISS_RESET] = "reset",
	[VHOST_MISS_NO_MM] = "no_mm",
};

#undef EM
#undef EMe
#define EM(why, name)	[why] = name,
#define EMe(why, name)	[why] = name
static const char * const why_names[NR_MMU_WHYS] = { MMU_NOTIFIER_WHYS };
#undef EM
#undef EMe

static const char * const ring_names[VHOST_RINGMAP_REGIONS] = {
	[VHOST_ADDR_DESC] = "desc",
	[VHOST_ADDR_AVAIL] = "avail",
	[VHOST_ADDR_USED] = "used",
};

static struct dentry *vhost_debugfs;

/*
 * Devices that have a directory, for settings that apply to all of them. Setting an accessor
 * waits for the owner's mmap lock or, when mappings end, for invalidations. Another process
 * can keep these from ending. So the accessor is set without devices_lock: the device is
 * pinned, and a pinned device stays in the list.
 */
static LIST_HEAD(devices);
static DEFINE_MUTEX(devices_lock);
static DECLARE_WAIT_QUEUE_HEAD(unpinned);

DEFINE_STATIC_KEY_FALSE(ringmap_lock_watched);

/* Whether lock times are counted. If so, the static key is on. */
static bool lock_times_on;

static unsigned int time_slot(u64 ns)
{
	return min(fls64(ns), VHOST_RINGMAP_TIMES - 1);
}

void ringmap_lock_watch(struct vhost_ringmap *rm, const char *site)
	__acquires(&rm->lock)
{
	u64 start = local_clock();

	if (!spin_trylock(&rm->lock)) {
		vhost_trace(map_lock, ringmap_vq(rm), VHOST_LOCK_WAIT, site);
		spin_lock(&rm->lock);
	}
	rm->times.taken = 0;
	if (READ_ONCE(lock_times_on)) {
		rm->times.taken = local_clock();
		rm->times.wait[time_slot(rm->times.taken - start)]++;
	}
	vhost_trace(map_lock, ringmap_vq(rm), VHOST_LOCK_TAKEN, site);
}

void ringmap_unlock_watch(struct vhost_ringmap *rm, const char *site)
{
	/* 0 if the lock was taken before counting began. */
	if (rm->times.taken)
		rm->times.hold[time_slot(local_clock() - rm->times.taken)]++;
	rm->times.taken = 0;
	vhost_trace(map_lock, ringmap_vq(rm), VHOST_LOCK_RELEASED, site);
}

#ifdef CONFIG_VHOST_TRACE
/* Called when the event vhost_map_lock is turned on, and off. */
int vhost_map_lock_watch(void)
{
	static_branch_inc(&ringmap_lock_watched);
	return 0;
}

void vhost_map_lock_unwatch(void)
{
	static_branch_dec(&ringmap_lock_watched);
}
#endif /* CONFIG_VHOST_TRACE */

/* Print the accessors with the current one in brackets. */
static int accessor_print(char *buf, size_t size, int current_accessor)
{
	int i, n = 0;

	for (i = 0; i < VHOST_ACCESSOR_MAX; i++)
		n += scnprintf(buf + n, size - n,
			       i == current_accessor ? "%s[%s]" : "%s%s",
			       i ? " " : "", accessor_names[i]);
	n += scnprintf(buf + n, size - n, "\n");
	return n;
}

static int param_set_accessor(const char *val, const struct kernel_param *kp)
{
	int accessor = sysfs_match_string(accessor_names, val);

	if (accessor < 0)
		return accessor;
	WRITE_ONCE(default_accessor, accessor);
	return 0;
}

static int param_get_accessor(char *buf, const struct kernel_param *kp)
{
	return accessor_print(buf, PAGE_SIZE, READ_ONCE(default_accessor));
}

/* For the parameter "accessor", which must belong to the module vhost. */
const struct kernel_param_ops vhost_ringmap_param_ops = {
	.set = param_set_accessor,
	.get = param_get_accessor,
};
EXPORT_SYMBOL_GPL(vhost_ringmap_param_ops);

/* The accessor that @common and the queue share, or VHOST_ACCESSOR_MAX. */
static int accessor_common(int common, const struct vhost_ringmap *rm)
{
	int accessor = READ_ONCE(rm->accessor);

	return common < 0 || common == accessor ? accessor : VHOST_ACCESSOR_MAX;
}

/* The accessor that @common and all queues of a device share, or VHOST_ACCESSOR_MAX. */
static int dev_accessor(int common, const struct vhost_dev *dev)
{
	int i;

	for (i = 0; i < dev->nvqs; i++)
		common = accessor_common(common, &dev->vqs[i]->ringmap);
	return common;
}

static void dev_set_accessor(struct vhost_dev *dev, int accessor)
{
	int i;

	for (i = 0; i < dev->nvqs; i++)
		ringmap_set_accessor(&dev->vqs[i]->ringmap, accessor,
				     VHOST_MODE_SET);
}

/* Set the accessor of one queue of a device in the list, or of all if @queue is -1. */
static void pinned_set_accessor(struct vhost_dev *dev, int queue, int accessor)
{
	lockdep_assert_held(&devices_lock);
	WRITE_ONCE(dev->ringmap_pins, dev->ringmap_pins + 1);
	mutex_unlock(&devices_lock);
	if (queue < 0)
		dev_set_accessor(dev, accessor);
	else
		ringmap_set_accessor(&dev->vqs[queue]->ringmap, accessor, VHOST_MODE_SET);
	mutex_lock(&devices_lock);
	WRITE_ONCE(dev->ringmap_pins, dev->ringmap_pins - 1);
	wake_up_all(&unpinned);
}

static bool remove_unpinned(struct vhost_dev *dev)
{
	bool is_unpinned;

	mutex_lock(&devices_lock);
	is_unpinned = !dev->ringmap_pins;
	if (is_unpinned)
		list_del_init(&dev->ringmap_node);
	mutex_unlock(&devices_lock);
	return is_unpinned;
}

static void accessor_seq(struct seq_file *m, int accessor)
{
	char buf[64];

	accessor_print(buf, sizeof(buf), accessor);
	seq_puts(m, buf);
}

/* The accessor that is written to a file */
static int accessor_word(const char __user *ubuf, size_t count)
{
	char buf[16];

	if (count >= sizeof(buf))
		return -EINVAL;
	if (copy_from_user(buf, ubuf, count))
		return -EFAULT;
	buf[count] = '\0';
	return sysfs_match_string(accessor_names, buf);
}

static int queue_accessor_show(struct seq_file *m, void *v)
{
	accessor_seq(m, accessor_common(-1, m->private));
	return 0;
}

static ssize_t queue_accessor_write(struct file *file, const char __user *ubuf,
				    size_t count, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	int accessor = accessor_word(ubuf, count);

	if (accessor < 0)
		return accessor;
	ringmap_set_accessor(m->private, accessor, VHOST_MODE_SET);
	return count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(queue_accessor);

static int dev_accessor_show(struct seq_file *m, void *v)
{
	accessor_seq(m, dev_accessor(-1, m->private));
	return 0;
}

static ssize_t dev_accessor_write(struct file *file, const char __user *ubuf,
				  size_t count, loff_t *ppos)
{
	struct seq_file *m = file->private_data;
	int accessor = accessor_word(ubuf, count);

	if (accessor < 0)
		return accessor;
	dev_set_accessor(m->private, accessor);
	return count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(dev_accessor);

/*
 * "DEVICE ACCESSOR" or "DEVICE/QUEUE ACCESSOR". For systems where debugfs cannot be written:
 * lockdown forbids it.
 */
static int param_set_device(const char *val, const struct kernel_param *kp)
{
	int opener, accessor, n = 0, more = 0, queue = -1, ret = -ENODEV;
	struct vhost_dev *dev;
	unsigned int id;

	if (sscanf(val, "%d-%u%n", &opener, &id, &n) != 2)
		return -EINVAL;
	val += n;
	if (sscanf(val, "/%u%n", &queue, &more) == 1 && queue < 0)
		return -EINVAL;
	val += more;
	if (*val != ' ')
		return -EINVAL;
	accessor = sysfs_match_string(accessor_names, val + 1);
	if (accessor < 0)
		return accessor;
	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, ringmap_node) {
		if (dev->ringmap_opener.pid != opener || dev->ringmap_id != id)
			continue;
		if (queue < dev->nvqs) {
			pinned_set_accessor(dev, queue, accessor);
			ret = 0;
		}
		break;
	}
	mutex_unlock(&devices_lock);
	return ret;
}

static const struct kernel_param_ops device_param_ops = {
	.set = param_set_device,
};

module_param_cb(device_accessor, &device_param_ops, NULL, 0200);
MODULE_PARM_DESC(device_accessor, "Set the accessor of an open device: \"DEVICE[/QUEUE] ACCESSOR\"");

/* One line for each queue. Lockdown allows reading this file, but no accessor file. */
static int queues_show(struct seq_file *m, void *v)
{
	const struct vhost_dev *dev = m->private;
	const struct vhost_worker *worker;
	struct vhost_virtqueue *vq;
	pid_t pid;
	int i;

	for (i = 0; i < dev->nvqs; i++) {
		vq = dev->vqs[i];
		/* Detaching a worker takes the mutex, and comes before it is freed. */
		mutex_lock(&vq->mutex);
		worker = rcu_dereference_protected(vq->worker, lockdep_is_held(&vq->mutex));
		pid = worker ? worker->pid : 0;
		mutex_unlock(&vq->mutex);
		seq_printf(m, "%d accessor=%s mode=%s worker=%d\n", i,
			   accessor_names[READ_ONCE(vq->ringmap.accessor)],
			   accessor_names[READ_ONCE(vq->ringmap.mode)], pid);
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(queues);

static void record_task(struct vhost_ringmap_task *task)
{
	task->pid = task_tgid_nr(current);
	get_task_comm(task->comm, current->group_leader);
}

static void task_seq(struct seq_file *m, const char *role,
		     const struct vhost_ringmap_task *task)
{
	seq_printf(m, "%s pid=%d comm=", role, task->pid);
	/* As in /proc/PID/status */
	seq_escape_str(m, task->comm, ESCAPE_SPACE | ESCAPE_SPECIAL, "\n\\");
	seq_putc(m, '\n');
}

/*
 * Does not take the device's mutex: a reset of the owner holds it, and waits for readers of
 * this file. A tracer reads this file to get the event vhost_owner into its trace.
 */
static int owner_show(struct seq_file *m, void *v)
{
	const struct vhost_dev *dev = m->private;
	struct vhost_ringmap_task owner;

	mutex_lock(&devices_lock);
	owner = dev->ringmap_owner;
	vhost_trace(owner, dev);
	mutex_unlock(&devices_lock);
	task_seq(m, "owner", &owner);
	task_seq(m, "opener", &dev->ringmap_opener);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(owner);

static int all_accessor_show(struct seq_file *m, void *v)
{
	struct vhost_dev *dev;
	int common = -1;

	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, ringmap_node)
		common = dev_accessor(common, dev);
	mutex_unlock(&devices_lock);
	accessor_seq(m, common);
	return 0;
}

static ssize_t all_accessor_write(struct file *file, const char __user *ubuf,
				  size_t count, loff_t *ppos)
{
	int accessor = accessor_word(ubuf, count);
	struct vhost_dev *dev;

	if (accessor < 0)
		return accessor;
	mutex_lock(&devices_lock);
	list_for_each_entry(dev, &devices, ringmap_node)
		pinned_set_accessor(dev, -1, accessor);
	mutex_unlock(&devices_lock);
	return count;
}
DEFINE_SHOW_STORE_ATTRIBUTE(all_accessor);

static int stats_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	struct vhost_ringmap_stats s;
	u64 fallback = 0;
	int i;

	ringmap_lock(rm);
	s = rm->stats;
	ringmap_unlock(rm);

	for (i = 0; i < NR_VHOST_MISSES; i++)
		fallback += s.fallback[i];
	/* The counting takes no lock. */
	seq_printf(m, "used %llu\n", data_race(rm->used));
	/* As above */
	seq_printf(m, "mapped %llu\n", data_race(rm->mapped));
	seq_printf(m, "fallback %llu\n", fallback);
	seq_printf(m, "sections %llu\n", s.sections);
	seq_printf(m, "fills %llu\n", s.fills);
	seq_printf(m, "fill_failed %llu\n", s.fill_failed);
	seq_printf(m, "fill_raced %llu\n", s.fill_raced);
	seq_printf(m, "rests %llu\n", s.rests);
	seq_printf(m, "dropped %llu\n", s.dropped);
	seq_printf(m, "resets %llu\n", s.resets);
	for (i = VHOST_MISS_NONE + 1; i < NR_VHOST_MISSES; i++)
		seq_printf(m, "fallback_%s %llu\n", miss_names[i],
			   s.fallback[i]);
	for (i = 0; i < NR_MMU_WHYS; i++)
		seq_printf(m, "invalidate_%s %llu\n", why_names[i],
			   s.invalidations[i]);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(stats);

static int map_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	unsigned long addr, len, pages, mapped;
	struct vhost_ringmap_region *r;
	bool linear;
	int i;

	for (i = 0; i < VHOST_RINGMAP_REGIONS; i++) {
		r = &rm->region[i];
		ringmap_lock(rm);
		len = r->len;
		addr = len ? r->base + r->offset : 0;
		pages = len ? r->npages : 0;
		mapped = len ? r->filled : 0;
		linear = rm->flat[i];
		ringmap_unlock(rm);
		seq_printf(m, "%s addr=%#lx len=%lu pages=%lu mapped=%lu kind=%s\n",
			   ring_names[i], addr, len, pages, mapped,
			   linear ? "linear" : mapped ? "pages" : "none");
	}
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(map);

static void times_seq(struct seq_file *m, const char *name, const u64 *count)
{
	int i;

	for (i = 0; i < VHOST_RINGMAP_TIMES; i++)
		if (count[i])
			seq_printf(m, "%s %llu %llu\n", name, 1ULL << i,
				   count[i]);
}

static int lock_times_show(struct seq_file *m, void *v)
{
	struct vhost_ringmap *rm = m->private;
	struct vhost_ringmap_times t;

	ringmap_lock(rm);
	t = rm->times;
	ringmap_unlock(rm);
	times_seq(m, "hold_ns", t.hold);
	times_seq(m, "wait_ns", t.wait);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(lock_times);

/* Clear the times when locks were taken: these may have been released uncounted. */
static void lock_times_forget(void)
{
	struct vhost_dev *dev;
	int i;

	list_for_each_entry(dev, &devices, ringmap_node) {
		for (i = 0; i < dev->nvqs; i++) {
			struct vhost_ringmap *rm = &dev->vqs[i]->ringmap;

			spin_lock(&rm->lock);
			rm->times.taken = 0;
			spin_unlock(&rm->lock);
		}
	}
}

static int lock_times_get(void *data, u64 *val)
{
	*val = READ_ONCE(lock_times_on);
	return 0;
}

static int lock_times_set(void *data, u64 val)
{
	int ret = 0;

	mutex_lock(&devices_lock);
	if (val > 1) {
		ret = -EINVAL;
	} else if (val != lock_times_on) {
		if (val) {
			lock_times_forget();
			static_branch_inc(&ringmap_lock_watched);
		} else {
			static_branch_dec(&ringmap_lock_watched);
		}
		WRITE_ONCE(lock_times_on, val);
	}
	mutex_unlock(&devices_lock);
	return ret;
}
DEFINE_DEBUGFS_ATTRIBUTE(lock_times_switch_fops, lock_times_get, lock_times_set,
			 "%llu\n");

/**
 * vhost_ringmap_dev_init() - prepare the accessors of a device's queues
 * @dev: device with its queues set, none of them in use
 *
 * Names the device, for debugfs and traces, after the PID of the current process.
 *
 * Context: process context; may sleep.
 */
void vhost_ringmap_dev_init(struct vhost_dev *dev)
{
	static atomic_t opened = ATOMIC_INIT(0);
	struct vhost_ringmap *rm;
	int i, j;

	dev->ringmap_id = atomic_inc_return(&opened);
	record_task(&dev->ringmap_opener);
	memset(&dev->ringmap_owner, 0, sizeof(dev->ringmap_owner));
	dev->ringmap_dir = NULL;
	INIT_LIST_HEAD(&dev->ringmap_node);
	dev->ringmap_pins = 0;
	mutex_init(&dev->ringmap_first.mutex);
	dev->ringmap_first.inserted = false;
	for (i = 0; i < dev->nvqs; i++) {
		rm = &dev->vqs[i]->ringmap;
		memset(rm, 0, sizeof(*rm));
		rm->index = i;
		spin_lock_init(&rm->lock);
		mutex_init(&rm->fill_mutex);
		for (j = 0; j < VHOST_RINGMAP_REGIONS; j++)
			rm->region[j].rm = rm;
		rm->region[VHOST_ADDR_DESC].kaddr = rm->pages.desc;
		rm->region[VHOST_ADDR_AVAIL].kaddr = rm->pages.avail;
		rm->region[VHOST_ADDR_USED].kaddr = rm->pages.used;
	}
}
EXPORT_SYMBOL_GPL(vhost_ringmap_dev_init);

/**
 * vhost_ringmap_dev_publish() - set the accessor of a device, and show its files
 * @dev: device that is ready to be used
 *
 * From here on, user space reads and writes the files of the device. A device without a
 * worker never accesses its rings, and has no files.
 *
 * Context: process context; may sleep.
 */
void vhost_ringmap_dev_publish(struct vhost_dev *dev)
{
	struct vhost_ringmap *rm;
	struct dentry *dir;
	char name[32];
	int i;

	if (!dev->use_worker)
		return;
	dev_set_accessor(dev, READ_ONCE(default_accessor));
	snprintf(name, sizeof(name), "%d-%u", dev->ringmap_opener.pid,
		 dev->ringmap_id);
	dev->ringmap_dir = debugfs_create_dir(name, vhost_debugfs);
	debugfs_create_file("accessor", 0600, dev->ringmap_dir, dev,
			    &dev_accessor_fops);
	debugfs_create_file("queues", 0400, dev->ringmap_dir, dev, &queues_fops);
	debugfs_create_file("owner", 0400, dev->ringmap_dir, dev, &owner_fops);
	for (i = 0; i < dev->nvqs; i++) {
		rm = &dev->vqs[i]->ringmap;
		snprintf(name, sizeof(name), "%d", i);
		dir = debugfs_create_dir(name, dev->ringmap_dir);
		debugfs_create_file("accessor", 0600, dir, rm,
				    &queue_accessor_fops);
		debugfs_create_file("stats", 0400, dir, rm, &stats_fops);
		debugfs_create_file("map", 0400, dir, rm, &map_fops);
		debugfs_create_file("lock_times", 0400, dir, rm,
				    &lock_times_fops);
	}
	mutex_lock(&devices_lock);
	list_add_tail(&dev->ringmap_node, &devices);
	mutex_unlock(&devices_lock);
}
EXPORT_SYMBOL_GPL(vhost_ringmap_dev_publish);

static void set_owner(struct vhost_dev *dev, const struct vhost_ringmap_task *owner)
{
	mutex_lock(&devices_lock);
	dev->ringmap_owner = *owner;
	vhost_trace(owner, dev);
	mutex_unlock(&devices_lock);
}

/* Never called: no range contains the address. */
static bool ringmap_ignore(struct mmu_interval_notifier *sub,
			   const struct mmu_notifier_range *range, unsigned long cur_seq)
{
	mmu_interval_set_seq(sub, cur_seq);
	return true;
}

static const struct mmu_interval_notifier_ops ringmap_first_ops = {
	.invalidate = ringmap_ignore,
};

/**
 * ringmap_first_notifier() - insert a process' first notifier before the data path does
 * @rm: the queue's ringmap
 *
 * Inserting the first interval notifier of a process takes the mmap lock for writing, and
 * the lock of each mapping. This takes long if others hold the mmap lock, or if there are
 * many mappings, and the data path would do it with the queue's mutex held. Later notifiers
 * take none of these locks. So insert one here, once for each owner.
 *
 * The notifier stays until the device has no owner any more. Removing it waits for the
 * invalidations under way, and nothing bounds this wait while they overlap.
 *
 * The device holds the mm until then, so the mm does not exit with a notifier in it. A
 * child that inherits the device file has an mm of its own, without this notifier.
 *
 * Does nothing if the queue does not use mappings, or has no owner. A change of the accessor
 * and a change of the owner both call this afterwards. If it fails, the data path tries
 * again.
 *
 * Context: process context; waits for the mmap lock of the owner. The caller holds the fill
 * mutex.
 */
void ringmap_first_notifier(struct vhost_ringmap *rm)
{
	struct vhost_dev *dev = ringmap_vq(rm)->dev;
	struct vhost_ringmap_first *first = &dev->ringmap_first;
	struct mm_struct *mm;

	lockdep_assert_held(&rm->fill_mutex);
	if (rm->accessor != VHOST_ACCESSOR_RINGMAP)
		return;
	mutex_lock(&first->mutex);
	if (!first->inserted) {
		/* A recorded owner stays until nobody calls this any more. */
		mutex_lock(&devices_lock);
		mm = dev->ringmap_owner.pid ? dev->mm : NULL;
		mutex_unlock(&devices_lock);
		first->inserted = mm && !mmu_interval_notifier_insert(&first->sub, mm, ULONG_MAX,
								      1, &ringmap_first_ops);
	}
	mutex_unlock(&first->mutex);
}

/**
 * vhost_ringmap_set_owner() - record whose memory a device's rings are in
 * @dev: device that belongs to the current process from now on
 *
 * The owner is not the opener if the device file was passed to another process.
 *
 * Context: process context; waits for the process' mmap lock, but for no invalidation. The
 * caller holds the device's mutex.
 */
void vhost_ringmap_set_owner(struct vhost_dev *dev)
{
	struct vhost_ringmap_task owner;
	struct vhost_ringmap *rm;
	int i;

	record_task(&owner);
	set_owner(dev, &owner);
	for (i = 0; i < dev->nvqs; i++) {
		rm = &dev->vqs[i]->ringmap;
		mutex_lock(&rm->fill_mutex);
		ringmap_first_notifier(rm);
		mutex_unlock(&rm->fill_mutex);
	}
}
EXPORT_SYMBOL_GPL(vhost_ringmap_set_owner);

/**
 * vhost_ringmap_dev_cleanup() - unregister everything of a device
 * @dev: device whose queues nobody uses any more; it still holds its mm
 *
 * From here on, the device has no owner.
 *
 * Context: process context; sleeps until the invalidations of the rings under way have
 * ended. The caller may hold the device's mutex, but no queue's mutex.
 */
void vhost_ringmap_dev_cleanup(struct vhost_dev *dev)
{
	int i;

	while (!remove_unpinned(dev))
		wait_event(unpinned, !READ_ONCE(dev->ringmap_pins));
	/* Waits for readers and writers of the files. */
	debugfs_remove(dev->ringmap_dir);
	dev->ringmap_dir = NULL;
	if (dev->ringmap_owner.pid)
		set_owner(dev, &(struct vhost_ringmap_task) { .pid = 0 });
	for (i = 0; i < dev->nvqs; i++)
		ringmap_set_accessor(&dev->vqs[i]->ringmap,
				     VHOST_ACCESSOR_UACCESS, VHOST_MODE_CLOSE);
	/* Nobody inserts it now: no file is left, and only the caller sets an owner. */
	if (dev->ringmap_first.inserted)
		mmu_interval_notifier_remove(&dev->ringmap_first.sub);
	dev->ringmap_first.inserted = false;
}
EXPORT_SYMBOL_GPL(vhost_ringmap_dev_cleanup);

/**
 * ringmap_control_init() - create the files that do not belong to a device
 *
 * Context: when the module is loaded.
 */
void ringmap_control_init(void)
{
	vhost_debugfs = debugfs_create_dir("vhost", NULL);
	debugfs_create_file("accessor", 0600, vhost_debugfs, NULL,
			    &all_accessor_fops);
	debugfs_create_file("lock_times", 0600, vhost_debugfs, NULL,
			    &lock_times_switch_fops);
	ringmap_windows_init(vhost_debugfs);
}

/**
 * ringmap_control_exit() - remove the files of ringmap_control_init()
 *
 * Context: when the module is unloaded; no device is left.
 */
void ringmap_control_exit(void)
{
	debugfs_remove(vhost_debugfs);
}
