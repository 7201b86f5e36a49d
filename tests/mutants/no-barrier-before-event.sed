# The driver's event is read without a barrier after the used index.
# File: drivers/vhost/vhost.c
# Check: barriers.sh
/^static vhost_ringmap_noinline bool vhost_notify(/,/^}/s/smp_mb();/;/
