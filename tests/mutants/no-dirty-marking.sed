# A page that is written through its mapping is not marked dirty.
# File: drivers/vhost/ringmap_map.c
# Test: device.dirty_after_madv_free
/^static enum vhost_miss region_fill/,/^}/s/folio_mark_dirty(page_folio(page));/;/
