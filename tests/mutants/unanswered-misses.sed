# What the owner has read is kept for its answer, however often it is told again.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.unanswered_misses
/^static struct vhost_msg_node \*vhost_take_msg/,/^}/{
s/list_move_tail(&node->node, &dev->pending_list);/list_del_init(\&node->node);\
		list_add_tail(\&((struct vhost_virtqueue *)\
			kmemdup(container_of(node, struct vhost_virtqueue, miss),\
				sizeof(struct vhost_virtqueue), GFP_ATOMIC))->miss.node,\
			      \&dev->pending_list);/
}
