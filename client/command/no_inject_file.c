/* SPDX-License-Identifier: MIT */
/* Replaces inject_file.c in a build without libpcap: memtun inject reads no files. */
#include "client/command/inject_file.h"

#include "client/command/command.h"

int inject_file(struct inject_file *file)
{
	return command_fail(
		EXIT_REFUSED,
		"cannot read %s: this build reads no capture files, because it was made "
		"without libpcap",
		file->path);
}
