# A TX buffer that holds no packet is forgotten, and the queue stands still.
# File: drivers/vhost/net.c
# Test: base.uaccess.no_packet
/^static void handle_tx_copy/,/^}/{
/if (unlikely(!len))/{
n
s/goto done;/break;/
}
}
