/* SPDX-License-Identifier: MIT */
#include "common/fault.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/utf8.h"

int fault_set(struct fault *fault, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(fault->text, sizeof(fault->text), format, arguments);
	va_end(arguments);
	utf8_make_printable(fault->text);
	fault->error = error;
	errno = error;
	return -1;
}
