# The invalidate callback returns before the sequence that it moved is seen.
# File: drivers/vhost/ringmap_map.c
# Check: barriers.sh
/^static bool ringmap_invalidate/,/^}/s/smp_mb();/;/
