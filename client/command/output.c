/* SPDX-License-Identifier: MIT */
#include "client/command/output.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "common/failed.h"

FILE *output;

/* The errno of the first write that failed, 0: none has. errno itself changes until it is printed. */
static int output_error;

/* Wait until the descriptor takes more, or until writing reports why it never will. */
static void wait_writable(int fd)
{
	struct pollfd polled = {.fd = fd, .events = POLLOUT};

	poll(&polled, 1, -1);
}

int output_write(int fd, struct iovec *parts, int count)
{
	while (count) {
		ssize_t written = writev(fd, parts, count);

		if (written < 0 && errno == EAGAIN)
			wait_writable(fd);
		if (written < 0 && errno != EINTR && errno != EAGAIN)
			return -1;
		if (written < 0)
			continue;
		for (; count && (size_t)written >= parts->iov_len; parts++, count--)
			written -= (ssize_t)parts->iov_len;
		if (count) {
			parts->iov_base = (char *)parts->iov_base + written;
			parts->iov_len -= (size_t)written;
		}
	}
	return 0;
}

/* As fopencookie(3) has it: 0 is an error. */
static ssize_t stream_write(void *cookie, const char *data, size_t length)
{
	struct iovec part = {(void *)(uintptr_t)data, length};

	(void)cookie;
	if (output_write(STDOUT_FILENO, &part, 1) == 0)
		return (ssize_t)length;
	if (!output_error)
		output_error = errno;
	return 0;
}

int output_open(void)
{
	output = fopencookie(NULL, "w", (cookie_io_functions_t){.write = stream_write});
	if (!output)
		return -1;
	/* The same as stdout. */
	setvbuf(output, NULL, isatty(STDOUT_FILENO) ? _IOLBF : _IOFBF, BUFSIZ);
	return 0;
}

int output_flush(void)
{
	if (fflush(output) == 0 && !ferror(output) && !output_error)
		return 0;
	return failed(output_error ? output_error : errno);
}

struct pollfd output_watch(void)
{
	return (struct pollfd){.fd = STDOUT_FILENO};
}

bool output_has_no_reader(const struct pollfd *watched)
{
	return (watched->revents & (POLLERR | POLLHUP)) != 0;
}

void output_break(void)
{
	raise(SIGPIPE);
	output_error = EPIPE;
}
