/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * region.pml: a ring is moved to other pages while it is read page by page.
 *
 *	reader					ioctl
 *	------					-----
 *	s = smp_load_acquire(&seq)		under the lock:
 *	l = smp_load_acquire(&len)		  len = 0
 *	o = offset				  entry = NULL
 *	p = entry				  smp_store_release(&seq, seq + 1)
 *	v = *p, smp_rmb(), seq as in read.pml	smp_mb()
 *						the notifier is removed, another one inserted
 *						under the lock:
 *						  smp_store_release(&offset, new)
 *						  smp_store_release(&len, new)
 *						  smp_store_release(&entry, new page)
 *
 * A reader may combine what it finds of the old place and of the new one. It must notice:
 * an old offset in the new page is another entry of the ring, or none of it.
 *
 * Meanwhile the old page is unmapped and goes to somebody else. The callback clears the
 * entry and moves the sequence, if there still is one. When the notifier is gone, nobody
 * tells: that is what the ioctl's full barrier is for.
 *
 * A ring may also stay on its pages, but at another offset (+in-place). A reset then only
 * sets the length to 0 and moves the sequence, without a full barrier. The worker, on
 * another CPU, stores the new offset and the new length.
 *
 * CHANGES leaves out: -clear (the ioctl's), -bump (its move of the sequence), -ioctl-mb,
 * -callback-mb, -len (its release), -offset (the same), -len-acquire. +cover: is the new
 * page, or the new offset, never used?
 */
#define CPUS	3
#define PLACES	5
#define STORES	3
#include "cpu.pml"

#define READER	0
#define IOCTL	1
#define MM	2
#define WORKER	2	/* there is no mm then */

#define SEQ	0
#define LEN	1	/* 1: of the old place, 2: of the new one */
#define OFFSET	2	/* 0: of the old place, 1: of the new one */
#define ENTRY	3	/* 0: none */
#define PAGE	4	/* the old one */

#define OLD	1
#define NEW	2
#define GARBAGE	9

bool clear, bump, ioctl_mb, callback_mb, len_release, offset_release, len_acquire;
bool in_place, cover, called, gone;
int gone_passed;

proctype reader()
{
	byte s, s2, l, o, p, v;
	int dep;

	load_acquire(READER, SEQ, s);
	EITHER(len_acquire, load_acquire(READER, LEN, l), load(READER, LEN, l));
	load(READER, OFFSET, o);
	load_dep(READER, ENTRY, p, dep);
	if
	:: l && p ->
		WHEN(p == OLD, load_dep(READER, PAGE, v, dep));
		smp_rmb(READER);
		load(READER, SEQ, s2);
		if
		:: s2 == s ->
			assert(v != GARBAGE);
			assert(l == 1 + o);
			assert(in_place || (p == NEW) == o);
			assert(!(cover && o))
		:: else
		fi
	:: else
	fi
}

/* Moves the sequence by one; the caller holds the lock. */
inline move(cpu)
{
	store_release(cpu, SEQ, LATEST(SEQ) + 1)
}

/* Stores the new place; the caller holds the lock. */
inline locate(cpu)
{
	EITHER(offset_release, store_release(cpu, OFFSET, 1), store(cpu, OFFSET, 1));
	EITHER(len_release, store_release(cpu, LEN, 2), store(cpu, LEN, 2))
}

proctype ioctl()
{
	spin_lock(IOCTL);
	store(IOCTL, LEN, 0);
	WHEN(clear && !in_place && LATEST(ENTRY), store(IOCTL, ENTRY, 0));
	WHEN(bump, move(IOCTL));
	gone = in_place;
	spin_unlock(IOCTL);
	if :: in_place -> goto done :: else fi;
	WHEN(ioctl_mb, smp_mb(IOCTL));
	/* mmu_interval_notifier_remove() */
	atomic { !called; GIVE(IOCTL, gone_passed); gone = true };
	spin_lock(IOCTL);
	locate(IOCTL);
	store_release(IOCTL, ENTRY, NEW);
	spin_unlock(IOCTL);
done:	skip
}

proctype worker()
{
	gone;
	spin_lock(WORKER);
	locate(WORKER);
	spin_unlock(WORKER)
}

proctype mm()
{
	if
	:: atomic { !gone -> called = true }
		spin_lock(MM);
		if
		:: LATEST(ENTRY) ->
			store(MM, ENTRY, 0);
			move(MM)
		:: else
		fi;
		spin_unlock(MM);
		WHEN(callback_mb, smp_mb(MM));
		called = false
	:: atomic { gone -> TAKE(MM, gone_passed) }
	fi;
	store(MM, PAGE, GARBAGE)
}

init {
	atomic {
		c_code {
			now.clear = !given("-clear");
			now.bump = !given("-bump");
			now.ioctl_mb = !given("-ioctl-mb");
			now.callback_mb = !given("-callback-mb");
			now.len_release = !given("-len");
			now.offset_release = !given("-offset");
			now.in_place = given("+in-place");
			now.len_acquire = !given("-len-acquire");
			now.cover = given("+cover");
			all_given();
		};
		value[CELL(LEN, 0)] = 1;
		value[CELL(ENTRY, 0)] = OLD;
		run reader();
		run ioctl();
		if :: in_place -> run worker() :: else -> run mm() fi
	}
}
