# An entry of the device IOTLB that permits too little hides a better one behind it.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.rings_for_reading
/^static const struct vhost_iotlb_map \*vhost_iotlb_find/,/^}/s/map = vhost_iotlb_itree_next(map, addr, last)/map = NULL/
