# shellcheck shell=bash
# shellcheck disable=SC2154
# Sourced: KVM's selftests, and guests whose host changes their memory.

kvm_tests=$cache/build/kvm-selftests
# build_kvm_tests NAME...: these programs of tools/testing/selftests/kvm, in $kvm_tests
build_kvm_tests() {
	# Upstream's library of KVM tests wants the headers of this kernel.
	logged kvm-headers kmake "$tree" "$cache/build/kvm" headers || exit 1
	mkdir -p "$kvm_tests"
	logged kvm-selftests make -C "$tree/tools/testing/selftests/kvm" -j"$jobs" OUTPUT="$kvm_tests" \
		KHDR_INCLUDES="-isystem $cache/build/kvm/usr/include" "${@/#/$kvm_tests/}" || exit 1
}

# kvm_boot MODE OPTION...: ringvm, for a host of guests with two-dimensional paging (npt,
# nested) or without (shadow)
kvm_boot() {
	# Its timer may be late on a busy machine.
	local append="numa=fake=2 no_timer_check"
	[ "$1" != shadow ] || append+=' kvm_amd.npt=0'
	# Events patch code, for which TCG wants one thread.
	ringvm --accel single --memory 2G --tap 1 --quiet --append "$append" "${@:2}"
}

# keeps MODE OPTION...: the command that runs mmu_keeps_test in this mode
keeps() {
	local mode=$1
	shift
	[ "$mode" != nested ] || set -- -n "$@"
	echo "$kvm_tests/x86_64/mmu_keeps_test $*"
}
