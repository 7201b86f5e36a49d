# The used ring's notifier is not told of write protection, as that of a reader.
# File: drivers/vhost/ringmap_map.c
# Test: odd.ringmap.writeback
s/VHOST_ADDR_USED ? MMU_KEEPS_ALL :/VHOST_ADDR_USED ? MMU_KEEPS_MAPPED | MMU_KEEPS_READ :/
