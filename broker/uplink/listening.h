/* SPDX-License-Identifier: MIT */
/*
 * What all listening uplinks share. Each peer that connects becomes a port of its own, NAME%d, an
 * uplink of the kind uplink_accepted. The listening uplink, which no frames pass, counts its peers,
 * refuses those that it does not admit, and deletes their ports when it is deleted.
 */
#ifndef MEMTUN_LISTENING_H
#define MEMTUN_LISTENING_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "broker/uplink/life.h"
#include "broker/uplink/uplink.h"
#include "common/control_socket.h"

/* How many peers may be connected, unless the option `max` says otherwise. */
#define LISTENING_MAX_DEFAULT 64

LIST_HEAD(accepted_list, accepted);

struct listening {
	struct uplink uplink; /* first */
	struct control_socket socket;
	int directory; /* of type vde: where the sockets of its ports are; else -1 */
	struct accepted_list ports;
	unsigned int connected; /* how many ports there are */
	unsigned int max;
	bool allows_any; /* peers of any user */
	mode_t mode;     /* of the socket's file */
	gid_t group;     /* of the socket's file; (gid_t)-1: that of the process */
	uint64_t accepted, refused;
	int64_t told; /* when an event last told of a refusal */
};

/* Room for the name of a port's socket in the directory. */
#define ACCEPTED_FILE_SIZE 16

/* The port of a peer, whose lane uses the descriptor that uplink_add() was given. */
struct accepted {
	struct uplink uplink;        /* first */
	struct listening *listening; /* NULL until it is in the list */
	LIST_ENTRY(accepted) in_listening;
	struct life life;              /* of type vde: the connection to the control socket */
	char file[ACCEPTED_FILE_SIZE]; /* the socket's name in the directory; "": none */
	struct sockaddr_storage peer;  /* of type dgram: the name that the peer has bound */
	socklen_t peer_size;
};

/* The uid of a peer whose user the kernel does not tell. */
#define PEER_UNKNOWN ((uid_t)-1)

/* The peer that has connected. */
struct peer {
	uid_t uid;
	pid_t pid;          /* 0: not known */
	const char *remote; /* the peer's address; NULL: it has none */
};

/* Identify the peer of a connected UNIX socket. -1 with errno. */
int peer_identify(struct peer *peer, int fd);

/* Read the options that all listening uplinks have. -1 with the fault filled (EINVAL). */
int listening_prepare(struct listening *listening, const struct attribute_set *options,
		      struct fault *fault);

/* Write what the fault says without the error at its end, which the caller adds. errno stays that of
 * the fault. */
void listening_tell(const struct fault *fault, char text[UPLINK_TEXT_SIZE]);

/* Give the socket's file, or the directory, at a path the group and this mode. -1 with errno. */
int listening_set_mode(const struct listening *listening, const char *path, mode_t mode);

/*
 * Check that one more peer may connect, after deleting the ports of peers that have ended. `waiting`
 * peers are connected, and have no port yet. If there is no room, count a refused peer and return
 * false.
 */
bool listening_has_room(struct listening *listening, unsigned int waiting);

/* Check that a peer of this user may connect. If not, count a refused peer and return false. */
bool listening_admits(struct listening *listening, uid_t uid);

/* Count a refused peer, and tell why. */
void listening_refuse(struct listening *listening, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/*
 * Make a port for the peer, which takes the descriptors. Return NULL if it cannot be made: the
 * descriptors are closed then, and a refused peer is counted.
 */
struct accepted *listening_accept(struct listening *listening, const struct peer *peer,
				  struct uplink_handed *handed);

/* Delete all ports. */
void listening_delete_ports(struct listening *listening);

/* Put the attributes of a listening uplink into the set: uplink_kind.describe. */
void listening_describe(const struct uplink *uplink, struct attribute_set *set);

#endif
