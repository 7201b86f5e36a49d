# RX buffers whose header cannot be written are taken and never used.
# File: drivers/vhost/net.c
# Test: base.uaccess.unwritable_header
/^static void handle_rx(/,/^}/{
/copy_to_iter(&hdr/,/}/s/goto done;/goto out;/
}
