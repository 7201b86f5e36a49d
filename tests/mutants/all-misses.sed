# Each miss is kept, not only a virtqueue's last one.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.unread_misses
/^static void vhost_iotlb_miss/,/^}/{
s/&vq->miss;/\&((struct vhost_virtqueue *)kmemdup(vq, sizeof(*vq), GFP_KERNEL))->miss;/
s/list_move_tail/list_add_tail/
}
