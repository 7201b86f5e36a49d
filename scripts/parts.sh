# shellcheck shell=bash disable=SC2034
# Sourced: which files the parts of 'make check' depend on, and what is counted.

t=tools/testing/selftests
# What a kernel and a VM are made of
vm=(patches series Kconfig drivers include lib mm virt configs "$t"/{vhost,mmu_notifier}/config
	vm/{ringvm.c,ringinit.c,in-vm.sh}
	scripts/{build,common,compose,proofs,tree}.sh scripts/place.py tests/{suites,tap}.sh
	bench/{ringcount.c,qemu-plugin.h})
# and those programs of the selftests that use vhost
vhost=("${vm[@]}" "$t"/vhost/{Makefile,{vdev,vring,virtqueue,vsock,scsi}.{c,h}})
# What counts, and not what it printed
bench=(bench ':!bench/results' ':!bench/report' ':!bench/figures.*')
# The packages
vsock=(tests/vsock{.sh,-timeout.h})
stock=(dkms debian scripts/deb.sh tests/stock.sh "${vsock[@]}")
qemu=(qemu/{build,check,common,source}.sh scripts/{apt,common,tree}.sh
	qemu/*/patches/migration-decide-*.patch qemu/predict qemu/bench/shared.{c,h})

# key PATH...: a hash of these files, of the base and of the tools. What is no file counts
# as a word.
key() {
	{
		echo "$@"
		git ls-files -s -- "$@"
		content "$@"
		stat -c '%Y-%s' "${BASE:?}"
		gcc --version
		aarch64-linux-gnu-gcc --version
		qemu-system-x86_64 --version
	} | sha1sum | cut -c 1-12
}

# content PATH...: a hash of these files, as they are here, committed or not
content() {
	git ls-files -z --cached --others --exclude-standard -- "$@" |
		sort -z | xargs -0 sha1sum 2>&1 | sha1sum | cut -c 1-12
}
