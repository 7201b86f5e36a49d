# A vsock packet that cannot be read keeps its buffer for ever.
# File: drivers/vhost/vsock.c
# Test: vsock.uaccess_event_idx.bad_packet
/^static void vhost_vsock_handle_tx_kick/,/^}/{
/Faulted on pkt/{
n
s/vhost_add_used(vq, head, 0);/;/
}
}
