# An access that goes beyond the ring looks up pages that the ring does not have.
# File: drivers/vhost/ringmap.c
# Test: bad_address.ringmap.more_than_the_ring
/^static enum vhost_miss ringmap_try/,/^}/s/if (off >= r->len || size > r->len - off)/if (off >= r->len)/
