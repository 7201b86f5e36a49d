# An RX buffer in front of one for reading is taken and never used.
# File: drivers/vhost/net.c
# Test: base.uaccess.no_second_rx_buffer
/^static int get_rx_bufs/,/^}/s/heads\[headcount++\].id = cpu_to_vhost32(vq, d);/heads[0].id = cpu_to_vhost32(vq, d);\
			headcount = 1;/
