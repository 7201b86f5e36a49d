# The invalidate callback moves the sequence but keeps the mappings.
# File: drivers/vhost/ringmap_map.c
# Trace: no-use-after-drop
# Traffic: --mode plain --accessor ringmap --change-memory
# Test: replace.ringmap.mremap
/^static __always_inline unsigned long drop/,/^}/s/WRITE_ONCE(r->kaddr\[page\], NULL);/;/
