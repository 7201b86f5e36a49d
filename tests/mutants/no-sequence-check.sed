# A page that was invalidated since it was looked up is installed.
# File: drivers/vhost/ringmap_map.c
# Test: window.fill_against_invalidate
/^static enum vhost_miss region_fill/,/^}/s/if (!mmu_interval_read_retry(&r->sub, seq))/if (1)/
