# A vsock device that starts does not look at what the guest sent before.
# File: drivers/vhost/vsock.c
# Test: vsock.uaccess_event_idx.sent_while_stopped
/^static int vhost_vsock_start/,/^}/s/vhost_poll_queue(&vsock->vqs\[VSOCK_VQ_TX\].poll);/;/
