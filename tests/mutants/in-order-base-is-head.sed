# VHOST_SET_VRING_BASE is taken for a place in the descriptor table.
# Series: 7.3
# File: drivers/vhost/vhost.c
# Test: in_order.uaccess_chain.goes_on
/That is no place in the descriptor table/,/known/s/vq->next_avail_known = false;/vq->next_avail_head = vq->last_avail_idx, vq->next_avail_known = true;/
