# A read may find an address that is older than the sequence.
# File: drivers/vhost/ringmap.h
# Check: barriers.sh
/^vhost_ringmap_read_begin/,/^}/s/smp_load_acquire(&rm->seq)/READ_ONCE(rm->seq)/
