# The used index is logged without a barrier after it was written.
# File: drivers/vhost/vhost.c
# Check: barriers.sh
/Make sure used idx is seen before log/{n;s/smp_wmb();/;/}
