# RX buffers whose number cannot be written are put back, for the next packet to be lost.
# File: drivers/vhost/net.c
# Test: base.uaccess.unwritable_num_buffers
/^static void handle_rx(/,/^}/{
/copy_to_iter(&num_buffers/,/^done:/s/vhost_net_rx_failed(nvq, -EFAULT, headcount);/{\
			vhost_discard_vq_desc(vq, headcount);\
			goto out;\
		}/
/copy_to_iter(&num_buffers/,/^done:/s/vhost_net_rx_failed(nvq, -EFAULT, count, headcount);/{\
				vhost_discard_vq_desc(vq, headcount, ndesc);\
				goto out;\
			}/
}
