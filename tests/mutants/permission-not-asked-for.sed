# A translation that permits too little is not asked for again.
# File: drivers/vhost/vhost.c
# Test: iotlb.uaccess.rings_for_reading
/^static bool iotlb_access_ok/,/^}/{
/request another translation/{
n
n
s/vhost_iotlb_miss(vq, addr, access);/;/
}
}
