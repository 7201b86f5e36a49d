# The invalidate callback moves the sequence but keeps the mappings.
# File: drivers/vhost/ringmap_map.c
# Trace: no-use-after-drop
# Traffic: --mode plain --accessor ringmap --change-memory
# Test: replace.ringmap.mremap
/^static bool ringmap_invalidate/,/^}/s/WRITE_ONCE(table->kaddr\[page\], NULL);/;/
