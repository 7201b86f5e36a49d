# What was made available before the endpoint was set is not looked at.
# File: drivers/vhost/scsi.c
# Test: scsi.uaccess_plain.before_endpoint
/^vhost_scsi_set_endpoint/,/^}/s/vhost_poll_queue(&vq->poll);/;/
