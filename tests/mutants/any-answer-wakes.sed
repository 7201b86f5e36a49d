# An update wakes a virtqueue also if it does not permit what the virtqueue waits for.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.rings_for_reading
/^static bool vhost_iotlb_answers/,/^}/s/if ((update->perm & perm) != perm)/if (!perm)/
