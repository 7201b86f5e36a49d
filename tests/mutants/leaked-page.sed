# A page that was looked up keeps the reference of the lookup.
# File: drivers/vhost/ringmap_map.c
# Test: reverted_2019.leaked_map
/^static enum vhost_miss region_fill/,/^}/{/^\tringmap_unlock/{n;s/put_page(page);/;/}}
