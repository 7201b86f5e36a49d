# The invalidate callback moves the sequence but keeps the mappings.
# File: drivers/vhost/ringmap.c
# Trace: no-use-after-drop
# Traffic: --mode plain --accessor ringmap --change-memory
# Test: replace.ringmap.mremap
/^static bool ringmap_invalidate/,/^}/s/r->kaddr\[page\] = NULL;/;/
