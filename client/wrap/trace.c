/* SPDX-License-Identifier: MIT */
#include "client/wrap/trace.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/wrap/call.h"
#include "client/wrap/device.h"

#define LINE_SIZE 512

/* A number and its name. */
struct word {
	unsigned int number;
	const char *name;
};

#define WORD(constant)              \
	{                           \
		constant, #constant \
	}

static const struct word requests[] = {
	WORD(TUNSETNOCSUM),
	WORD(TUNSETDEBUG),
	WORD(TUNSETIFF),
	WORD(TUNSETPERSIST),
	WORD(TUNSETOWNER),
	WORD(TUNSETLINK),
	WORD(TUNSETGROUP),
	WORD(TUNGETFEATURES),
	WORD(TUNSETOFFLOAD),
	WORD(TUNSETTXFILTER),
	WORD(TUNGETIFF),
	WORD(TUNGETSNDBUF),
	WORD(TUNSETSNDBUF),
	WORD(TUNATTACHFILTER),
	WORD(TUNDETACHFILTER),
	WORD(TUNGETVNETHDRSZ),
	WORD(TUNSETVNETHDRSZ),
	WORD(TUNSETQUEUE),
	WORD(TUNSETIFINDEX),
	WORD(TUNGETFILTER),
	WORD(TUNSETVNETLE),
	WORD(TUNGETVNETLE),
	WORD(TUNSETVNETBE),
	WORD(TUNGETVNETBE),
	WORD(TUNSETSTEERINGEBPF),
	WORD(TUNSETFILTEREBPF),
	WORD(TUNSETCARRIER),
	WORD(TUNGETDEVNETNS),
	WORD(SIOCGIFNAME),
	WORD(SIOCGIFCONF),
	WORD(SIOCGIFFLAGS),
	WORD(SIOCSIFFLAGS),
	WORD(SIOCGIFADDR),
	WORD(SIOCSIFADDR),
	WORD(SIOCGIFDSTADDR),
	WORD(SIOCSIFDSTADDR),
	WORD(SIOCGIFBRDADDR),
	WORD(SIOCSIFBRDADDR),
	WORD(SIOCGIFNETMASK),
	WORD(SIOCSIFNETMASK),
	WORD(SIOCGIFMETRIC),
	WORD(SIOCSIFMETRIC),
	WORD(SIOCGIFMTU),
	WORD(SIOCSIFMTU),
	WORD(SIOCSIFNAME),
	WORD(SIOCGIFHWADDR),
	WORD(SIOCSIFHWADDR),
	WORD(SIOCGIFINDEX),
	WORD(SIOCGIFTXQLEN),
	WORD(SIOCSIFTXQLEN),
	WORD(SIOCETHTOOL),
	WORD(SIOCGIFMAP),
	WORD(SIOCSIFMAP),
	WORD(SIOCGIFSLAVE),
	{0, NULL},
};

static const struct word device_flags[] = {
	WORD(IFF_TUN),        WORD(IFF_TAP),         WORD(IFF_NO_PI),    WORD(IFF_VNET_HDR),
	WORD(IFF_ONE_QUEUE),  WORD(IFF_MULTI_QUEUE), WORD(IFF_TUN_EXCL), WORD(IFF_NAPI),
	WORD(IFF_NAPI_FRAGS), WORD(IFF_NO_CARRIER),  {0, NULL},
};

static const struct word open_flags[] = {
	WORD(O_CLOEXEC), WORD(O_NONBLOCK), WORD(O_APPEND), WORD(O_NOCTTY), {0, NULL},
};

struct line {
	char text[LINE_SIZE];
	size_t length;
};

static void line_add(struct line *line, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void line_add(struct line *line, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line->text + line->length, sizeof(line->text) - line->length, format,
			   arguments);
	va_end(arguments);
	if (length > 0)
		line->length += (size_t)length;
	if (line->length > sizeof(line->text) - 1)
		line->length = sizeof(line->text) - 1;
}

static const char *word_find(const struct word *words, unsigned int number)
{
	while (words->name && words->number != number)
		words++;
	return words->name;
}

/* Add the names of the flags with '|' between them, and what has no name as a number. */
static void line_add_flags(struct line *line, const struct word *words, unsigned long flags,
			   const char *before)
{
	for (; words->name; words++) {
		if (!(flags & words->number))
			continue;
		line_add(line, "%s%s", before, words->name);
		flags &= ~(unsigned long)words->number;
		before = "|";
	}
	if (flags)
		line_add(line, "%s0x%lx", before, flags);
}

/* Add the result, and print the line in one piece, as the program may print, too. */
static void line_end(struct line *line, long result)
{
	const char *name = result < 0 ? strerrorname_np((int)-result) : NULL;

	if (result == CALL_FD_UNKNOWN)
		line_add(line, " = a descriptor");
	else if (name)
		line_add(line, " = -1 %s (%s)", name, strerror((int)-result));
	else
		line_add(line, " = %ld", result);
	line->text[line->length++] = '\n';
	/* An error of standard error itself cannot be reported. */
	if (write(STDERR_FILENO, line->text, line->length) < 0)
		return;
}

void trace_open(const struct call *call, const char *path, long result)
{
	struct line line = {0};

	line_add(&line, "[%d] %s(", (int)call->thread, call->name);
	if (strcmp(call->name, "open") != 0 && call->directory == AT_FDCWD)
		line_add(&line, "AT_FDCWD, ");
	else if (strcmp(call->name, "open") != 0)
		line_add(&line, "%d, ", call->directory);
	line_add(&line, "\"%s\", O_RDWR", path);
	line_add_flags(&line, open_flags, call->flags & ~(unsigned long)O_ACCMODE, "|");
	line_add(&line, ")");
	line_end(&line, result);
}

void trace_ioctl(const struct call *call, const struct device *device, const char *interface,
		 long result)
{
	const char *name = word_find(requests, call->request);
	struct line line = {0};

	line_add(&line, "[%d] ioctl(%d, ", (int)call->thread, call->fd);
	if (name)
		line_add(&line, "%s, ", name);
	else
		line_add(&line, "0x%x, ", call->request);
	if (device && call->request == TUNSETIFF) {
		line_add(&line, "{\"%s\", ", device->tun.requested_name);
		line_add_flags(&line, device_flags, device->tun.requested_flags, "");
		if (result == 0)
			line_add(&line, "} => {\"%s\"", device->tun.interface->name);
		line_add(&line, "})");
	} else if (interface) {
		line_add(&line, "{\"%s\"})", interface);
	} else {
		line_add(&line, "0x%lx)", call->argument);
	}
	line_end(&line, result);
}
