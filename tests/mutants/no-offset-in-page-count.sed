# The pages of a ring are counted as if it began on a page.
# File: drivers/vhost/ringmap_map.c
# Test: unaligned.page_end.packets
s/DIV_ROUND_UP(offset_in_page(addr) + len, PAGE_SIZE)/DIV_ROUND_UP(len, PAGE_SIZE)/
