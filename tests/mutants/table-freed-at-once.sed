# The table of a region is freed while a read may have it.
# File: drivers/vhost/ringmap_map.c
# Variant: debug
# Test: stale.descriptor.region_released
/^static void region_set_table/,/^}/s/kvfree_rcu(old, rcu);/kvfree(old);/
