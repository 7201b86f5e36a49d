/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of vhost, and functions that take and release a virtqueue's mutex with
 * tracepoints around it. Without CONFIG_VHOST_TRACE only the mutex remains.
 */
#ifndef _VHOST_TRACE_H
#define _VHOST_TRACE_H

#include "vhost.h"

/* Why a queue's mode changes. */
enum vhost_mode_reason {
	VHOST_MODE_SET,		/* somebody set the accessor */
	VHOST_MODE_REST,	/* fills failed: user access for a while */
	VHOST_MODE_RESTED,	/* try to map again */
	VHOST_MODE_CLOSE,
};

/* What a write to the dirty log covers. */
enum vhost_log_what {
	VHOST_LOG_ELEMENTS,
	VHOST_LOG_INDEX,
	VHOST_LOG_FLAGS,
	VHOST_LOG_EVENT,
	VHOST_LOG_DATA,
};

enum vhost_lock_op {
	VHOST_LOCK_WAIT,	/* held by another: waits */
	VHOST_LOCK_TAKEN,
	VHOST_LOCK_TRY_TAKEN,	/* taken by a trylock */
	VHOST_LOCK_TRY_BUSY,
	VHOST_LOCK_RELEASED,
};

enum vhost_busy_poll_end {
	VHOST_BUSY_POLL_DATA,
	VHOST_BUSY_POLL_WORK,
	VHOST_BUSY_POLL_TIMEOUT,
	VHOST_BUSY_POLL_LOCKED,	/* the other queue was busy */
};

#ifdef CONFIG_VHOST_TRACE

/* How many queues of a device have their mutex held, by anybody. */
static inline unsigned int vhost_queues_locked(const struct vhost_dev *d)
{
	unsigned int n = 0;
	int i;

	for (i = 0; i < d->nvqs; i++)
		n += mutex_is_locked(&d->vqs[i]->mutex);
	return n;
}

#include <trace/events/vhost.h>

#define vhost_trace(event, ...)		trace_vhost_##event(__VA_ARGS__)
#define vhost_trace_enabled(event)	trace_vhost_##event##_enabled()
/* Code that only tracing needs. */
#define vhost_traced(...)		__VA_ARGS__

#define vhost_vq_lock_nested(vq, subclass)				\
do {									\
	struct vhost_virtqueue *__vq = (vq);				\
									\
	if (vhost_trace_enabled(mutex) && mutex_is_locked(&__vq->mutex)) \
		vhost_trace(mutex, __vq, VHOST_LOCK_WAIT, __func__);	\
	mutex_lock_nested(&__vq->mutex, subclass);			\
	vhost_trace(mutex, __vq, VHOST_LOCK_TAKEN, __func__);		\
} while (0)

#define vhost_vq_lock(vq)	vhost_vq_lock_nested(vq, 0)

#define vhost_vq_trylock(vq)						\
({									\
	struct vhost_virtqueue *__vq = (vq);				\
	int __taken = mutex_trylock(&__vq->mutex);			\
									\
	vhost_trace(mutex, __vq, __taken ? VHOST_LOCK_TRY_TAKEN :	\
		    VHOST_LOCK_TRY_BUSY, __func__);			\
	__taken;							\
})

#define vhost_vq_unlock(vq)						\
do {									\
	struct vhost_virtqueue *__vq = (vq);				\
									\
	vhost_trace(mutex, __vq, VHOST_LOCK_RELEASED, __func__);	\
	mutex_unlock(&__vq->mutex);					\
} while (0)

#else /* !CONFIG_VHOST_TRACE */

#define vhost_trace(event, ...)		((void)0)
#define vhost_trace_enabled(event)	false
#define vhost_traced(...)

#define vhost_vq_lock_nested(vq, subclass) \
	mutex_lock_nested(&(vq)->mutex, subclass)
#define vhost_vq_lock(vq)		mutex_lock(&(vq)->mutex)
#define vhost_vq_trylock(vq)		mutex_trylock(&(vq)->mutex)
#define vhost_vq_unlock(vq)		mutex_unlock(&(vq)->mutex)

#endif /* CONFIG_VHOST_TRACE */
#endif /* _VHOST_TRACE_H */
