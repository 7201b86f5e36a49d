# A message that was put back wakes nobody.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.miss_given_back
/^static void vhost_untake_msg/,/^}/s/wake_up_interruptible_poll(.*);/;/
