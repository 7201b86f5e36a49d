# A read may find the address of a page before what it holds.
# File: drivers/vhost/ringmap_map.c
# Check: barriers.sh
/^static enum vhost_miss region_fill/,/^}/s/smp_store_release(\(&r->kaddr\[page_nr\]\), /WRITE_ONCE(*\1, /
