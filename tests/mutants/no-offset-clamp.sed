# Where a read by the table begins is not clamped in speculation.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
/^static enum vhost_miss read_by_table/,/^}/s/array_index_nospec(off, len)/off/
