# vhost maps the pages of all buffers that an element stands for, and not only its own.
# Series: 7.3
# File: drivers/vhost/ringmap.c
# Test: in_order_gap.ringmap.not_written
s/idx_after(vq->last_used_idx, nheads, count - 1) + 1 -/idx_after(vq->last_used_idx, nheads, count) -/
