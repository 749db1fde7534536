/* SPDX-License-Identifier: MIT */
/*
 * A transport under test, what its handlers were told, and the plain socket that is its peer. Each
 * test that takes one is listed by ON_BOTH() (or one of the two) with setup and teardown.
 */
#ifndef MEMTUN_TESTS_TRANSPORT_FIXTURE_H
#define MEMTUN_TESTS_TRANSPORT_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "memtun/transport.h"
#include "tests/unit/runner.h"

#define FIXTURE_FDS_MAX 2048
#define FIXTURE_PIECES_MAX 4096
#define FIXTURE_DATA_MAX 262144

enum handler {
	HANDLER_NONE,
	HANDLER_FD_RECEIVED,
	HANDLER_DATA_RECEIVED,
	HANDLER_RESUME,
	HANDLER_CLOSED,
};

/* One data_received. */
struct piece {
	size_t start; /* in data[] */
	size_t length;
	size_t fds_before; /* how many descriptors had come by then */
	unsigned int flags;
};

struct fixture {
	int type; /* SOCK_SEQPACKET or SOCK_STREAM */
	struct memtun_transport *transport;
	int peer; /* -1: closed */
	struct memtun_transport_handlers handlers;

	/* What a test may ask for. */
	enum handler free_in; /* which handler frees the transport */
	bool stop_at_data;    /* data_received turns reading off */

	/* What was told. */
	unsigned char data[FIXTURE_DATA_MAX];
	size_t length;
	struct piece pieces[FIXTURE_PIECES_MAX];
	size_t piece_count;
	int fds[FIXTURE_FDS_MAX];
	size_t fd_count;
	int pauses;
	int resumes;
	int ends;
	int end_error;
	struct memtun_transport_notice notices[16];
	size_t notice_count;
	int calls_after_free;
};

extern const int fixture_seqpacket;
extern const int fixture_stream;

#define FIXTURE_TEST(test, type)                                                             \
	{                                                                                    \
		.name = #test "_on_" #type, .test_func = test, .setup_func = fixture_setup,  \
		.teardown_func = fixture_teardown, .initial_state = (void *)&fixture_##type, \
	}
#define ON_SEQPACKET(test) FIXTURE_TEST(test, seqpacket)
#define ON_STREAM(test) FIXTURE_TEST(test, stream)
#define ON_BOTH(test) ON_SEQPACKET(test), ON_STREAM(test)

int fixture_setup(void **state);
int fixture_teardown(void **state);

/* Dispatches what poll(2) says now, until there is nothing more to do at once. */
void fixture_run(struct fixture *fixture);

/* Waits (10 seconds at most) for the next event or deadline, and dispatches it. */
void fixture_wait(struct fixture *fixture);

void fixture_close_peer(struct fixture *fixture);

/* Fills the kernel's buffer towards the peer, until something stays queued; its bytes and
 * descriptors are what the queue then holds. Returns how many messages of one byte were sent. */
size_t fixture_stall(struct fixture *fixture);

/* A file of its own, known by its inode. */
int file_new(void);
ino_t file_inode(int fd);

/* One plain recvmsg from the socket, as the simplest of peers would do it. -1 with errno. */
ssize_t peer_receive(int socket, void *data, size_t room, int *fds, size_t *fd_count);

/* One plain sendmsg to the socket. -1 with errno. */
ssize_t peer_send(int socket, const void *data, size_t length, const int *fds, size_t fd_count);

#endif
