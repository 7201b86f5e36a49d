# A region is no longer watched, and the sequence stays.
# File: drivers/vhost/ringmap_map.c
# Test: stale.descriptor.region_released
/^static void region_unregister/,/^}/s/ringmap_moved(rm);/;/
