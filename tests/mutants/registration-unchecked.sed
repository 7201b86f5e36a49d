# A notifier that could not be registered is taken for one that is.
# File: drivers/vhost/ringmap_map.c
# Test: reverted_2019.unchecked_registration
/^static int region_register/,/^}/{s/if (ret)/if (0)/;s/return ret;/return 0;/}
