# A TX buffer that is no packet is put back, and taken again at once.
# File: drivers/vhost/net.c
# Test: base.uaccess.short_packet
/^static void handle_tx_copy/,/^}/s/if (!vhost_net_tx_later(err)) {/if (0) {/
