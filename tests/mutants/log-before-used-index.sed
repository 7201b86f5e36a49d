# The used index is logged before it is written.
# File: drivers/vhost/vhost.c
# Trace: index-before-log
# Traffic: --mode log --accessor uaccess
/^int vhost_add_used_n/,/^}/{
/Make sure buffer is written before we update index/i\
	if (unlikely(vq->log_used)) {\
		log_used(vq, offsetof(struct vring_used, idx),\
			 sizeof(vq->used->idx));\
		vhost_trace(log, vq, VHOST_LOG_INDEX, vq->last_used_idx,\
			    vq->log_addr, sizeof(vq->used->idx));\
	}
s/if (unlikely(vq->log_used)) {/if (0) {/
}
