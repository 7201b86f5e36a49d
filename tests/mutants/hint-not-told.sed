# Nobody is told of hints, and none is given.
# File: mm/numa_hint.c
# Test: cause.numa_hint
s/^	return node_is_scanned(folio_nid(folio));/	return false;/
s/^	return pte_present(pte) && .*/	return false \&\&/
