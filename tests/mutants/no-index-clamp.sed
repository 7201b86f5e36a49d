# A descriptor index of the driver is not clamped in speculation.
# File: drivers/vhost/ringmap.h
# Check: barriers.sh
s/off = (idx & (vq->num - 1)) \* sizeof(\*desc)/off = idx * sizeof(*desc)/
