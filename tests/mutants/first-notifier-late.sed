# The data path inserts the first notifier of a process.
# File: drivers/vhost/ringmap_control.c
# Test: first_notifier.set.not_by_the_worker
/^void ringmap_first_notifier/,/^}/s/mm = dev->ringmap_owner.pid ? dev->mm : NULL;/mm = NULL;/
