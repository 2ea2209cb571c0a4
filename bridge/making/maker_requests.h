/* SPDX-License-Identifier: MIT */
/* What the maker does when it is asked. */
#pragma once

#include "maker_wire.h"

/* Takes the first message. -errno with `why` filled. */
int maker_requests_begin(const struct maker_hello *hello, struct maker_answer *answer,
			 struct ixgbe_why *why);
/* A request of the right size, with descriptors, which stay the caller's. Fills in the answer, and
 * its descriptors, which are the caller's, too. -errno with `why` filled: refused, or it failed. */
int maker_requests_serve(const struct maker_request *request, const int *fd,
			 struct maker_answer *answer, int out[MAKER_ANSWER_FDS_MAX],
			 struct ixgbe_why *why);
