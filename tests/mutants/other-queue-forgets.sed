# A virtqueue that is stopped makes the other one forget what it waits for.
# File: drivers/vhost/net.c
# Test: iotlb.uaccess.other_queue_stops
/^static long vhost_net_set_backend/,/^}/s/if (i == index || !vhost_vq_get_backend(&n->vqs\[i\].vq))/if (n)/
