# Of two port groups with one tag, the references to the first are lost.
# File: drivers/vhost/scsi.c
# Test: scsi.uaccess_plain.one_tag_twice
/^static void vhost_scsi_get_tpgs/,/^}/s/!usable || tpgs\[tpg->tport_tpgt\] ||/!usable ||/
