# The invalidate callback waits for a grace period.
# File: drivers/vhost/ringmap_map.c
# Test: reverted_2019.grace_period_in_notifier
/^static bool ringmap_invalidate/,/^}/s/ringmap_lock(rm);/synchronize_rcu(); &/
