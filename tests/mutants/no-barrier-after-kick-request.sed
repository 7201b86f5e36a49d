# The avail index is read without a barrier after the request for a kick.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
/^bool __vhost_ringmap_enable_notify/,/^}/s/smp_mb();/;/
