# The same of those that ringmap published.
# Series: 7.3
# File: drivers/vhost/vhost.c
# Test: in_order_log.ringmap.elements
/^static noinline void __maybe_unused vhost_log_published/,/^}/s/^\t\tstart = idx & .*/\t\t;/
