/* SPDX-License-Identifier: MIT */
#include "client/command/left_out.h"

#include "config.h"

static const char *const left_out[] = {
#ifndef HAVE_SMARTCOLS
	"no tables, only JSON: -j is needed (libsmartcols)",
#endif
#ifndef HAVE_PCAP
	"no FILTER, and no inject --pcap (libpcap)",
#endif
#ifndef HAVE_NCURSES
	"no screen of memtun top (ncurses)",
#endif
	NULL,
};

void left_out_print(FILE *to)
{
	if (left_out[0])
		fputs("\nLeft out of this build:\n", to);
	for (int i = 0; left_out[i]; i++)
		fprintf(to, "  %s\n", left_out[i]);
}
