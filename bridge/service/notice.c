/* SPDX-License-Identifier: MIT */
#include "notice.h"

bool notice_add(struct notice *notice, int64_t now_ms)
{
	bool begins = !notice->count || now_ms - notice->last_ms >= NOTICE_QUIET_MS;

	notice->count++;
	notice->last_ms = now_ms;
	return begins;
}
