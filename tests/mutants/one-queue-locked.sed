# A change of the device IOTLB holds the mutex of one queue only.
# File: drivers/vhost/vhost.c
# Trace: all-queues-held
# Traffic: --mode iotlb --accessor ringmap --change-memory
# Test: iotlb.ringmap.waits_for_every_queue
/^static void vhost_dev_\(un\)\?lock_vqs/,/^}/s/i < d->nvqs/i < 1/
