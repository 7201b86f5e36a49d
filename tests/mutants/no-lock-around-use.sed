# Used elements are written without the map lock.
# File: drivers/vhost/ringmap.c
# Test: window.use_against_invalidate
/^static __always_inline bool publish_flat/,/^}/s/ringmap_\(un\)\?lock(rm);/;/
