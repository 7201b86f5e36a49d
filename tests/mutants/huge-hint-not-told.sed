# Nobody is told of the hint of a huge page, and none is given.
# File: mm/numa_hint.c
# Test: cause.hint_huge
/^static bool huge_pmd_changes/,/^}/{
s/return node_is_scanned(.*/return false;/
s/folio_can_map_prot_numa(pmd_folio(pmd), vma,/false \&\& (/
}
