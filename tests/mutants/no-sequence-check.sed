# A page that was invalidated since it was looked up is installed.
# File: drivers/vhost/ringmap.c
# Test: window.fill_against_invalidate
s/if (r->len \&\& !mmu_interval_read_retry(&r->sub, seq))/if (r->len)/
