/* SPDX-License-Identifier: MIT */
/*
 * memtun wrap --explain: what this machine allows, tried out with a child process that executes
 * nothing.
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "client/wrap/way.h"
#include "client/wrap/wrap.h"
#include "common/exit_status.h"

static void line(const char *what, const char *answer)
{
	fprintf(stderr, "%-22s %s\n", what, answer);
}

int wrap_explain(const struct wrap_settings *settings)
{
	struct utsname kernel;
	struct way way;
	int result = way_choose(&way, settings);

	if (uname(&kernel) == 0)
		line("kernel:", kernel.release);
	if (!way.preloads) {
		line("notifications:", "yes");
		line("  interrupted by:", way.launch.killable
						  ? "fatal signals only (Linux 5.19)"
						  : "each signal (fatal ones only: Linux 5.19)");
		line("  fast switch:", way.direct ? "yes (Linux 6.6)" : "no (Linux 6.6)");
	} else {
		line("notifications:", settings->way == WRAP_PRELOAD ? "not tried" : way.reason);
	}
	line("memory of the program:", way.memory == MEMORY_DIRECT ? "process_vm_readv(2)"
				       : way.memory == MEMORY_FILE ? "/proc/PID/mem"
								   : "cannot be read");
	line(PRELOAD_LIBRARY ":", way.library_fault ? "not found" : way.names.library);
	if (result < 0)
		fprintf(stderr, "wrap cannot run a program: %s\n", way.reason);
	else if (way.preloads)
		fprintf(stderr,
			"wrap uses the library: %s; static programs and Go programs are not "
			"reached\n",
			way.reason);
	else
		fputs("wrap uses notifications: they reach all programs\n", stderr);
	if (result == 0)
		launch_cancel(&way.launch);
	return result < 0 ? EXIT_OURS : 0;
}
