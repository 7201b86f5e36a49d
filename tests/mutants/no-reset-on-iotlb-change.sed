# A change of the device IOTLB keeps where the rings were.
# File: drivers/vhost/vhost.c
# Test: iotlb.ringmap.moves
/^static void __vhost_vq_meta_reset/,/^}/s/vhost_ringmap_reset(vq);/;/
