# An entry of the device IOTLB is used for what it does not permit.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.rings_for_reading
/^static const struct vhost_iotlb_map \*vhost_iotlb_find/,/^}/s/if (likely(map->perm & access))/if (map)/
