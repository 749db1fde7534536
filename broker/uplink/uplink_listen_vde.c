/* SPDX-License-Identifier: MIT */
/*
 * A listening uplink that takes the place of vde_switch(1). A client connects to DIR/ctl and sends
 * a request with the path of a datagram socket that it has bound in DIR. The answer is the path of
 * a datagram socket of the uplink, which is for this client only.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/engine/acceptor.h"
#include "broker/engine/engine.h"
#include "broker/uplink/listening.h"
#include "broker/uplink/peer_socket.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/descriptor_reserve.h"
#include "common/failed.h"

/*
 * Both sides connect the two datagram sockets, on which each datagram is one frame, and the
 * connection to DIR/ctl stays open for as long as the client uses its port.
 *
 * The client names the socket to which the broker sends frames. The socket must be in DIR and
 * belong to the client's user, so that the broker sends nothing to a socket of another program.
 */

/* VDE clients cut longer frames without notice. */
#define VDE_MTU 1500

/* Seconds that a client may take to send its request. */
#ifndef VDE_REQUEST_SECONDS
#define VDE_REQUEST_SECONDS 5.
#endif

/* The clients' request. A text of up to 128 bytes follows, which describes the client. */
struct vde_request {
	uint32_t magic;
	uint32_t version;
	uint32_t type; /* in its low byte; a port number, which clients may ask for, is above it */
	struct sockaddr_un socket;
} __attribute__((packed));

#define VDE_MAGIC 0xfeedface
#define VDE_VERSION 3
#define VDE_TEXT_MAX 128

LIST_HEAD(vde_client_list, vde_client);

struct vde_listen {
	struct listening listening; /* first */
	struct acceptor acceptor;
	const char *path;     /* of DIR; the options own it */
	bool accepts;         /* the acceptor is running */
	bool made;            /* the uplink has made DIR */
	unsigned int sockets; /* how many names of sockets were used */
	unsigned int waiting; /* clients that have not sent their request */
	struct vde_client_list clients;
};

/* A client that has connected to DIR/ctl and has not sent its request. */
struct vde_client {
	LIST_ENTRY(vde_client) in_listen;
	struct vde_listen *listen;
	struct peer peer;
	ev_io io;
	ev_timer timer;
	size_t size; /* received bytes */
	union {
		struct vde_request request;
		char bytes[sizeof(struct vde_request) + VDE_TEXT_MAX];
	};
};

static struct vde_listen *listen_of(struct uplink *uplink)
{
	return container_of(uplink, struct vde_listen, listening.uplink);
}

/* ------------------------------------------------------------------------------ the sockets */

/*
 * Return the name in DIR of the path in the request. NULL if the path is not that of a file in DIR.
 * The client may have another path to DIR.
 */
static const char *name_in_directory(const struct vde_listen *listen, char path[])
{
	char *slash = strrchr(path, '/');
	struct stat theirs, ours;

	if (!slash || slash == path || !slash[1] || strcmp(slash + 1, ".") == 0 ||
	    strcmp(slash + 1, "..") == 0)
		return NULL;
	*slash = '\0';
	if (stat(path, &theirs) < 0 || fstat(listen->listening.directory, &ours) < 0 ||
	    theirs.st_dev != ours.st_dev || theirs.st_ino != ours.st_ino)
		return NULL;
	return slash + 1;
}

/* Bind the socket to a new name in DIR, and store the name. -1 with errno. */
static int socket_bind_in_directory(struct vde_listen *listen, int fd, struct sockaddr_un *address,
				    char file[ACCEPTED_FILE_SIZE])
{
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	snprintf(file, ACCEPTED_FILE_SIZE, "%u", ++listen->sockets);
	if ((size_t)snprintf(address->sun_path, sizeof(address->sun_path), "%s/%s", listen->path,
			     file) >= sizeof(address->sun_path))
		return failed(ENAMETOOLONG);
	/* A broker that was killed may have left a socket of this name. */
	if (control_socket_clear(address, sizeof(*address), SOCK_DGRAM) < 0 ||
	    fchmod(fd, 0600) < 0 ||
	    bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
		return -1;
	/* It is connected already, so that no other program can send to it. */
	if (listen->listening.allows_any && chmod(address->sun_path, 0666) < 0) {
		unlink(address->sun_path);
		return -1;
	}
	return 0;
}

/* Make the port of the client, whose request is whole. Takes the control connection. */
static void client_welcome(struct vde_listen *listen, const struct peer *peer, int control,
			   const struct vde_request *request)
{
	struct listening *listening = &listen->listening;
	descriptor_owned fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct uplink_handed handed = {-1, control};
	char path[sizeof(request->socket.sun_path) + 1] = "";
	char file[ACCEPTED_FILE_SIZE];
	struct sockaddr_un address;
	struct accepted *accepted;
	const char *name;

	memcpy(path, request->socket.sun_path, sizeof(request->socket.sun_path));
	name = name_in_directory(listen, path);
	if (fd >= 0)
		descriptor_refuse_others(fd);
	if (!name)
		listening_refuse(listening, "its socket is not in %.60s", listen->path);
	else if (fd < 0 || peer_socket_connect(fd, listening->directory, name, peer->uid) < 0)
		listening_refuse(listening, "cannot use its socket %.40s: %s", name,
				 strerror(errno));
	else if (socket_bind_in_directory(listen, fd, &address, file) < 0)
		listening_refuse(listening, "cannot bind a socket for it: %s", strerror(errno));
	else
		handed.fd = descriptor_take(&fd);
	if (handed.fd < 0) {
		descriptor_close(&handed.life);
		return;
	}
	accepted = listening_accept(listening, peer, &handed);
	if (!accepted) {
		unlinkat(listening->directory, file, 0);
		return;
	}
	strlcpy(accepted->file, file, sizeof(accepted->file));
	if (send(control, &address, sizeof(address), MSG_DONTWAIT | MSG_NOSIGNAL) !=
	    sizeof(address))
		uplink_delete_ended(&accepted->uplink, "the client does not take the answer");
}

/* ------------------------------------------------------------------------------ clients */

/* Free the client, and return its connection, which the caller owns. */
static int client_free(struct vde_client *client)
{
	struct ev_loop *loop = client->listen->listening.uplink.port.engine->loop;
	int fd = client->io.fd;

	ev_io_stop(loop, &client->io);
	ev_timer_stop(loop, &client->timer);
	LIST_REMOVE(client, in_listen);
	client->listen->waiting--;
	free(client);
	return fd;
}

static void client_refuse(struct vde_client *client, const char *reason)
{
	listening_refuse(&client->listen->listening, "%s", reason);
	close(client_free(client));
}

static void client_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)loop;
	(void)events;
	client_refuse(timer->data, "it has sent no request in time");
}

static void client_readable(struct ev_loop *loop, ev_io *io, int events)
{
	struct vde_client *client = io->data;
	struct vde_listen *listen = client->listen;
	struct vde_request request;
	struct peer peer;
	ssize_t received;

	(void)loop;
	(void)events;
	received = recv(io->fd, client->bytes + client->size, sizeof(client->bytes) - client->size,
			MSG_DONTWAIT);
	if (received < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (received <= 0) {
		client_refuse(client, "it has closed the connection without a request");
		return;
	}
	client->size += (size_t)received;
	if (client->size >= sizeof(client->request.magic) && client->request.magic != VDE_MAGIC) {
		client_refuse(client, "what it has sent is no request of VDE");
		return;
	}
	if (client->size < sizeof(client->request))
		return;
	if (client->request.version != VDE_VERSION) {
		client_refuse(client, "its version of VDE's protocol is not 3");
		return;
	}
	/* The broker does not read the rest of the text. */
	request = client->request;
	peer = client->peer;
	client_welcome(listen, &peer, client_free(client), &request);
}

static void client_add(struct vde_listen *listen, int fd, const struct peer *peer)
{
	struct ev_loop *loop = listen->listening.uplink.port.engine->loop;
	struct vde_client *client = calloc(1, sizeof(*client));

	if (!client || descriptor_check_reserve(fd) < 0) {
		listening_refuse(&listen->listening, "%s", strerror(errno));
		close(fd);
		free(client);
		return;
	}
	client->listen = listen;
	client->peer = *peer;
	ev_io_init(&client->io, client_readable, fd, EV_READ);
	client->io.data = client;
	ev_io_start(loop, &client->io);
	ev_timer_init(&client->timer, client_due, VDE_REQUEST_SECONDS, 0.);
	client->timer.data = client;
	ev_timer_start(loop, &client->timer);
	LIST_INSERT_HEAD(&listen->clients, client, in_listen);
	listen->waiting++;
}

static void listen_accepted(struct acceptor *acceptor, int fd)
{
	struct vde_listen *listen = container_of(acceptor, struct vde_listen, acceptor);
	struct listening *listening = &listen->listening;
	descriptor_owned owned = fd;
	struct peer peer = {0};

	if (!listening_has_room(listening, listen->waiting))
		return;
	if (peer_identify(&peer, fd) < 0)
		listening_refuse(listening, "cannot identify it: %s", strerror(errno));
	else if (listening_admits(listening, peer.uid))
		client_add(listen, descriptor_take(&owned), &peer);
}

static const struct acceptor_owner listen_acceptor_owner = {
	.what = "a client of an uplink of type vde",
	.accepted = listen_accepted,
};

/* ------------------------------------------------------------------------------ the uplink */

/* Write the path of the control socket. -1 with ENAMETOOLONG. */
static int control_path(const char *directory, char path[CONTROL_ADDRESS_SIZE])
{
	if ((size_t)snprintf(path, CONTROL_ADDRESS_SIZE, "%s/ctl", directory) <
	    CONTROL_ADDRESS_SIZE)
		return 0;
	return failed(ENAMETOOLONG);
}

static int vde_listen_prepare(struct uplink *uplink, const struct attribute_set *options,
			      struct fault *fault)
{
	struct vde_listen *listen = listen_of(uplink);
	const char *directory = attribute_set_string(options, MEMTUN_A_LISTEN);
	char path[CONTROL_ADDRESS_SIZE];

	LIST_INIT(&listen->clients);
	listen->path = directory;
	if (listening_prepare(&listen->listening, options, fault) < 0)
		return -1;
	if (directory[0] == '@' || strstr(directory, "://"))
		return fault_set(fault, EINVAL,
				 "an uplink of type vde listens in a directory, not on '%.60s'",
				 directory);
	if (control_path(directory, path) < 0)
		return fault_set(fault, ENAMETOOLONG,
				 "listen '%.40s...' is too long for a socket in that directory",
				 directory);
	return 0;
}

/* Clients bind their sockets in the directory, so users who may write to the control socket may also
 * write to the directory. */
static mode_t directory_mode(mode_t socket_mode)
{
	return 0700 | (socket_mode & 0066) | (socket_mode & 0022) >> 1 |
	       (socket_mode & 0066 ? S_ISVTX : 0);
}

/* Make the directory if need be, and open it. -1 with errno. */
static int directory_open(struct vde_listen *listen, const char *path)
{
	struct listening *listening = &listen->listening;

	listen->made = mkdir(path, 0700) == 0;
	if (!listen->made && errno != EEXIST)
		return -1;
	if (listen->made && listening->allows_any &&
	    listening_set_mode(listening, path, directory_mode(listening->mode)) < 0)
		return -1;
	listening->directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return listening->directory < 0 ? -1 : descriptor_check_reserve(listening->directory);
}

static int vde_listen_open(struct uplink *uplink, char text[UPLINK_TEXT_SIZE])
{
	struct vde_listen *listen = listen_of(uplink);
	struct listening *listening = &listen->listening;
	const char *directory = listen->path;
	char path[CONTROL_ADDRESS_SIZE];
	struct fault fault;

	snprintf(text, UPLINK_TEXT_SIZE, "cannot make or use the directory %.60s", directory);
	if (control_path(directory, path) < 0 || directory_open(listen, directory) < 0)
		return -1;
	if (control_socket_listen(&listening->socket, path, SOCK_STREAM, &fault) < 0) {
		listening_tell(&fault, text);
		return -1;
	}
	snprintf(text, UPLINK_TEXT_SIZE, "cannot set the mode or the group of %.60s", path);
	if (listening->allows_any && listening_set_mode(listening, path, listening->mode) < 0)
		return -1;
	if (descriptor_check_reserve(listening->socket.fd) < 0)
		return -1;
	acceptor_start(&listen->acceptor, &listen_acceptor_owner, uplink->port.engine->loop,
		       listening->socket.fd);
	listen->accepts = true;
	return 0;
}

static void vde_listen_end(struct uplink *uplink)
{
	struct vde_listen *listen = listen_of(uplink);
	struct vde_client *client;

	if (listen->accepts)
		acceptor_stop(&listen->acceptor);
	listen->accepts = false;
	control_socket_close(&listen->listening.socket);
	while ((client = LIST_FIRST(&listen->clients)))
		close(client_free(client));
	listening_delete_ports(&listen->listening);
	descriptor_close(&listen->listening.directory);
	/* Clients may have left their sockets in it. */
	if (listen->made)
		rmdir(listen->path);
	listen->made = false;
}

const struct uplink_kind uplink_listen_vde = {
	.size = sizeof(struct vde_listen),
	.takes = {.required = {MEMTUN_A_LISTEN},
		  .allowed = {MEMTUN_A_MAX, MEMTUN_A_ALLOW, MEMTUN_A_SOCKET_MODE,
			      MEMTUN_A_SOCKET_GROUP},
		  .options = OPTION_UPLINK_ANY},
	.mtu = VDE_MTU,
	.listens = true,
	.prepare = vde_listen_prepare,
	.open = vde_listen_open,
	.describe = listening_describe,
	.end = vde_listen_end,
};
