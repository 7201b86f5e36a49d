# The avail index is read without a barrier after the request for a kick.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
/^ask_and_look(/,/^}/s/smp_mb();/;/
