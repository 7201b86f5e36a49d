# shellcheck shell=bash disable=SC2034,SC2154
# Sourced after common.sh: the kernel of VARIANT=modular, whose vhost is modules.

modular=$cache/build/modular

# ringvm's arguments that load vhost, in the order in which modules need each other
load_vhost=()
for m in iotlb ringmap '' net vsock scsi test; do
	load_vhost+=("--module=$modular/drivers/vhost/vhost${m:+_$m}.ko")
done
