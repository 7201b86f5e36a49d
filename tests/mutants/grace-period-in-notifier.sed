# The invalidate callback waits for a grace period.
# File: drivers/vhost/ringmap.c
# Test: reverted_2019.grace_period_in_notifier
/^static bool ringmap_invalidate/,/^}/s/spin_lock(&rm->lock);/synchronize_rcu(); &/
