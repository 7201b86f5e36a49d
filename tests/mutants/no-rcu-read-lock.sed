# A read uses the table of a region without the RCU read lock.
# File: drivers/vhost/ringmap.c
# Variant: debug
# Test: stale.descriptor.page_moved
/^static enum vhost_miss read_by_table/,/^}/s/guard(rcu)();/;/
