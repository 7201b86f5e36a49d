# How the symbols of configs/ are called on 7.3
s/^CONFIG_PROC_SYSCTL=/CONFIG_SYSCTL=/
s/^CONFIG_PREEMPT_VOLUNTARY=/CONFIG_PREEMPT_LAZY=/
# It is always there.
/^CONFIG_SCHED_DEBUG=/d
