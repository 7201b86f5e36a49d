# Everybody is told of hints that change nothing.
# File: mm/numa_hint.c
# Test: cause.hint_pinned
s/return !mm_has_notifiers(vma->vm_mm) ||/return true ||/
