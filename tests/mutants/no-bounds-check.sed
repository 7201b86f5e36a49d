# More used elements than the ring has entries are written all the same.
# File: drivers/vhost/ringmap.c
# Test: bad_address.ringmap.more_than_the_ring
/^static __always_inline bool publish_flat/,/^}/s/count > vq->num || //
