# The used elements of an in-order ring are written without gaps.
# Series: 7.3
# File: drivers/vhost/ringmap.c
# Test: in_order.ringmap_mergeable.traffic
s/at += nheads\[i++\]/at++, i++/
