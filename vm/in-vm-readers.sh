#!/bin/bash
# In the VM: in-vm-readers.sh VHOSTCTL LOAD ROOT...: record what LOAD does in every way,
# then once for each ROOT with its perf beside vhostctl. All files are a tar on stdout.
set -euo pipefail
vhostctl=$1 load=$2
shift 2
mount -t tracefs none /sys/kernel/tracing
mkdir /tmp/out
cd /tmp/out
record() {
	"$vhostctl" record --buffer 65536 -o "$@" 2> said || { cat said >&2; exit 1; }
	cat said >&2
	grep -q ' 0 lost' said
}
record all.dat -- "$load" --seconds 5 --pause 2000 --accessor cycle --change-memory
for root; do
	name=${root##*/}
	perf=("$root/ld" --library-path "$(echo "$root"/usr/lib/*-linux-gnu)" "$root/perf")
	record "$name.dat" -- "${perf[@]}" record -q -a -m 8M -e 'vhost:*' -o perf.data -- \
		"$load" --seconds 1 --pause 5000 --mode iotlb-log-busy --accessor cycle --change-memory
	"${perf[@]}" script -i perf.data -F trace:cpu,event,trace > "$name.perf"
	rm perf.data
done
rm said
tar -c .
