/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * Commands of /dev/test_mmu_notifier, for tools/testing/selftests/mmu_notifier.
 */
#ifndef _LIB_TEST_MMU_NOTIFIER_UAPI_H
#define _LIB_TEST_MMU_NOTIFIER_UAPI_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Kinds of subscribers */
#define TEST_MN_INTERVAL	0
#define TEST_MN_MM		1	/* whole mm; looks at ranges in its own */

/* Guarantees: the MMU_KEEPS_* in the same order, from bit 0 on */
#define TEST_MN_KEEPS_MAPPED	1
#define TEST_MN_KEEPS_READ	2
#define TEST_MN_KEEPS_WRITE	4
#define TEST_MN_KEEPS_ALL	7

/* Where a subscriber can be held, once */
#define TEST_MN_HOLD_CALLBACK	1	/* in a callback that may block */
#define TEST_MN_HOLD_FILL	2	/* in a fill, before it is validated */

/**
 * struct test_mn_add - subscribe
 * @addr: first byte, page aligned
 * @len: bytes, whole pages, at most 4096 of them
 * @needs: TEST_MN_KEEPS_*; 0 to need everything
 * @kind: TEST_MN_INTERVAL or TEST_MN_MM
 * @id: out: identifies the subscriber in other commands
 */
struct test_mn_add {
	__u64 addr;
	__u64 len;
	__u32 needs;
	__u32 kind;
	__u32 id;
	__u32 pad;
};

/**
 * struct test_mn_access - fill or use kernel addresses of a subscriber's pages
 * @addr: user address of the 8 aligned bytes to access; unused by a fill
 * @value: value to store, or out: value loaded, or number of pages filled
 * @id: subscriber
 * @write: fill for writing
 *
 * A load or store fails with ENODATA if there is no address, because it was not filled or
 * because an invalidation told the subscriber to drop it. TEST_MN_FRAME fails in the same
 * way; its value is the page frame number.
 */
struct test_mn_access {
	__u64 addr;
	__u64 value;
	__u32 id;
	__u32 write;
};

/**
 * struct test_mn_info - what a subscriber saw
 * @id: subscriber
 * @active: ranges started and not yet ended (whole mm only)
 * @calls: callbacks at the start of a range that overlaps its own
 * @causes: bit set of the causes of these calls, by enum mmu_notifier_cause
 * @seq: sequence of the interval subscription. Just after an insert with no
 *	range active, one less than that of the mm.
 * @dropped: pages dropped
 * @retries: fills that collided
 */
struct test_mn_info {
	__u32 id;
	__u32 active;
	__u64 calls;
	__u64 causes;
	__u64 seq;
	__u64 dropped;
	__u64 retries;
};

/**
 * struct test_mn_hold - hold a window open
 * @id: subscriber
 * @point: TEST_MN_HOLD_*, or 0 to hold this task, which cannot be killed meanwhile
 * @ms: milliseconds, at most 10000
 */
struct test_mn_hold {
	__u32 id;
	__u32 point;
	__u32 ms;
	__u32 pad;
};

/**
 * struct test_mn_emit - invalidate a range in which nothing changes
 * @addr: first byte, page aligned
 * @len: bytes
 * @keeps: TEST_MN_KEEPS_* that the range promises
 * @count: how often
 */
struct test_mn_emit {
	__u64 addr;
	__u64 len;
	__u32 keeps;
	__u32 count;
};

/* TEST_MN_PROTECT: struct test_mn_access.addr: write protect the file page there */
#define TEST_MN_ADD	_IOWR('n', 0, struct test_mn_add)
#define TEST_MN_REMOVE	_IOW('n', 1, __u32)
#define TEST_MN_FILL	_IOWR('n', 2, struct test_mn_access)
#define TEST_MN_LOAD	_IOWR('n', 3, struct test_mn_access)
#define TEST_MN_STORE	_IOWR('n', 4, struct test_mn_access)
#define TEST_MN_INFO	_IOWR('n', 5, struct test_mn_info)
#define TEST_MN_HOLD	_IOW('n', 6, struct test_mn_hold)
#define TEST_MN_PROTECT	_IOWR('n', 7, struct test_mn_access)
#define TEST_MN_EMIT	_IOW('n', 8, struct test_mn_emit)
#define TEST_MN_FRAME	_IOWR('n', 9, struct test_mn_access)

#endif /* _LIB_TEST_MMU_NOTIFIER_UAPI_H */
