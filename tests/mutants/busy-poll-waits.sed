# Busy polling waits for the other queue's mutex instead of trying it.
# File: drivers/vhost/net.c
# Test: iotlb.busy_poll.storm
/^static void vhost_net_busy_poll(/,/^}/{
s/if (!mutex_trylock(&vq->mutex))/mutex_lock(\&vq->mutex);/
/mutex_lock(&vq->mutex);/{n;s/return;/;/}
}
