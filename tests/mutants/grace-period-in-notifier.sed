# The invalidate callback waits for a grace period.
# File: drivers/vhost/ringmap.c
# Test: reverted_2019.grace_period_in_notifier
/^static bool ringmap_invalidate/,/^}/s/map_lock(rm);/synchronize_rcu(); &/
