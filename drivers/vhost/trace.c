// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints of vhost, for all of its modules.
 */
#include <linux/export.h>

#include "ringmap.h"

#define CREATE_TRACE_POINTS
#include "trace.h"

EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_kick);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_call);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_fetch);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_used);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_used_idx);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_log);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_mutex);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_busy_poll_begin);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_busy_poll_end);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_iotlb_miss);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_iotlb_update);
EXPORT_TRACEPOINT_SYMBOL_GPL(vhost_iotlb_invalidate);
