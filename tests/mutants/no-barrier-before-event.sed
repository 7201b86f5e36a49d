# The driver's event is read without a barrier after the used index.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
/^bool __vhost_ringmap_add_used/,/^}/s/smp_mb();/;/
