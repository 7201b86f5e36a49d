# Entries are read without a barrier after the avail index.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
/ read_avail_idx(/,/^}/s/smp_rmb();/;/
