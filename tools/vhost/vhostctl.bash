# SPDX-License-Identifier: GPL-2.0-only
# bash completion of vhostctl; shellcheck shell=bash

# Devices that are open, as far as we may look.
_vhostctl_devices() {
	vhostctl list 2>/dev/null |
		awk 'NR > 1 { print $1; for (q = 0; q < $4; q++) print $1 "/" q }' || :
}

# Processes that own one
_vhostctl_owners() {
	vhostctl list 2>/dev/null | awk 'NR > 1 && $3 != "-" { print $3 }' | sort -u || :
}

_vhostctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local verb=${COMP_WORDS[1]:-} words='' common='--json -j --help -? --usage --version -V'
	local word

	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		mapfile -t COMPREPLY < <(compgen -W \
			'list show set compare stat top record report check doctor --help --version' -- "$cur")
		return
	fi
	case $prev in
	-o | --output) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
	--plot) mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
	-i | --interval | -c | --count | --time | --buffer) return ;;
	esac
	# What follows -- is another command.
	for word in "${COMP_WORDS[@]:2:COMP_CWORD-2}"; do
		if [ "$word" = -- ]; then
			mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
			return
		fi
	done
	case $verb in
	list | doctor) words=$common ;;
	show) words="$common $(_vhostctl_devices)" ;;
	set)
		case $prev in
		set | -j | --json) words="$common all default $(_vhostctl_devices)" ;;
		accessor) words='uaccess checked ringmap' ;;
		lock_times) words='on off' ;;
		all) words='accessor lock_times' ;;
		*) words=accessor ;;
		esac
		;;
	compare)
		case $prev in
		--accessors) words='uaccess,ringmap uaccess,checked,ringmap' ;;
		*) words="$common --accessors --time all $(_vhostctl_devices | grep -v /) $(_vhostctl_owners)" ;;
		esac
		;;
	stat) words="$common --interval -i --count -c $(_vhostctl_devices)" ;;
	top) words="$common --interval -i" ;;
	record) words="$common --output -o --time --buffer --" ;;
	report) words="$common --plot" ;;
	check) words="$common --live --time --buffer --" ;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	case $verb in
	report | check)
		[[ $cur = -* ]] || mapfile -t -O "${#COMPREPLY[@]}" COMPREPLY < <(compgen -f -- "$cur")
		;;
	esac
}

complete -F _vhostctl vhostctl
