/* SPDX-License-Identifier: GPL-2.0-only */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vhost

#if !defined(_TRACE_VHOST_H) || defined(TRACE_HEADER_MULTI_READ)
#define _TRACE_VHOST_H

#include <linux/tracepoint.h>
#include <trace/misc/mmu_notifier.h>

/*
 * "dev" is <opener>-<n>, as in debugfs. vhost_owner shows in whose memory the rings are.
 * Fields have types of C and not u32 and the like, so that tools without BTF know them.
 */

struct vhost_dev;
struct vhost_virtqueue;

#define VHOST_RINGS							\
	EM(VHOST_ADDR_DESC,		"desc")				\
	EM(VHOST_ADDR_AVAIL,		"avail")			\
	EMe(VHOST_ADDR_USED,		"used")

#define VHOST_ACCESSORS							\
	EM(VHOST_ACCESSOR_UACCESS,	"uaccess")			\
	EM(VHOST_ACCESSOR_CHECKED,	"checked")			\
	EMe(VHOST_ACCESSOR_RINGMAP,	"ringmap")

#define VHOST_MODE_REASONS						\
	EM(VHOST_MODE_SET,		"set")				\
	EM(VHOST_MODE_REST,		"rest")				\
	EM(VHOST_MODE_RESTED,		"rested")			\
	EMe(VHOST_MODE_CLOSE,		"close")

#define VHOST_MISSES							\
	EM(VHOST_MISS_ABSENT,		"absent")			\
	EM(VHOST_MISS_INVALIDATING,	"invalidating")			\
	EM(VHOST_MISS_RACED,		"raced")			\
	EM(VHOST_MISS_DEVICE_MEMORY,	"device_memory")		\
	EM(VHOST_MISS_BUSY,		"busy")				\
	EM(VHOST_MISS_NO_MEMORY,	"no_memory")			\
	EM(VHOST_MISS_ELSEWHERE,	"elsewhere")			\
	EM(VHOST_MISS_STRADDLES,	"straddles")			\
	EM(VHOST_MISS_OUTSIDE,		"outside")			\
	EM(VHOST_MISS_RESET,		"reset")			\
	EMe(VHOST_MISS_NO_MM,		"no_mm")

#define VHOST_LOGS							\
	EM(VHOST_LOG_ELEMENTS,		"elements")			\
	EM(VHOST_LOG_INDEX,		"index")			\
	EM(VHOST_LOG_FLAGS,		"flags")			\
	EM(VHOST_LOG_EVENT,		"event")			\
	EMe(VHOST_LOG_DATA,		"data")

#define VHOST_LOCK_OPS							\
	EM(VHOST_LOCK_WAIT,		"wait")				\
	EM(VHOST_LOCK_TAKEN,		"taken")			\
	EM(VHOST_LOCK_TRY_TAKEN,	"try_taken")			\
	EM(VHOST_LOCK_TRY_BUSY,		"try_busy")			\
	EMe(VHOST_LOCK_RELEASED,	"released")

#define VHOST_BUSY_POLL_ENDS						\
	EM(VHOST_BUSY_POLL_DATA,	"data")				\
	EM(VHOST_BUSY_POLL_WORK,	"work")				\
	EM(VHOST_BUSY_POLL_TIMEOUT,	"timeout")			\
	EMe(VHOST_BUSY_POLL_LOCKED,	"locked")

#define VHOST_ACCESSES							\
	EM(VHOST_ACCESS_RO,		"ro")				\
	EM(VHOST_ACCESS_WO,		"wo")				\
	EMe(VHOST_ACCESS_RW,		"rw")

#undef EM
#undef EMe
#define EM(a, b)	TRACE_DEFINE_ENUM(a);
#define EMe(a, b)	TRACE_DEFINE_ENUM(a);

VHOST_RINGS
VHOST_ACCESSORS
VHOST_MODE_REASONS
VHOST_MISSES
VHOST_LOGS
VHOST_LOCK_OPS
VHOST_BUSY_POLL_ENDS
MMU_NOTIFIER_WHYS

#undef EM
#undef EMe
#define EM(a, b)	{ a, b },
#define EMe(a, b)	{ a, b }

#define VHOST_QUEUE_FIELDS						\
		__field(unsigned int,	dev)				\
		__field(int,		opener)				\
		__field(unsigned short,	vq)

#define VHOST_QUEUE_ASSIGN do {						\
		__entry->dev	= vq->dev->ringmap_id;			\
		__entry->opener	= vq->dev->ringmap_opener.pid;		\
		__entry->vq	= vq->ringmap.index;			\
	} while (0)

#define VHOST_QUEUE	"dev=%d-%u vq=%u "
#define VHOST_QUEUE_ARGS __entry->opener, __entry->dev, __entry->vq

/*
 * In whose memory the rings of a device are (0: nobody's), and who opened the device. Emitted
 * when the owner changes, and when somebody reads the file "owner".
 */
TRACE_EVENT(vhost_owner,

	TP_PROTO(const struct vhost_dev *d),

	TP_ARGS(d),

	TP_STRUCT__entry(
		__field(unsigned int,	dev)
		__field(int,		opener)
		__field(int,		owner)
		__array(char,		comm, TASK_COMM_LEN)
		__array(char,		opener_comm, TASK_COMM_LEN)
	),

	TP_fast_assign(
		__entry->dev	= d->ringmap_id;
		__entry->opener	= d->ringmap_opener.pid;
		__entry->owner	= d->ringmap_owner.pid;
		memcpy(__entry->comm, d->ringmap_owner.comm, TASK_COMM_LEN);
		memcpy(__entry->opener_comm, d->ringmap_opener.comm, TASK_COMM_LEN);
	),

	TP_printk("dev=%d-%u owner=%d comm=%s opener_comm=%s", __entry->opener,
		  __entry->dev, __entry->owner, __entry->comm, __entry->opener_comm)
);

DECLARE_EVENT_CLASS(vhost_queue,

	TP_PROTO(const struct vhost_virtqueue *vq),

	TP_ARGS(vq),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
	),

	TP_printk("dev=%d-%u vq=%u", VHOST_QUEUE_ARGS)
);

/* A kick of the driver arrived. */
DEFINE_EVENT(vhost_queue, vhost_kick,
	     TP_PROTO(const struct vhost_virtqueue *vq), TP_ARGS(vq));

/* vhost signals (calls) the driver. */
DEFINE_EVENT(vhost_queue, vhost_call,
	     TP_PROTO(const struct vhost_virtqueue *vq), TP_ARGS(vq));

int vhost_ringmap_trace_reg(void);
void vhost_ringmap_trace_unreg(void);

/*
 * @seq is the queue's sequence. It moves whenever addresses are dropped. A use with
 * sequence s is good if the page was filled after its last drop with a sequence <= s.
 */
DECLARE_EVENT_CLASS(vhost_page,

	TP_PROTO(const struct vhost_virtqueue *vq, int ring, unsigned long page,
		 unsigned long seq),

	TP_ARGS(vq, ring, page, seq),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned char,	ring)
		__field(unsigned int,	page)
		__field(unsigned long,	seq)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->ring	= ring;
		__entry->page	= page;
		__entry->seq	= seq;
	),

	TP_printk(VHOST_QUEUE "ring=%s page=%u seq=%lu", VHOST_QUEUE_ARGS,
		  __print_symbolic(__entry->ring, VHOST_RINGS), __entry->page,
		  __entry->seq)
);

/* The address of a ring's page was installed. Under the map lock. */
DEFINE_EVENT(vhost_page, vhost_map_fill,
	     TP_PROTO(const struct vhost_virtqueue *vq, int ring, unsigned long page,
		      unsigned long seq),
	     TP_ARGS(vq, ring, page, seq));

/*
 * The address of a page was used: by a store, under the map lock, or by a read that was
 * found valid. The read may be some time ago: compare sequences, not times. If a ring uses
 * the same page with the same sequence again, no second event is emitted.
 */
DEFINE_EVENT_FN(vhost_page, vhost_map_use,
		TP_PROTO(const struct vhost_virtqueue *vq, int ring,
			 unsigned long page, unsigned long seq),
		TP_ARGS(vq, ring, page, seq),
		vhost_ringmap_trace_reg, vhost_ringmap_trace_unreg);

/*
 * The current task invalidated the pages @first to @last of a ring; @dropped of them had an
 * address. If @dropped is not 0, this moved the sequence to @seq. Under the map lock.
 */
TRACE_EVENT(vhost_map_drop,

	TP_PROTO(const struct vhost_virtqueue *vq, int ring, unsigned long first,
		 unsigned long last, unsigned long dropped, int cause,
		 unsigned long seq),

	TP_ARGS(vq, ring, first, last, dropped, cause, seq),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned char,	ring)
		__field(unsigned char,	cause)
		__field(unsigned int,	first)
		__field(unsigned int,	last)
		__field(unsigned int,	dropped)
		__field(unsigned long,	seq)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->ring	= ring;
		__entry->cause	= cause;
		__entry->first	= first;
		__entry->last	= last;
		__entry->dropped = dropped;
		__entry->seq	= seq;
	),

	TP_printk(VHOST_QUEUE "ring=%s first=%u last=%u dropped=%u cause=%s seq=%lu",
		  VHOST_QUEUE_ARGS, __print_symbolic(__entry->ring, VHOST_RINGS),
		  __entry->first, __entry->last, __entry->dropped,
		  __print_symbolic(__entry->cause, MMU_NOTIFIER_WHYS),
		  __entry->seq)
);

/*
 * vhost forgot where the rings are: addresses, size or device IOTLB change. The addresses of
 * pages stay, but vhost uses them only if it finds the ring there again. This moved the
 * sequence to @seq. Under the map lock.
 */
TRACE_EVENT(vhost_map_reset,

	TP_PROTO(const struct vhost_virtqueue *vq, unsigned long seq),

	TP_ARGS(vq, seq),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned long,	seq)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->seq	= seq;
	),

	TP_printk(VHOST_QUEUE "seq=%lu", VHOST_QUEUE_ARGS, __entry->seq)
);

/*
 * The notifier of a ring's pages ends, and all its addresses (@dropped) were dropped: the
 * ring is elsewhere, or the accessor changed. This moved the sequence to @seq. Under the map
 * lock.
 */
TRACE_EVENT(vhost_map_release,

	TP_PROTO(const struct vhost_virtqueue *vq, int ring, unsigned long dropped,
		 unsigned long seq),

	TP_ARGS(vq, ring, dropped, seq),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned char,	ring)
		__field(unsigned int,	dropped)
		__field(unsigned long,	seq)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->ring	= ring;
		__entry->dropped = dropped;
		__entry->seq	= seq;
	),

	TP_printk(VHOST_QUEUE "ring=%s dropped=%u seq=%lu", VHOST_QUEUE_ARGS,
		  __print_symbolic(__entry->ring, VHOST_RINGS), __entry->dropped,
		  __entry->seq)
);

/* An access of a queue in ringmap mode uses user access. */
TRACE_EVENT(vhost_fallback,

	TP_PROTO(const struct vhost_virtqueue *vq, int ring, int reason),

	TP_ARGS(vq, ring, reason),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned char,	ring)
		__field(unsigned char,	reason)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->ring	= ring;
		__entry->reason	= reason;
	),

	TP_printk(VHOST_QUEUE "ring=%s reason=%s", VHOST_QUEUE_ARGS,
		  __print_symbolic(__entry->ring, VHOST_RINGS),
		  __print_symbolic(__entry->reason, VHOST_MISSES))
);

/* The accessor that the data path of a queue uses changes. */
TRACE_EVENT(vhost_accessor,

	TP_PROTO(const struct vhost_virtqueue *vq, int from, int to, int why),

	TP_ARGS(vq, from, to, why),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned char,	from)
		__field(unsigned char,	to)
		__field(unsigned char,	why)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->from	= from;
		__entry->to	= to;
		__entry->why	= why;
	),

	TP_printk(VHOST_QUEUE "from=%s to=%s why=%s", VHOST_QUEUE_ARGS,
		  __print_symbolic(__entry->from, VHOST_ACCESSORS),
		  __print_symbolic(__entry->to, VHOST_ACCESSORS),
		  __print_symbolic(__entry->why, VHOST_MODE_REASONS))
);

DECLARE_EVENT_CLASS(vhost_indices,

	TP_PROTO(const struct vhost_virtqueue *vq, unsigned int from,
		 unsigned int to, int accessor),

	TP_ARGS(vq, from, to, accessor),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned short,	from)
		__field(unsigned short,	to)
		__field(unsigned char,	accessor)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->from	= from;
		__entry->to	= to;
		__entry->accessor = accessor;
	),

	TP_printk(VHOST_QUEUE "from=%u to=%u accessor=%s", VHOST_QUEUE_ARGS,
		  __entry->from, __entry->to,
		  __print_symbolic(__entry->accessor, VHOST_ACCESSORS))
);

/* The avail index was read: there are new buffers, from @from to @to - 1. */
DEFINE_EVENT(vhost_indices, vhost_fetch,
	     TP_PROTO(const struct vhost_virtqueue *vq, unsigned int from,
		      unsigned int to, int accessor),
	     TP_ARGS(vq, from, to, accessor));

/* The used index was published; it is now @to. */
DEFINE_EVENT(vhost_indices, vhost_used_idx,
	     TP_PROTO(const struct vhost_virtqueue *vq, unsigned int from,
		      unsigned int to, int accessor),
	     TP_ARGS(vq, from, to, accessor));

/* Used elements were written. */
TRACE_EVENT(vhost_used,

	TP_PROTO(const struct vhost_virtqueue *vq, unsigned int from,
		 unsigned int count, int accessor),

	TP_ARGS(vq, from, count, accessor),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned short,	from)
		__field(unsigned int,	count)
		__field(unsigned char,	accessor)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->from	= from;
		__entry->count	= count;
		__entry->accessor = accessor;
	),

	TP_printk(VHOST_QUEUE "from=%u count=%u accessor=%s", VHOST_QUEUE_ARGS,
		  __entry->from, __entry->count,
		  __print_symbolic(__entry->accessor, VHOST_ACCESSORS))
);

/*
 * @len bytes from @addr were logged as dirty. They belong to the used index @used_idx.
 * @addr is a guest physical address; with a device IOTLB, an offset in the ring.
 */
TRACE_EVENT(vhost_log,

	TP_PROTO(const struct vhost_virtqueue *vq, int what, unsigned int used_idx,
		 unsigned long long addr, unsigned long long len),

	TP_ARGS(vq, what, used_idx, addr, len),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned char,		what)
		__field(unsigned short,		used_idx)
		__field(unsigned long long,	addr)
		__field(unsigned long long,	len)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->what	= what;
		__entry->used_idx = used_idx;
		__entry->addr	= addr;
		__entry->len	= len;
	),

	TP_printk(VHOST_QUEUE "what=%s used_idx=%u addr=%#llx len=%llu",
		  VHOST_QUEUE_ARGS, __print_symbolic(__entry->what, VHOST_LOGS),
		  __entry->used_idx, __entry->addr, __entry->len)
);

/* A virtqueue's mutex, or its map lock. */
DECLARE_EVENT_CLASS(vhost_lock,

	TP_PROTO(const struct vhost_virtqueue *vq, int op, const char *site),

	TP_ARGS(vq, op, site),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned char,	op)
		__string(site,		site)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->op	= op;
		__assign_str(site);
	),

	TP_printk(VHOST_QUEUE "op=%s site=%s", VHOST_QUEUE_ARGS,
		  __print_symbolic(__entry->op, VHOST_LOCK_OPS), __get_str(site))
);

DEFINE_EVENT(vhost_lock, vhost_mutex,
	     TP_PROTO(const struct vhost_virtqueue *vq, int op, const char *site),
	     TP_ARGS(vq, op, site));

int vhost_map_lock_watch(void);
void vhost_map_lock_unwatch(void);

DEFINE_EVENT_FN(vhost_lock, vhost_map_lock,
		TP_PROTO(const struct vhost_virtqueue *vq, int op, const char *site),
		TP_ARGS(vq, op, site),
		vhost_map_lock_watch, vhost_map_lock_unwatch);

/* A queue begins to busy poll, and also looks at the other queue of its device. */
TRACE_EVENT(vhost_busy_poll_begin,

	TP_PROTO(const struct vhost_virtqueue *vq,
		 const struct vhost_virtqueue *other),

	TP_ARGS(vq, other),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned short,	other)
		__field(unsigned int,	timeout)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->other	= other->ringmap.index;
		__entry->timeout = vq->busyloop_timeout;
	),

	TP_printk(VHOST_QUEUE "other=%u timeout=%u", VHOST_QUEUE_ARGS,
		  __entry->other, __entry->timeout)
);

TRACE_EVENT(vhost_busy_poll_end,

	TP_PROTO(const struct vhost_virtqueue *vq,
		 const struct vhost_virtqueue *other, int why),

	TP_ARGS(vq, other, why),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned short,	other)
		__field(unsigned char,	why)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->other	= other->ringmap.index;
		__entry->why	= why;
	),

	TP_printk(VHOST_QUEUE "other=%u why=%s", VHOST_QUEUE_ARGS, __entry->other,
		  __print_symbolic(__entry->why, VHOST_BUSY_POLL_ENDS))
);

/* vhost asks for a translation that the device IOTLB does not have. */
TRACE_EVENT(vhost_iotlb_miss,

	TP_PROTO(const struct vhost_virtqueue *vq, unsigned long long iova,
		 int access),

	TP_ARGS(vq, iova, access),

	TP_STRUCT__entry(
		VHOST_QUEUE_FIELDS
		__field(unsigned long long,	iova)
		__field(unsigned char,		access)
	),

	TP_fast_assign(
		VHOST_QUEUE_ASSIGN;
		__entry->iova	= iova;
		__entry->access	= access;
	),

	TP_printk(VHOST_QUEUE "iova=%#llx access=%s", VHOST_QUEUE_ARGS,
		  __entry->iova, __print_symbolic(__entry->access, VHOST_ACCESSES))
);

/*
 * The device IOTLB changes. The mutexes of @locked of the device's @queues queues are held.
 */
TRACE_EVENT(vhost_iotlb_update,

	TP_PROTO(const struct vhost_dev *d, const struct vhost_iotlb_msg *msg),

	TP_ARGS(d, msg),

	TP_STRUCT__entry(
		__field(unsigned int,		dev)
		__field(int,			opener)
		__field(unsigned long long,	iova)
		__field(unsigned long long,	size)
		__field(unsigned long long,	uaddr)
		__field(unsigned char,		perm)
		__field(unsigned int,		queues)
		__field(unsigned int,		locked)
	),

	TP_fast_assign(
		__entry->dev	= d->ringmap_id;
		__entry->opener	= d->ringmap_opener.pid;
		__entry->iova	= msg->iova;
		__entry->size	= msg->size;
		__entry->uaddr	= msg->uaddr;
		__entry->perm	= msg->perm;
		__entry->queues	= d->nvqs;
		__entry->locked	= vhost_queues_locked(d);
	),

	TP_printk("dev=%d-%u iova=%#llx size=%#llx uaddr=%#llx perm=%s queues=%u locked=%u",
		  __entry->opener, __entry->dev, __entry->iova, __entry->size,
		  __entry->uaddr, __print_symbolic(__entry->perm, VHOST_ACCESSES),
		  __entry->queues, __entry->locked)
);

TRACE_EVENT(vhost_iotlb_invalidate,

	TP_PROTO(const struct vhost_dev *d, const struct vhost_iotlb_msg *msg),

	TP_ARGS(d, msg),

	TP_STRUCT__entry(
		__field(unsigned int,		dev)
		__field(int,			opener)
		__field(unsigned long long,	iova)
		__field(unsigned long long,	size)
		__field(unsigned int,		queues)
		__field(unsigned int,		locked)
	),

	TP_fast_assign(
		__entry->dev	= d->ringmap_id;
		__entry->opener	= d->ringmap_opener.pid;
		__entry->iova	= msg->iova;
		__entry->size	= msg->size;
		__entry->queues	= d->nvqs;
		__entry->locked	= vhost_queues_locked(d);
	),

	TP_printk("dev=%d-%u iova=%#llx size=%#llx queues=%u locked=%u",
		  __entry->opener, __entry->dev, __entry->iova, __entry->size,
		  __entry->queues, __entry->locked)
);

#undef EM
#undef EMe
#endif /* _TRACE_VHOST_H */

#include <trace/define_trace.h>
