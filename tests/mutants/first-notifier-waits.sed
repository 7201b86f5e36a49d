# Who sets the owner inserts the first notifier and removes it, which waits for invalidations.
# File: drivers/vhost/ringmap_control.c
# Test: reverted_2019.ioctl_newly_waits
/^void ringmap_first_notifier/,/^}/{
s/if (mm && mmu_interval_notifier_insert(&first->sub, mm, ULONG_MAX, 1,/if (mm \&\& !mmu_interval_notifier_insert(\&first->sub, mm, ULONG_MAX, 1,/
s/^			first->sub.mm = NULL;/			mmu_interval_notifier_remove(\&first->sub);\
		first->sub.mm = NULL;/
}
