/* SPDX-License-Identifier: MIT */
/*
 * In the place of filter.c where memtun is built without libseccomp: memtun wrap then has the
 * preloaded library only.
 */
#include "client/wrap/filter.h"

#include <errno.h>

#include "common/failed.h"

int filter_build(struct sock_fprog *program)
{
	(void)program;
	return failed(EOPNOTSUPP);
}

void filter_free(struct sock_fprog *program)
{
	(void)program;
}

int filter_install(const struct sock_fprog *program, bool *killable)
{
	(void)program;
	*killable = false;
	return failed(EOPNOTSUPP);
}
