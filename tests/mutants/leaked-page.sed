# A page that was looked up keeps the reference of the lookup.
# File: drivers/vhost/ringmap.c
# Test: reverted_2019.leaked_map
/^static int region_fill/,/^}/{/^\tspin_unlock/{n;s/put_page(page);/;/}}
