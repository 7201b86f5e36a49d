# An access that finds no mapping is taken for done.
# File: drivers/vhost/ringmap.c
# Test: storm.mprotect.loses_nothing
/^bool vhost_ringmap_access/,/^}/s/return false;/return true;/
