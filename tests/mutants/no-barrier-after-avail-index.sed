# Entries are read without a barrier after the avail index.
# File: drivers/vhost/vhost.c
# Check: barriers.sh
/ int vhost_get_avail_idx(/,/^}/s/smp_rmb();/;/
