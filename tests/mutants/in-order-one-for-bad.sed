# Buffers of an in-order ring that cannot be written get one used element for all.
# Series: 7.3
# File: drivers/vhost/net.c
# Test: in_order_bad.uaccess.unwritable
/Userspace might have consumed/,/^done:/s/elems = headcount;/(void)0;/
/^static void vhost_net_rx_failed/,/^}/{
s/swap(heads\[0\], heads\[headcount - 1\]);/heads[0].len = 0, vq->nheads[count] = headcount;/
s/while (headcount--)/while (!vhost_has_feature(vq, VIRTIO_F_IN_ORDER) \&\& headcount--)/
}
