# An RX buffer for reading is taken and never used.
# File: drivers/vhost/net.c
# Test: base.uaccess.no_rx_buffer
/^static int get_rx_bufs/,/^}/s/heads\[headcount++\].id = cpu_to_vhost32(vq, d);/r = -EINVAL;\
			goto err;/
