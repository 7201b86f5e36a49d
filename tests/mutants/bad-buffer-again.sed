# RX buffers that cannot be written are put back, for the next packet.
# File: drivers/vhost/net.c
# Test: base.uaccess.unwritable_buffer
/^static void handle_rx/,/^}/s/if (!vhost_net_rx_faulted(nvq, err, sock_len)) {/if (1) {/
