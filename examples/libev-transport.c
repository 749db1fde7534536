/* SPDX-License-Identifier: MIT */
/*
 * A memtun transport in a libev program: `serve PATH` receives files as descriptors and prints the
 * length of each; `send PATH FILE...` opens files and sends them.
 *
 * The sender opens no more files than the transport has room for: it stops when the transport calls
 * pause, and goes on at resume. So it has few open descriptors, whatever the number of files and
 * the speed of the receiver.
 *
 * The part to copy is `struct binding`. Before each wait of the event loop it asks the transport
 * what to poll for, because any call into the transport may change that.
 */
#include <err.h>
#include <errno.h>
#include <ev.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <memtun/transport.h>

/* --- a transport on a loop --- */

struct binding {
	struct memtun_transport *transport;
	ev_prepare before_wait;
	ev_io io;
	ev_timer deadline;
};

static void binding_ready(struct ev_loop *loop, ev_io *io, int events)
{
	struct binding *binding = io->data;

	(void)loop;
	/* This must be the last statement: a handler may free the transport and the binding. */
	memtun_transport_dispatch(binding->transport, (events & EV_READ ? POLLIN : 0) |
							      (events & EV_WRITE ? POLLOUT : 0));
}

static void binding_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct binding *binding = timer->data;

	(void)loop;
	(void)events;
	memtun_transport_dispatch(binding->transport, 0);
}

static void binding_before_wait(struct ev_loop *loop, ev_prepare *prepare, int unused)
{
	struct binding *binding = prepare->data;
	short wanted = memtun_transport_events(binding->transport);
	int events = (wanted & POLLIN ? EV_READ : 0) | (wanted & POLLOUT ? EV_WRITE : 0);
	int64_t deadline = memtun_transport_deadline(binding->transport);
	struct timespec now;

	(void)unused;
	if (events !=
	    (ev_is_active(&binding->io) ? binding->io.events & (EV_READ | EV_WRITE) : 0)) {
		ev_io_stop(loop, &binding->io);
		ev_io_set(&binding->io, memtun_transport_fd(binding->transport), events);
		if (events)
			ev_io_start(loop, &binding->io);
	}
	ev_timer_stop(loop, &binding->deadline);
	if (deadline >= 0) {
		double seconds;

		clock_gettime(CLOCK_MONOTONIC, &now);
		seconds = ((double)deadline - (double)now.tv_nsec) / 1e9 - (double)now.tv_sec;
		ev_now_update(loop); /* the start of the timer's delay */
		ev_timer_set(&binding->deadline, seconds > 0 ? seconds : 0, 0);
		ev_timer_start(loop, &binding->deadline);
	}
}

static void binding_start(struct binding *binding, struct ev_loop *loop,
			  struct memtun_transport *transport)
{
	binding->transport = transport;
	ev_prepare_init(&binding->before_wait, binding_before_wait);
	ev_io_init(&binding->io, binding_ready, memtun_transport_fd(transport), 0);
	ev_timer_init(&binding->deadline, binding_due, 0, 0);
	binding->before_wait.data = binding->io.data = binding->deadline.data = binding;
	ev_prepare_start(loop, &binding->before_wait);
}

static void binding_stop(struct binding *binding, struct ev_loop *loop)
{
	ev_prepare_stop(loop, &binding->before_wait);
	ev_io_stop(loop, &binding->io);
	ev_timer_stop(loop, &binding->deadline);
}

/* --- the receiver --- */

struct client {
	struct binding binding;
	int fd; /* a received file whose name has not come yet; or -1 */
	unsigned int files;
};

static void client_fd_received(struct memtun_transport *transport, int fd, void *context)
{
	struct client *client = context;

	(void)transport;
	if (client->fd >= 0) /* a message with two descriptors: the last counts */
		close(client->fd);
	client->fd = fd;
}

static void client_data_received(struct memtun_transport *transport, const void *name,
				 size_t length, unsigned int flags, void *context)
{
	struct client *client = context;
	struct stat status;

	(void)transport;
	if (flags & MEMTUN_TRANSPORT_FDS_LOST)
		warnx("%.*s: its descriptor is lost", (int)length, (const char *)name);
	if (client->fd < 0)
		return;
	if (fstat(client->fd, &status) == 0)
		printf("%.*s: %jd bytes\n", (int)length, (const char *)name,
		       (intmax_t)status.st_size);
	fflush(stdout);
	close(client->fd);
	client->fd = -1;
	client->files++;
}

static void client_closed(struct memtun_transport *transport, int error, void *context)
{
	struct client *client = context;

	printf("a client left after %u files: %s\n", client->files,
	       error ? strerror(error) : "orderly");
	fflush(stdout);
	if (client->fd >= 0)
		close(client->fd);
	binding_stop(&client->binding, EV_DEFAULT);
	memtun_transport_free(transport);
	free(client);
}

static void listener_ready(struct ev_loop *loop, ev_io *io, int events)
{
	static const struct memtun_transport_handlers handlers = {
		.fd_received = client_fd_received,
		.data_received = client_data_received,
		.closed = client_closed,
	};
	int fd = accept4(io->fd, NULL, NULL, SOCK_CLOEXEC);
	struct client *client = calloc(1, sizeof(*client));
	struct memtun_transport *transport = NULL;

	(void)events;
	if (fd >= 0 && client)
		transport = memtun_transport_new(fd, &handlers, client);
	if (!transport) {
		warn("a client is turned away");
		free(client);
		if (fd >= 0)
			close(fd);
		return;
	}
	client->fd = -1;
	binding_start(&client->binding, loop, transport);
}

static void told_to_end(struct ev_loop *loop, ev_signal *signal, int events)
{
	(void)signal;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static int serve(struct ev_loop *loop, int fd, const struct sockaddr_un *address)
{
	ev_signal terminate, interrupt;
	ev_io listener;

	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 || listen(fd, 8) < 0)
		err(1, "cannot listen on %s", address->sun_path);
	printf("listening on %s\n", address->sun_path);
	fflush(stdout);
	ev_io_init(&listener, listener_ready, fd, EV_READ);
	ev_io_start(loop, &listener);
	ev_signal_init(&terminate, told_to_end, SIGTERM);
	ev_signal_start(loop, &terminate);
	ev_signal_init(&interrupt, told_to_end, SIGINT);
	ev_signal_start(loop, &interrupt);
	ev_run(loop, 0);
	unlink(address->sun_path);
	return 0;
}

/* --- the sender --- */

struct sender {
	struct binding binding;
	char **files; /* files that are yet to be sent, then NULL */
	unsigned int sent;
};

/* Send files until the transport calls pause or none is left. */
static void sender_go_on(struct sender *sender)
{
	struct memtun_transport *transport = sender->binding.transport;

	for (; *sender->files && !memtun_transport_is_paused(transport); sender->files++) {
		const char *name = *sender->files;
		int fd = open(name, O_RDONLY | O_CLOEXEC);

		if (fd < 0) {
			warn("%s", name);
			continue;
		}
		/* After a successful send, the transport owns the descriptor. */
		if (memtun_transport_send(transport, name, strlen(name), &fd, 1) < 0)
			err(1, "cannot send %s", name);
		sender->sent++;
	}
}

static void sender_pause(struct memtun_transport *transport, void *context)
{
	const struct sender *sender = context;

	/* This file has made the queue full. */
	printf("paused with %zu of %u files waiting\n", memtun_transport_queued_fds(transport),
	       sender->sent + 1);
	fflush(stdout);
}

static void sender_resume(struct memtun_transport *transport, void *context)
{
	(void)transport;
	printf("resumed\n");
	fflush(stdout);
	sender_go_on(context);
}

static void sender_closed(struct memtun_transport *transport, int error, void *context)
{
	(void)transport;
	(void)context;
	errx(1, "the receiver left: %s", error ? strerror(error) : "orderly");
}

static void sender_check_done(struct ev_loop *loop, ev_prepare *prepare, int events)
{
	struct sender *sender = prepare->data;

	(void)events;
	if (!*sender->files && memtun_transport_queued_fds(sender->binding.transport) == 0)
		ev_break(loop, EVBREAK_ALL);
}

static int send_files(struct ev_loop *loop, int fd, const struct sockaddr_un *address, char **files)
{
	static const struct memtun_transport_handlers handlers = {
		.pause = sender_pause,
		.resume = sender_resume,
		.closed = sender_closed,
	};
	struct sender sender = {.files = files};
	struct memtun_transport *transport;
	ev_prepare check_done;

	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		err(1, "cannot connect to %s", address->sun_path);
	transport = memtun_transport_new(fd, &handlers, &sender);
	if (!transport)
		err(1, "cannot make a transport");
	binding_start(&sender.binding, loop, transport);
	sender_go_on(&sender);
	ev_prepare_init(&check_done, sender_check_done);
	check_done.data = &sender;
	ev_prepare_start(loop, &check_done);
	ev_run(loop, 0);
	printf("sent %u files\n", sender.sent);
	binding_stop(&sender.binding, loop);
	memtun_transport_free(transport);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd;

	if (argc < 3 || (strcmp(argv[1], "serve") != 0 && strcmp(argv[1], "send") != 0))
		errx(2, "usage: %s serve PATH | send PATH FILE...", argv[0]);
	if (strlen(argv[2]) >= sizeof(address.sun_path))
		errx(2, "%s: the path is too long for a socket", argv[2]);
	strcpy(address.sun_path, argv[2]);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "cannot make a socket");
	return strcmp(argv[1], "serve") == 0 ? serve(EV_DEFAULT, fd, &address)
					     : send_files(EV_DEFAULT, fd, &address, argv + 3);
}
