# The invalidate callback moves the sequence but keeps the mappings.
# File: drivers/vhost/ringmap.c
# Test: replace.ringmap.mremap
/^static bool ringmap_invalidate/,/^}/s/r->kaddr\[page\] = NULL;/;/
