# A virtqueue whose first miss has no answer tells the owner of no other.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.miss_without_answer
/^static void vhost_iotlb_miss/,/^}/s/spin_lock(&dev->iotlb_lock);/&\
	if (!list_empty(\&node->node)) {\
		spin_unlock(\&dev->iotlb_lock);\
		return;\
	}/
