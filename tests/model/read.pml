/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * read.pml: vhost reads a ring without a lock while the ring's page is migrated.
 *
 * The protocol
 *
 *	worker					callback, under the lock
 *	------					------------------------
 *	s = smp_load_acquire(&seq)	(A)	WRITE_ONCE(ptr, NULL)
 *	p = READ_ONCE(ptr)		(B)	smp_store_release(&seq, seq + 1)   (E)
 *	no p: user access			smp_mb()                           (F)
 *	v = *p, may fault		(C)
 *	smp_rmb()			(D)	fill, under the lock
 *	seq != s: throw v away			--------------------
 *	else use v				the notifier's sequence has not moved
 *						smp_store_release(&ptr, page)      (G)
 *
 * Only the callback moves the sequence (and who moves the ring: region.pml). It first
 * clears the address, then moves the sequence, then waits until both have reached every
 * CPU. After that the page tables change, and the page is freed.
 *
 * Why what is used is never of the page's next owner
 *
 * - The next owner stores after (F). So whoever reads one of its stores reads it when the
 *   new sequence has reached every CPU. That needs (F) to be a full barrier: the next owner
 *   may be any CPU, and may have learnt that the page is free from any other.
 * - So if v is of the next owner, the look after (D) finds the new sequence. (D) pairs
 *   with (F).
 * - v is used only if (A) found the new sequence, too. Then (B) finds the address cleared:
 *   (A) pairs with (E). Or it finds what a fill has installed later.
 * - A fill installs what the page tables have. It looks at the notifier's sequence under
 *   the lock: either that has moved, or the callback comes later and clears the address.
 * - A fill of the same page again (it came back) is a later store of the address. (G)
 *   pairs with the address dependency from (B) to (C): what was in the page when the fill
 *   found it is seen by whoever uses the address. So is a page that is new.
 * - The sequence must not come round between (A) and (D), where the worker may be preempted.
 *   An unsigned long does not.
 *
 * If the sequence moves first and the address is cleared then, a worker finds the new
 * sequence, the old address and, later, the same sequence again. It uses what the next
 * owner wrote. No barrier mends that.
 *
 * Why what is used is not too old
 *
 * The driver writes a buffer, smp_wmb(), and the avail index. The worker reads the index,
 * smp_rmb(), then the buffer. If the driver wrote to the page's successor, then (F) was
 * before that. So the new sequence and the cleared address come with the index, and the
 * worker throws away what it reads from the old page. Here, too, (F) must be a full
 * barrier. smp_wmb() orders own stores only, and those of the callback and those of the
 * driver are not the same CPU's: between them is a page fault.
 *
 * The worker may take sequence and address before it reads the index, and look at the
 * sequence once for both (+kept).
 *
 * CHANGES leaves out: -acquire (A), -dependency (B to C), -rmb (D), -release (E), -mb (F),
 * -fill-release (G), -fill-check (the notifier's sequence), -idx-rmb (between index and
 * buffer), -driver-wmb; -clear-first: the sequence moves first. It adds: +mb-is-wmb (F),
 * +kept, +other-cpu: not the callback's CPU uses the page next, but another one. +fresh
 * asserts that nothing is too old, instead of that nothing is garbage. +cover: is a buffer
 * never used that the driver wrote before two migrations?
 */
#define CPUS	5
#define PLACES	5
#define STORES	6
#include "cpu.pml"

#define WORKER	0
#define MM	1	/* migrates the ring's page to another page, and back */
#define OTHER	2
#define FILLER	3	/* a fill need not be the worker's: vhost-scsi signals by itself */
#define DRIVER	4

#define SEQ	0
#define PTR	1	/* 0: none; 1 and 2: the pages */
#define PAGE	2	/* and 3 */
#define IDX	4	/* in a page that stays */

/* A page holds version 0 or 1 of the buffer, or what is not the ring's. */
#define GARBAGE	9

#define NOWHERE	2

bool acquire, dependency, rmb, release, mb, fill_release, fill_check, idx_rmb, driver_wmb;
bool clear_first, mb_is_wmb, kept, other_cpu, fresh, cover;

/* What mm orders well: page tables, shootdown, the notifier's sequence, free pages */
bool moving, freed[2], returned[2];
byte mapped, sub_seq;
int moved_passed, mapped_passed, freed_passed, returned_passed;

/*
 * A CPU that only loads has no effect on the others, and what it could have read earlier
 * it may read later, too. So it may as well run last: see init.
 */
proctype worker()
{
	byte i, s, s2, p, v;
	int dep;

	if
	:: kept -> skip
	:: else ->
		load(WORKER, IDX, i);
		WHEN(idx_rmb, smp_rmb(WORKER))
	fi;
	EITHER(acquire, load_acquire(WORKER, SEQ, s), load(WORKER, SEQ, s));
	load_dep(WORKER, PTR, p, dep);
	if
	:: kept ->
		load(WORKER, IDX, i);
		WHEN(idx_rmb, smp_rmb(WORKER))
	:: else
	fi;
	if
	:: p ->
		WHEN(!dependency, dep = 0);
		load_dep(WORKER, PAGE + p - 1, v, dep);
		WHEN(rmb, smp_rmb(WORKER));
		load(WORKER, SEQ, s2);
		if
		:: s2 != s	/* user access */
		:: else ->
			assert(fresh || cover || v != GARBAGE);
			assert(!fresh || v == GARBAGE || v >= i);
			assert(!cover || s != 2 || i != 1 || v != 1)
		fi
	:: else			/* user access */
	fi
}

inline callback(new)
{
	spin_lock(MM);
	sub_seq = new;	/* mmu_interval_set_seq() */
	WHEN(clear_first, store(MM, PTR, 0));
	EITHER(release, store_release(MM, SEQ, new), store(MM, SEQ, new));
	WHEN(!clear_first, store(MM, PTR, 0));
	spin_unlock(MM);
	if
	:: mb && !mb_is_wmb -> smp_mb(MM)
	:: mb && mb_is_wmb -> smp_wmb(MM)
	:: else
	fi
}

proctype mm()
{
	byte old, times, v;

	do
	:: times == 2 -> break
	:: else ->
		times++;
		old = mapped;
		moving = true;
		callback(times);
		/* The shootdown: nobody writes to the old page any more. */
		atomic { mapped = NOWHERE; TAKE(MM, ALL(DRIVER)) }
		if
		:: times == 2 && other_cpu ->
			atomic { returned[1 - old]; TAKE(MM, returned_passed) }
		:: else
		fi;
		load(MM, PAGE + old, v);
		store(MM, PAGE + 1 - old, v);
		v = 0;
		if
		:: other_cpu -> atomic { GIVE(MM, freed_passed); freed[old] = true }
		:: else -> store(MM, PAGE + old, GARBAGE)
		fi;
		atomic { GIVE(MM, mapped_passed); mapped = 1 - old }
		atomic { GIVE(MM, moved_passed); moving = false }
	od
}

proctype other()
{
	byte page;

	do
	:: page == 2 || !other_cpu -> break
	:: else ->
		atomic { freed[page]; TAKE(OTHER, freed_passed) }
		store(OTHER, PAGE + page, GARBAGE);
		atomic { GIVE(OTHER, returned_passed); returned[page] = true }
		page++
	od
}

proctype filler()
{
	byte times, s, page;

	do
	:: times == 2 -> break
	:: else ->
		times++;
		/* mmu_interval_read_begin(), and what the page tables have */
		atomic { !moving; TAKE(FILLER, moved_passed); s = sub_seq }
		atomic { page = mapped; seen[FILLER] = seen[FILLER] | mapped_passed }
		if
		:: page != NOWHERE ->
			spin_lock(FILLER);
			if
			:: fill_check && s != sub_seq	/* mmu_interval_read_retry() */
			:: LATEST(PTR)			/* there is one */
			:: else ->
				EITHER(fill_release, store_release(FILLER, PTR, page + 1),
				       store(FILLER, PTR, page + 1))
			fi;
			spin_unlock(FILLER)
		:: else
		fi;
		d_step { s = 0; page = 0 }
	od
}

proctype driver()
{
	atomic {
		mapped != NOWHERE;
		TAKE(DRIVER, mapped_passed);
		store(DRIVER, PAGE + mapped, 1)
	}
	WHEN(driver_wmb, smp_wmb(DRIVER));
	store(DRIVER, IDX, 1)
}

init {
	atomic {
		c_code {
			now.acquire = !given("-acquire");
			now.dependency = !given("-dependency");
			now.rmb = !given("-rmb");
			now.release = !given("-release");
			now.mb = !given("-mb");
			now.fill_release = !given("-fill-release");
			now.fill_check = !given("-fill-check");
			now.idx_rmb = !given("-idx-rmb");
			now.driver_wmb = !given("-driver-wmb");
			now.clear_first = !given("-clear-first");
			now.mb_is_wmb = given("+mb-is-wmb");
			now.kept = given("+kept");
			now.other_cpu = given("+other-cpu");
			now.fresh = given("+fresh");
			now.cover = given("+cover");
			all_given();
		};
		value[CELL(PAGE + 1, 0)] = GARBAGE;
		value[CELL(PTR, 0)] = 1;
		run mm(); run other(); run filler(); run driver()
	}
	atomic { _nr_pr == 1; run worker() }
}
