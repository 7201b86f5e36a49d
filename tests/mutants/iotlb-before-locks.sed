# The device has its new IOTLB before the virtqueues' mutexes are held.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.amid_a_chain
/^int vhost_init_device_iotlb/,/^}/{
/vhost_dev_lock_vqs(d);/d
s/d->iotlb = niotlb;/&\
	vhost_dev_lock_vqs(d);/
}
