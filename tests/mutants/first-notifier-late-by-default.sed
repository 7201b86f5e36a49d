# Who sets the owner leaves the first notifier of the process to the data path.
# File: drivers/vhost/ringmap_control.c
# Test: first_notifier.by_default.not_by_the_worker
/^void vhost_ringmap_set_owner/,/^}/s/ringmap_first_notifier(rm);/;/
