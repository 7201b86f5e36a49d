/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * table.pml: the table of addresses is replaced and freed while it is read.
 *
 *	reader					ioctl
 *	------					-----
 *	rcu_read_lock()				under the lock:
 *	s = smp_load_acquire(&seq)		  the new table's entries
 *	t = rcu_dereference(table)		  rcu_assign_pointer(table)
 *	p = t->entry				  smp_store_release(&seq, seq + 1)
 *	v = *p, smp_rmb(), seq as in read.pml	smp_mb()
 *	rcu_read_unlock()			after a grace period: the old table is freed
 *
 * Meanwhile the page that the old table has is unmapped. The callback clears the entry of
 * the table that is current, and only of that one. A reader that still has the old table
 * then has a stale address. But it has an old sequence, too: under the lock, table and
 * sequence move one after the other, and who has acquired what the callback stored there
 * has the new table.
 *
 * What comes from a freed table is no address at all. To load from there is wrong even if
 * nobody uses the value: that needs the grace period. A grace period is what RCU promises:
 * who was reading when it began has ended, and who begins to read later knows all that
 * was stored before.
 *
 * The sequence need not move with the table as long as the callback comes. It must where
 * the notifier goes (+removed): then nobody else moves it when the page is unmapped, and
 * the full barrier is the ioctl's to do, before it removes the notifier. Or it removes the
 * notifier after the grace period (+late).
 *
 * CHANGES leaves out: -rcu-read-lock, -grace-period, -assign (its release), -ioctl-lock,
 * -bump (the ioctl's move), -ioctl-mb, -callback-mb. It adds: +copied (the new table has
 * the old one's entry), +removed, +late. +cover: is the new table never read?
 */
#define CPUS	3
#define PLACES	5
#define STORES	3
#include "cpu.pml"

#define READER	0
#define IOCTL	1
#define MM	2

#define SEQ	0
#define TABLE	1	/* 0 or 1: which of the next two */
#define ENTRY	2	/* and 3: the entry of each table */
#define PAGE	4

#define GARBAGE	9

bool rcu, grace, assign, ioctl_lock, bump, ioctl_mb, callback_mb, copied, removed, late, cover;
bool reading, called, gone;
int grace_passed, gone_passed;

proctype reader()
{
	byte s, s2, t, p, v;
	int dep;

	atomic {
		reading = rcu;
		TAKE(READER, grace_passed)
	}
	load_acquire(READER, SEQ, s);
	load_dep(READER, TABLE, t, dep);
	load_dep(READER, ENTRY + t, p, dep);
	assert(p != GARBAGE);
	if
	:: p ->
		load_dep(READER, PAGE, v, dep);
		smp_rmb(READER);
		load(READER, SEQ, s2);
		assert(s2 != s || v != GARBAGE)
	:: else -> assert(!(cover && t == 1))
	fi;
	atomic {
		GIVE(READER, grace_passed);
		reading = false
	}
}

/* Moves the sequence by one; the caller holds the lock. */
inline move(cpu)
{
	store_release(cpu, SEQ, LATEST(SEQ) + 1)
}

/* mmu_interval_notifier_remove() */
inline remove()
{
	atomic { !called; GIVE(IOCTL, gone_passed); gone = true }
}

proctype ioctl()
{
	bool wait;
	byte p;

	WHEN(ioctl_lock, spin_lock(IOCTL));
	WHEN(copied, load(IOCTL, ENTRY, p));
	store(IOCTL, ENTRY + 1, p);
	EITHER(assign, store_release(IOCTL, TABLE, 1), store(IOCTL, TABLE, 1));
	WHEN(bump, move(IOCTL));
	WHEN(ioctl_lock, spin_unlock(IOCTL));
	WHEN(ioctl_mb, smp_mb(IOCTL));
	WHEN(removed && !late, remove());
	if
	:: grace ->
		atomic { GIVE(IOCTL, grace_passed); wait = reading }
		atomic { !wait || !reading; TAKE(IOCTL, grace_passed) }
	:: else
	fi;
	store(IOCTL, ENTRY, GARBAGE);
	WHEN(removed && late, remove())
}

proctype mm()
{
	byte t;

	if
	:: atomic { !gone -> called = true }
		spin_lock(MM);
		load(MM, TABLE, t);
		store(MM, ENTRY + t, 0);
		move(MM);
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
			now.rcu = !given("-rcu-read-lock");
			now.grace = !given("-grace-period");
			now.assign = !given("-assign");
			now.ioctl_lock = !given("-ioctl-lock");
			now.bump = !given("-bump");
			now.ioctl_mb = !given("-ioctl-mb");
			now.callback_mb = !given("-callback-mb");
			now.copied = given("+copied");
			now.removed = given("+removed");
			now.late = given("+late");
			now.cover = given("+cover");
			all_given();
		};
		value[CELL(ENTRY, 0)] = 1;
		value[CELL(ENTRY + 1, 0)] = GARBAGE;
		run reader(); run ioctl(); run mm()
	}
}
