# The invalidate callback keeps the addresses that were derived from the mappings.
# File: drivers/vhost/ringmap.c
# Test: replace.ringmap.mremap
/^static bool ringmap_invalidate/,/^}/s/forget_derived(rm);/;/
