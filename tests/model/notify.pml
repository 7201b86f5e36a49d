/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * notify.pml: no kick and no interrupt is lost, while the avail ring's page is migrated.
 *
 *	device, under the lock			driver
 *	----------------------			------
 *	used elements				avail index
 *	smp_wmb()			(A)	smp_mb()			(C)
 *	used index				look at avail_event: kick?
 *	avail_event, the request for a kick	...
 *	smp_mb()			(B)	used_event
 *						smp_mb()			(D)
 *	device, without the lock		look at the used index
 *	------------------------		smp_rmb()			(E)
 *	look at used_event: interrupt?		used elements
 *	look at the avail index: sleep?
 *
 * - (A) pairs with (E): who sees the index sees the elements.
 * - (B) pairs with (C). Each side stores, then loads, and a full barrier is between. So
 *   at least one sees what the other stored: the device does not sleep without a kick.
 * - (B) pairs with (D), too: the driver does not sleep without an interrupt.
 *
 * The device looks as in read.pml. What the sequence does not confirm is done again by
 * user access, as vhost always did. That is not modelled: it counts as "more is there".
 *
 * The driver stores to the page that is mapped. When this is the new page and the driver
 * sees no request, (C) was before (B). The new sequence reached the driver with the page
 * fault, and so every CPU with (C), and the device with (B). It does not take the index in
 * the old page for the last one. So here it is not the callback's barrier that counts.
 *
 * CHANGES leaves out: -wmb (A), -mb (B), -kick-mb (C), -event-mb (D), -driver-rmb (E),
 * -callback-mb, -migration. +kick and +interrupt assert only that. +cover: do the device,
 * with a kick to come, and the driver, with the elements seen, never both get there?
 */
#define CPUS	3
#define PLACES	8
#define STORES	3
#include "cpu.pml"

#define DEVICE	0
#define DRIVER	1
#define MM	2

#define SEQ		0
#define PTR		1
#define AVAIL		2	/* and 3: the avail index in the old and in the new page */
#define AVAIL_EVENT	4
#define ELEMENT		5
#define USED		6
#define USED_EVENT	7

#define NOWHERE	2

bool wmb, mb, kick_mb, event_mb, driver_rmb, callback_mb, migrates;
bool only_kick, only_interrupt, cover;
byte mapped, avail, event, kick, used;
int mapped_passed;

proctype device()
{
	byte s, s2, p, v;
	int dep;

	store(DEVICE, ELEMENT, 1);
	WHEN(wmb, smp_wmb(DEVICE));
	store(DEVICE, USED, 1);
	store(DEVICE, AVAIL_EVENT, 1);
	WHEN(mb, smp_mb(DEVICE));
	_nr_pr == 2;	/* It only loads from here on: as in read.pml, it may run last. */
	load(DEVICE, USED_EVENT, event);
	load_acquire(DEVICE, SEQ, s);
	load_dep(DEVICE, PTR, p, dep);
	avail = 1;
	if
	:: p ->
		load_dep(DEVICE, AVAIL + p - 1, v, dep);
		smp_rmb(DEVICE);
		load(DEVICE, SEQ, s2);
		if
		:: s2 == s -> avail = v
		:: else
		fi
	:: else
	fi
}

proctype driver()
{
	byte element;

	atomic {
		mapped != NOWHERE;
		TAKE(DRIVER, mapped_passed);
		store(DRIVER, AVAIL + mapped, 1)
	}
	WHEN(kick_mb, smp_mb(DRIVER));
	load(DRIVER, AVAIL_EVENT, kick);
	store(DRIVER, USED_EVENT, 1);
	WHEN(event_mb, smp_mb(DRIVER));
	load(DRIVER, USED, used);
	if
	:: used ->
		WHEN(driver_rmb, smp_rmb(DRIVER));
		load(DRIVER, ELEMENT, element);
		assert(only_kick || only_interrupt || element == 1)
	:: else
	fi
}

proctype mm()
{
	byte v;

	store(MM, PTR, 0);
	store_release(MM, SEQ, 1);
	WHEN(callback_mb, smp_mb(MM));
	atomic { mapped = NOWHERE; TAKE(MM, ALL(DRIVER)) }
	load(MM, AVAIL, v);
	store(MM, AVAIL + 1, v);
	v = 0;
	atomic { GIVE(MM, mapped_passed); mapped = 1 }
}

init {
	atomic {
		c_code {
			now.wmb = !given("-wmb");
			now.mb = !given("-mb");
			now.kick_mb = !given("-kick-mb");
			now.event_mb = !given("-event-mb");
			now.driver_rmb = !given("-driver-rmb");
			now.callback_mb = !given("-callback-mb");
			now.migrates = !given("-migration");
			now.only_kick = given("+kick");
			now.only_interrupt = given("+interrupt");
			now.cover = given("+cover");
			all_given();
		};
		value[CELL(PTR, 0)] = 1;
		run device(); run driver();
		WHEN(migrates, run mm())
	}
	_nr_pr == 1;
	assert(only_interrupt || avail || kick);	/* no kick is lost */
	assert(only_kick || event || used);		/* nor an interrupt */
	assert(!cover || avail || !kick || event || !used)
}
