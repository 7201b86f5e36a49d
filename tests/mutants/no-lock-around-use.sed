# Used elements are written without the map lock.
# File: drivers/vhost/ringmap.c
# Test: window.use_against_invalidate
/^bool __vhost_ringmap_add_used/,/^}/s/map_\(un\)\?lock(rm);/;/
