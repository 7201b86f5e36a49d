# A buffer that cannot hold a packet of vsock is forgotten.
# File: drivers/vhost/vsock.c
# Test: vsock.uaccess_event_idx.bad_buffer
/^bad_buffer:/,/^}/s/vhost_add_used(vq, head, 0);/;/
