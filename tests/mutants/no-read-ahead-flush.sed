# What was read ahead survives a restart of the queue.
# File: drivers/vhost/ringmap.c
# Test: ahead.restart
/^void __vhost_ringmap_reset/,/^}/s/rm->ahead.count = 0;/;/
