# Who sets the owner inserts the first notifier and removes it, which waits for invalidations.
# File: drivers/vhost/ringmap_control.c
# Test: reverted_2019.ioctl_newly_waits
/^void ringmap_first_notifier/,/^}/{
/1, &ringmap_first_ops);/a\
		if (first->inserted)\
			mmu_interval_notifier_remove(&first->sub);\
		first->inserted = false;
}
