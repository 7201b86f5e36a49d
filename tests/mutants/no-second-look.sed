# A read does not look at the sequence again.
# File: drivers/vhost/ringmap.h
# Test: stale.descriptor.page_moved
s/return likely(READ_ONCE(rm->seq) == seq);/return true;/
