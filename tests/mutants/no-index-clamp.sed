# A descriptor index of the driver is not clamped in speculation.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
s|i = array_index_nospec(i, num);|;|
