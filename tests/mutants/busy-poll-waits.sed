# Busy polling waits for the other queue's mutex instead of trying it.
# File: drivers/vhost/net.c
# Trace: only-tries-other-mutex
# Traffic: --mode busy --accessor ringmap
# Test: iotlb.busy_poll.storm
/^static void vhost_net_busy_poll(/,/^}/{
/if (!vhost_vq_trylock(vq)) {/,/^	}/c\
	vhost_vq_lock(vq);
}
