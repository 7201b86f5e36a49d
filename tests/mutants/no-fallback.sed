# A read that finds no mapping is taken for done.
# File: drivers/vhost/ringmap.c
# Test: faults.lookup.always
/^bool __vhost_ringmap_read/,/^}/s/return !miss;/return true;/
