# An access that finds no mapping is taken for done.
# File: drivers/vhost/ringmap.c
# Test: faults.lookup.always
/^bool vhost_ringmap_access/,/^}/s/return false;/return true;/
