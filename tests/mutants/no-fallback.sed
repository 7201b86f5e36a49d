# A read that finds no mapping is taken for done.
# File: drivers/vhost/ringmap.c
# Test: faults.lookup.always
/^static noinline bool read_after/,/^}/s/return !miss;/return true;/
