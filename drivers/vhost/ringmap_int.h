/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Declarations that the parts of ringmap share. ringmap.c has the data path, ringmap_map.c
 * fills and drops addresses, ringmap_control.c has the files and times the map lock.
 */
#ifndef _VHOST_RINGMAP_INT_H
#define _VHOST_RINGMAP_INT_H

#include <linux/jump_label.h>
#include <linux/lockdep.h>
#include <linux/spinlock.h>

#include "ringmap.h"
#include "ringmap_windows.h"
#include "trace.h"

/* On while somebody measures how long the map lock is held, or traces it */
DECLARE_STATIC_KEY_FALSE(ringmap_lock_watched);

void ringmap_lock_watch(struct vhost_ringmap *rm, const char *site)
	__acquires(&rm->lock);
void ringmap_unlock_watch(struct vhost_ringmap *rm, const char *site);

static __always_inline void __ringmap_lock(struct vhost_ringmap *rm, const char *site)
	__acquires(&rm->lock)
{
	if (static_branch_unlikely(&ringmap_lock_watched))
		ringmap_lock_watch(rm, site);
	else
		spin_lock(&rm->lock);
}

static __always_inline void __ringmap_unlock(struct vhost_ringmap *rm, const char *site)
	__releases(&rm->lock)
{
	if (static_branch_unlikely(&ringmap_lock_watched))
		ringmap_unlock_watch(rm, site);
	spin_unlock(&rm->lock);
}

#define ringmap_lock(rm)	__ringmap_lock(rm, __func__)
#define ringmap_unlock(rm)	__ringmap_unlock(rm, __func__)

static inline struct vhost_virtqueue *ringmap_vq(struct vhost_ringmap *rm)
{
	return container_of(rm, struct vhost_virtqueue, ringmap);
}

enum vhost_miss ringmap_fill(struct vhost_virtqueue *vq, int type, unsigned long off,
			     unsigned long size);
void ringmap_set_mode(struct vhost_ringmap *rm, int mode, int why);
void ringmap_set_accessor(struct vhost_ringmap *rm, int accessor, int why);

void ringmap_first_notifier(struct vhost_ringmap *rm);
void ringmap_control_init(void);
void ringmap_control_exit(void);

#endif /* _VHOST_RINGMAP_INT_H */
