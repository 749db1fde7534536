/* SPDX-License-Identifier: MIT */
/*
* A transport under test, a record of its handlers' calls, and the plain socket that is its peer.
 * Tests that use it are listed by ON_SEQPACKET(), ON_STREAM() or ON_BOTH().
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
	HANDLER_DRAINED,
	HANDLER_HALF_CLOSED,
	HANDLER_CLOSED,
};

/* One call of data_received. */
struct piece {
	size_t start; /* in data[] */
	size_t length;
	size_t fds_before; /* descriptors that were received before it */
	unsigned int flags;
};

struct fixture {
	int type; /* SOCK_SEQPACKET or SOCK_STREAM */
	struct memtun_transport *transport;
	int peer; /* -1: closed */
	struct memtun_transport_handlers handlers;

	/* Settings that a test may change. */
	enum handler free_in; /* which handler frees the transport */
	bool stop_at_data;    /* data_received turns reading off */

	/* The record of the handlers' calls. */
	unsigned char data[FIXTURE_DATA_MAX];
	size_t length;
	struct piece pieces[FIXTURE_PIECES_MAX];
	size_t piece_count;
	int fds[FIXTURE_FDS_MAX];
	size_t fd_count;
	int pauses;
	int resumes;
	int drains;
	int half_closes;
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

/* Dispatch events, without waiting, until there are none. */
void fixture_run(struct fixture *fixture);

/* Wait at most 10 seconds for the next event or deadline, and dispatch it. */
void fixture_wait(struct fixture *fixture);

/* Give the transport a half_closed handler, which counts its calls. */
void fixture_count_half_closes(struct fixture *fixture);

void fixture_close_peer(struct fixture *fixture);

/* Fill the kernel's buffer towards the peer, until a message of one byte stays in the transport's
 * send queue. Return how many messages were sent, that one included. */
size_t fixture_stall(struct fixture *fixture);

/* Return a new file, which a test can recognise by its inode. */
int file_new(void);
ino_t file_inode(int fd);

/* Call recvmsg() once and store the descriptors. Return the length, or -1 with errno. */
ssize_t peer_receive(int socket, void *data, size_t room, int *fds, size_t *fd_count);

/* Call sendmsg() once. Return the length, or -1 with errno. */
ssize_t peer_send(int socket, const void *data, size_t length, const int *fds, size_t fd_count);

#endif
