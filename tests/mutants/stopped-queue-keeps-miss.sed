# What a stopped virtqueue missed in the busy poll of the other one is kept.
# File: drivers/vhost/net.c
# Test: iotlb.busy_poll.stopped_device_asks_for_nothing
/^static long vhost_net_set_backend/,/^}/s/if (i == index || !vhost_vq_get_backend(&n->vqs\[i\].vq))/if (i == index)/
