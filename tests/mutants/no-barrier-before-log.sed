# Used elements and index are logged without a barrier after they were written.
# File: drivers/vhost/vhost.c
# Check: barriers.sh
/^static noinline void __maybe_unused vhost_log_published(/,/^}/s/smp_wmb();/;/
