# The used index is written without a barrier after the elements.
# File: drivers/vhost/ringmap.c
# Check: barriers.sh
/^static __always_inline void store_index/,/^}/s/smp_wmb();/;/
