# shellcheck shell=bash disable=SC2154
# Sourced: which selftests there are, and which has a test.

# the longest first
suites=(vhost mm faults owner base debugfs null vsock scsi zcopy)
# 6.12 has no in-order rings.
[ "$kernel_series" = 6.12 ] || suites+=(in_order)

# suite_of TEST: the suite that has the test of this name
suite_of() {
	case $1 in
	cause.* | keep.* | moving.* | global.*) echo mm ;;
	faults.* | odd.* | reverted_2019.*) echo faults ;;
	owner.* | busy.* | first_notifier.*) echo owner ;;
	in_order.* | in_order_log.* | in_order_gap.* | in_order_bad.*) echo in_order ;;
	base.* | debugfs.* | null.* | vsock.* | scsi.* | zcopy.*) echo "${1%%.*}" ;;
	*) echo vhost ;;
	esac
}

# suite_program SUITE
suite_program() {
	case $1 in
	mm) echo mmu_causes_test ;;
	vhost) echo ringmap_net_test ;;
	*) echo "ringmap_$1_test" ;;
	esac
}

# Memory that the kernel leaves alone, for rings in it
reserved=0x40000000

# suite_options SUITE: what it asks of the kernel's command line
suite_options() {
	case $1 in
	mm | vhost | owner) echo numa=fake=2 ;;
	faults) echo numa=fake=2 "memmap=16M\$$reserved" ;;
	zcopy) echo numa=fake=2 vhost_net.experimental_zcopytx=1 ;;
	esac
}

# not_yet SUITE: what tells its program to leave out what this kernel series does not have
not_yet() {
	case $1,$kernel_series in
	mm,6.12) printf -- '-T %s ' uffd_rwp uffd_rwp_resolve ;;
	zcopy,6.12) printf -- '-T %s ' in_order ;;
	esac
}

# choose_workers VARIANT: what WORKERS asks of the kernel is in the array workers, and a
# name for logs in kind
choose_workers() {
	case ${WORKERS:-task} in
	task) workers=() kind=$1 ;;
	kthread) workers=(--append vhost.fork_from_owner_default=0) kind=$1-kthread ;;
	*) die "WORKERS=$WORKERS: choose task or kthread" ;;
	esac
}

# without_huge: what tells a test program to leave out what PREEMPT_RT excludes: transparent
# huge pages, and with them HMM's test device; and NUMA balancing
without_huge() {
	printf -- '-V %s ' thp mprotect_thp split numa_hint
	printf -- '-T %s ' huge_zero_page numa_hint hint_local hint_again hint_pinned hint_threads \
		hint_huge hint_same hint_same_threads uffd_move_huge collapse split split_zero_page \
		write_zero_page \
		split_freeze split_shmem migrate_device exclusive exclusive_end
}
