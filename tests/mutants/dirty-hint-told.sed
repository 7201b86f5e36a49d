# Everybody is told of hints for the dirty pages of a file, which get none.
# File: mm/numa_hint.c
# Series: 6.12
# Test: cause.hint_same
s/if (folio_is_file_lru(folio) && folio_test_dirty(folio))/if (false)/
