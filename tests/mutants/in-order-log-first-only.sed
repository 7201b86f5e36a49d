# Of the used elements of an in-order ring, the first is logged again and again.
# Series: 7.3
# File: drivers/vhost/vhost.c
# Test: in_order_log.uaccess.elements
/Log used ring entry writes/,/nheads\[i\]/s/start = new &/start = old \&/
