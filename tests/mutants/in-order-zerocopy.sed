# Zero copy uses the buffers of an in-order ring in the order in which the network lets go of them.
# Series: 7.3
# File: drivers/vhost/net.c
# Test: zcopy.ringmap.in_order
s/return vhost_sock_zcopy(sock) && !vhost_has_feature(vq, VIRTIO_F_IN_ORDER);/return vhost_sock_zcopy(sock);/
