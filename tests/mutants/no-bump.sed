# The invalidate callback clears the addresses, and the sequence stays.
# File: drivers/vhost/ringmap_map.c
# Test: stale.index.page_moved
/^static bool ringmap_invalidate/,/^}/s/ringmap_moved(rm);/;/
