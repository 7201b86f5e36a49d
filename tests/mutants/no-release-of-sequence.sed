# The sequence may move before the address is cleared.
# File: drivers/vhost/ringmap_map.c
# Check: barriers.sh
/^static void ringmap_moved/,/^}/s/smp_store_release(&rm->seq, rm->seq + 1)/WRITE_ONCE(rm->seq, rm->seq + 1)/
