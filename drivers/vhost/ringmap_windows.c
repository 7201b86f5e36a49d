// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests: files that delay the next read, store, fill or handler once, at the place
 * where a race can happen, and files that make steps fail.
 */
#include <linux/atomic.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/fault-inject.h>
#include <linux/jump_label.h>
#include <linux/kernel.h>

#include "ringmap_windows.h"

#define WINDOW_MAX_MS	2000

DEFINE_STATIC_KEY_FALSE(ringmap_windows_on);

static atomic_t window_ms[RINGMAP_WINDOWS];
static atomic_t windows_entered;

void __ringmap_window(enum ringmap_window w)
{
	int ms = atomic_xchg(&window_ms[w], 0);

	if (!ms)
		return;
	atomic_inc(&windows_entered);
	/* This window is under the map lock. */
	if (w == RINGMAP_WINDOW_USE)
		mdelay(ms);
	else
		msleep(ms);
}

bool ringmap_no_flat(void)
{
	return atomic_read(&window_ms[RINGMAP_WINDOW_READ]);
}

static int window_get(void *data, u64 *val)
{
	*val = atomic_read((atomic_t *)data);
	return 0;
}

static int window_set(void *data, u64 val)
{
	if (val > WINDOW_MAX_MS)
		return -EINVAL;
	static_branch_enable(&ringmap_windows_on);
	atomic_set((atomic_t *)data, val);
	return 0;
}
DEFINE_DEBUGFS_ATTRIBUTE(window_fops, window_get, window_set, "%llu\n");

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS

static struct fault_attr faults[] = {
	[RINGMAP_FAULT_NOTIFIER] = FAULT_ATTR_INITIALIZER,
	[RINGMAP_FAULT_LOOKUP] = FAULT_ATTR_INITIALIZER,
};

bool ringmap_fails(enum ringmap_fault step)
{
	return should_fail(&faults[step], 1);
}

static void faults_init(struct dentry *dir)
{
	static const char * const name[] = {
		[RINGMAP_FAULT_NOTIFIER] = "fail_notifier",
		[RINGMAP_FAULT_LOOKUP] = "fail_lookup",
	};

	for (int i = 0; i < RINGMAP_FAULTS; i++)
		fault_create_debugfs_attr(name[i], dir, &faults[i]);
}

#else

bool ringmap_fails(enum ringmap_fault step)
{
	return false;
}

static void faults_init(struct dentry *dir)
{
}

#endif

void ringmap_windows_init(struct dentry *parent)
{
	static const char * const name[] = {
		[RINGMAP_WINDOW_READ] = "read_ms",
		[RINGMAP_WINDOW_USE] = "use_ms",
		[RINGMAP_WINDOW_FILL] = "fill_ms",
		[RINGMAP_WINDOW_HANDLER] = "handler_ms",
	};
	struct dentry *dir = debugfs_create_dir("windows", parent);

	for (int i = 0; i < RINGMAP_WINDOWS; i++)
		debugfs_create_file(name[i], 0600, dir, &window_ms[i], &window_fops);
	debugfs_create_atomic_t("entered", 0400, dir, &windows_entered);
	faults_init(dir);
}
