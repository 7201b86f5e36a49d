# The avail index is read without a barrier after the request for a kick.
# File: drivers/vhost/vhost.c
# Check: barriers.sh
/^bool vhost_add_used_and_enable_notify/,/^}/s/smp_mb();/;/
