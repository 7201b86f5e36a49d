# The table of a region that is no more is not freed.
# File: drivers/vhost/ringmap_map.c
# Test: reverted_2019.leaked_map
/^static void region_set_table/,/^}/s/kvfree_rcu(old, rcu);/;/
