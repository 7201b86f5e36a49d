# The used ring's notifier is not told of write protection, as that of a reader.
# File: drivers/vhost/ringmap_map.c
# Test: odd.ringmap.writeback
/ringmap_write_ops = {/,/^}/s/MMU_KEEPS_ALL/MMU_KEEPS_MAPPED | MMU_KEEPS_READ/
