# KSM's write protection promises WRITE. Only the debug option looks at that.
# File: mm/ksm.c
# Test: cause.ksm
# Variant: debug
s/MMU_KEEPS_RO, mm, pvmw.address,/MMU_KEEPS_ALL, mm, pvmw.address,/
