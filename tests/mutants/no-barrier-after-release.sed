# A region is no longer watched before the sequence that was moved is seen.
# File: drivers/vhost/ringmap_map.c
# Check: barriers.sh
/^static void region_unregister/,/^}/s/smp_mb();/;/
