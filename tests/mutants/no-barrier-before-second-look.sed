# A read looks at the sequence again before it has loaded.
# File: drivers/vhost/ringmap.h
# Check: barriers.sh
/^vhost_ringmap_read_valid/,/^}/s/smp_rmb();/;/
