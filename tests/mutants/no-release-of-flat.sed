# A read may find the address of a whole ring before what its pages hold.
# File: drivers/vhost/ringmap_map.c
# Check: barriers.sh
/^static void set_flat/,/^}/s/smp_store_release(&/WRITE_ONCE(/
