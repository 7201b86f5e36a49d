# The invalidate callback keeps the address that was derived from the mappings.
# File: drivers/vhost/ringmap_map.c
# Test: replace.ringmap.mremap
/^static __always_inline unsigned long drop/,/^}/s/set_flat(rm, r - rm->region, NULL);/;/
