# A virtqueue that is stopped makes the other one forget what it waits for.
# File: drivers/vhost/net.c
# Test: iotlb.uaccess.other_queue_stops
/^static long vhost_net_set_backend/,/^}/s/vhost_vq_clear_msg(vq);/for (r = 0; r < VHOST_NET_VQ_MAX; r++)\
			vhost_vq_clear_msg(\&n->vqs[r].vq);/
