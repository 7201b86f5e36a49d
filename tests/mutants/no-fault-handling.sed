# A read loads as from memory that is sure to be there.
# File: drivers/vhost/ringmap.c
# Variant: debug
# Test: stale.index.page_freed
/^static __always_inline enum vhost_miss read_by_page/,/^}/s/vhost_ringmap_load(kaddr, u16)/({ u16 v; asm volatile("movw %1, %0" : "=r" (v) : "m" (*(const u16 *)kaddr)); v; })/
