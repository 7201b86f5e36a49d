# The driver's event is read without a barrier after the used index.
# File: drivers/vhost/vhost.c
# Check: barriers.sh
/^static bool vhost_notify/,/^}/s/smp_mb();/;/
