# The buffers of a batch that the socket refuses are forgotten.
# File: drivers/vhost/net.c
# Test: base.uaccess.refused_packets
/^static __always_inline void vhost_tx_send_batch/,/^}/s/put_page(virt_to_head_page(nvq->xdp\[i\].data));/{ &nvq->done_idx = 0; }/
