# A descriptor index of the driver is not clamped in speculation.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
s|next = array_index_nospec(next, num);|;|
