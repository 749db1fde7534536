/* SPDX-License-Identifier: MIT */
#include "tests/bench/vde_forwarder.h"

#include <err.h>
#include <fcntl.h>
#include <libvdeplug.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/measure.h"
#include "tests/bench/process.h"

/* Seconds within which vde_switch must listen. */
#define LISTENS_WITHIN 5

static int vde_end_send(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	const struct iovec *frame = messages->msg_hdr.msg_iov;

	(void)count;
	return vde_send(end->connection, frame->iov_base, frame->iov_len, 0) < 0 ? -1 : 1;
}

static int vde_end_receive(const struct wire_end *end, struct mmsghdr messages[], int count)
{
	const struct iovec *room = messages->msg_hdr.msg_iov;
	ssize_t length = vde_recv(end->connection, room->iov_base, room->iov_len, 0);

	(void)count;
	messages->msg_len = (unsigned int)length;
	return length < 0 ? -1 : 1;
}

/* Start a vde_switch with a console that sends nothing: the switch ends when the console does. It
 * is not killed, because it removes its files when it ends, however the benchmark ends. */
static void run_switch(const char *path, int console)
{
	int null = open("/dev/null", O_WRONLY);

	if (null < 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) < 0 || dup2(console, STDIN_FILENO) < 0 ||
	    dup2(null, STDOUT_FILENO) < 0 || dup2(null, STDERR_FILENO) < 0)
		_exit(1);
	execlp("vde_switch", "vde_switch", "-s", path, (char *)NULL);
	_exit(1);
}

/* The switch listens some time after its start. */
static VDECONN *connect_end(const char *path)
{
	static const struct timespec rest = {.tv_nsec = 10000000};
	double until = measure_time() + LISTENS_WITHIN;
	char url[80], description[] = "bench";
	VDECONN *connection;

	snprintf(url, sizeof(url), "vde://%s", path);
	while (!(connection = vde_open(url, description, NULL)) && measure_time() < until)
		nanosleep(&rest, NULL);
	return connection;
}

static struct wire_end end_of(VDECONN *connection)
{
	return (struct wire_end){
		.fd = vde_datafd(connection),
		.is_socket = true,
		.connection = connection,
		.send = vde_end_send,
		.receive = vde_end_receive,
	};
}

static bool is_command(const char *name)
{
	char command[80];

	snprintf(command, sizeof(command), "command -v %s >/dev/null 2>&1", name);
	return system(command) == 0;
}

const char *vde_forwarder_start(struct vde_forwarder *forwarder)
{
	VDECONN *in, *out;
	int console[2];

	if (!is_command("vde_switch"))
		return "there is no vde_switch";
	strlcpy(forwarder->directory, "/tmp/memtun-bench-XXXXXX", sizeof(forwarder->directory));
	if (!mkdtemp(forwarder->directory) || pipe2(console, O_CLOEXEC) < 0)
		err(1, "cannot prepare a vde_switch");
	forwarder->pid = process_fork();
	if (forwarder->pid == 0)
		run_switch(forwarder->directory, console[0]);
	close(console[0]);
	forwarder->console = console[1];
	in = connect_end(forwarder->directory);
	out = connect_end(forwarder->directory);
	if (!in || !out)
		err(1, "cannot connect to the vde_switch at %s", forwarder->directory);
	forwarder->wire = (struct wire){.in = end_of(in), .out = end_of(out), .is_moved = true};
	return NULL;
}

void vde_forwarder_end(struct vde_forwarder *forwarder)
{
	vde_close(forwarder->wire.in.connection);
	vde_close(forwarder->wire.out.connection);
	process_end(forwarder->pid);
	close(forwarder->console);
}
