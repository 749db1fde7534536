/* SPDX-License-Identifier: MIT */
/*
 * Where the library is that is preloaded into the program.
 */
#ifndef MEMTUN_PRELOAD_LIBRARY_H
#define MEMTUN_PRELOAD_LIBRARY_H

#include <limits.h>

/*
 * Find libmemtun-preload.so: beside this program, or where it was installed. -1 with ENOENT, or
 * EINVAL: its path has a blank or a colon, at which LD_PRELOAD would be split.
 */
int preload_library_find(char path[PATH_MAX]);

#endif
