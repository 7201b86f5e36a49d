# The used ring's notifier is not told of write protection, as that of a reader.
# File: drivers/vhost/ringmap_map.c
# Test: odd.ringmap.writeback
s/VHOST_ADDR_USED ? MMU_NEEDS_RW :/VHOST_ADDR_USED ? MMU_NEEDS_RO :/
