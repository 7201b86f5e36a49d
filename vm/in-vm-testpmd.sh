#!/bin/sh
# In the VM: in-vm-testpmd.sh RINGMAP_BENCH MODE...: DPDK's testpmd sends through vhost-net as
# fast as it can, while ringmap_bench_tool counts.
set -eu
echo 160 > /proc/sys/vm/nr_hugepages
mkdir -p /dev/hugepages
mount -t hugetlbfs hugetlbfs /dev/hugepages
bench=$1 log=/tmp/testpmd
shift
# It ends when its input does.
sleep 600 | dpdk-testpmd -l 0,1 -m 256 --no-pci --single-file-segments \
	--vdev=net_virtio_user0,path=/dev/vhost-net,iface=bench0,queue_size=1024 \
	-- --forward-mode=txonly --total-num-mbufs=4096 --auto-start > $log 2>&1 &
for _ in $(seq 60); do
	grep -qi 'start.*packet forwarding' $log && break
	sleep 1
done
rc=0
"$bench" client bench0 "$@" || { rc=1; tail -20 $log >&2; }
pkill sleep
wait
exit $rc
