/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests: delays that hold a race window open, and steps that fail on command.
 */
#ifndef _VHOST_RINGMAP_WINDOWS_H
#define _VHOST_RINGMAP_WINDOWS_H

#include <linux/jump_label.h>
#include <linux/types.h>

struct dentry;

/**
 * enum ringmap_window - places where a race can happen
 * @RINGMAP_WINDOW_READ: between the sequence and the loads of a read
 * @RINGMAP_WINDOW_USE: between the lookup of an address and the stores through it
 * @RINGMAP_WINDOW_FILL: between the lookup of a page and its installation
 * @RINGMAP_WINDOW_HANDLER: under the queue's mutex, between taking buffers and
 *	publishing them
 * @RINGMAP_WINDOWS: number of windows
 */
enum ringmap_window {
	RINGMAP_WINDOW_READ,
	RINGMAP_WINDOW_USE,
	RINGMAP_WINDOW_FILL,
	RINGMAP_WINDOW_HANDLER,
	RINGMAP_WINDOWS,
};

/* Steps that can be made to fail. A failure must cost nothing but time. */
enum ringmap_fault {
	RINGMAP_FAULT_NOTIFIER,
	RINGMAP_FAULT_LOOKUP,
	RINGMAP_FAULTS,
};

#ifdef CONFIG_VHOST_RINGMAP_WINDOWS

DECLARE_STATIC_KEY_FALSE(ringmap_windows_on);

void __ringmap_window(enum ringmap_window w);
bool ringmap_fails(enum ringmap_fault step);
void ringmap_windows_init(struct dentry *parent);

/* Delay here once, if a test asked for it. */
static __always_inline void ringmap_window(enum ringmap_window w)
{
	if (static_branch_unlikely(&ringmap_windows_on))
		__ringmap_window(w);
}

/* Only reads page by page have a window. While it is armed, no ring counts as flat. */
bool ringmap_no_flat(void);

#else

static inline void ringmap_window(enum ringmap_window w) {}
static inline bool ringmap_fails(enum ringmap_fault step) { return false; }
static inline void ringmap_windows_init(struct dentry *parent) {}
static inline bool ringmap_no_flat(void) { return false; }

#endif /* CONFIG_VHOST_RINGMAP_WINDOWS */
#endif /* _VHOST_RINGMAP_WINDOWS_H */
