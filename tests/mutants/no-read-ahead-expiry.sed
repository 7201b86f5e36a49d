# A queue that goes over to user access keeps what was read ahead.
# File: drivers/vhost/ringmap.h
# Test: ahead.wrap
/looks as if it were read ahead/,/return false;/s/a->count = 0;/;/
