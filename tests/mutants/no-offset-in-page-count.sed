# The pages of a ring are counted as if it began on a page.
# File: drivers/vhost/ringmap.c
# Test: unaligned.page_end.packets
s/DIV_ROUND_UP(offset_in_page(uaddr) + len, PAGE_SIZE)/DIV_ROUND_UP(len, PAGE_SIZE)/
