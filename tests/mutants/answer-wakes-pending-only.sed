# An update wakes a virtqueue only if the owner has read its last miss.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.answer_of_an_earlier_miss
/^static void vhost_iotlb_notify_vq/,/^}/s/^		vhost_iotlb_answers(node, msg);$/		;/
