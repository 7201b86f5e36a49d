# What counts the zero-copy buffers of a queue is forgotten and not freed. Built in, because
# the module's parameter comes from the kernel's command line.
# File: drivers/vhost/net.c
# Test: zcopy.uaccess.count_freed
# Variant: debug
/kfree_rcu(n->vqs\[i\].ubufs, rcu);/d
