# Who opened a device is recorded as its owner, too.
# File: drivers/vhost/ringmap_control.c
# Test: debugfs.owned_by_another
/^static void set_owner/,/^}/s/dev->ringmap_owner = \*owner;/dev->ringmap_owner = owner->pid ? dev->ringmap_opener : *owner;/
