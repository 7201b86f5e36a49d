# The used index is written without a barrier after the elements.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
/^bool __vhost_ringmap_add_used/,/^}/s/smp_wmb();/;/
