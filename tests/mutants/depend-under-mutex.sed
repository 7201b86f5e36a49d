# configfs' directory is locked with the target's mutex held. Only lockdep says so.
# File: drivers/vhost/scsi.c
# Test: scsi.uaccess_plain.disk
# Variant: debug
/^static int vhost_scsi_claim_tpg/,/^}/s/ret = target_depend_item(item);/mutex_lock(\&tpg->tv_tpg_mutex);\
	&\
	mutex_unlock(\&tpg->tv_tpg_mutex);/
