/* SPDX-License-Identifier: MIT */
/* Steps that several scenarios of test_faults take. Each returns -1 if one of its calls fails. */
#ifndef MEMTUN_TESTS_FAULT_STEPS_H
#define MEMTUN_TESTS_FAULT_STEPS_H

#include "tests/unit/runner.h"

#include "tests/unit/broker/fault_world.h"

/* Free the options at the end of the variable's scope. */
void options_free(struct memtun_options **options);
#define options_owned __attribute__((cleanup(options_free)))

/* Return options from one text, which the caller frees; NULL if that fails. */
struct memtun_options *options_make(const char *text);

/* Make a tunnel that stays. */
int add(struct world *world, const char *name, const char *text);

/* Open a tunnel, and assert that a refused open makes no tunnel. Return the descriptor or -1. */
int open_tunnel(struct world *world, const char *name, const char *text);

/* Assert that each frame that was offered to a port is accounted for. */
void counters_check(const struct memtun_record *record, void *context);

/* The records of one answer. */
struct answer {
	int fds[8];
	unsigned int fd_count;
	unsigned int records;
	uint32_t queue_id;
	bool done;
	int error;
};

/* Close the descriptors that came with the answer. */
void answer_close(struct answer *answer);

/* Send a request, wait for its answer, and store that in *answer. */
int ask(struct world *world, enum memtun_command command, const char *name, const char *text,
	struct answer *answer);

#define FRAME_SIZE 1400
#define FRAMES 160 /* more than a socket's buffer holds, so that some are kept */

/* One client's end of a tunnel. */
struct end {
	int fd;
	bool is_stream;
	bool gone;
	unsigned int number;  /* of the next frame to send, or of the last one received */
	unsigned int arrived; /* frames */
	size_t part;          /* bytes of a frame that are sent, or received */
	unsigned char bytes[4 + FRAME_SIZE];
};

/* Send the rest of the next frame. Return false if there is no room now. */
bool end_send(struct end *end);

/* Send all frames, and begin to receive only when there is no more room for them. */
int frames_exchange(struct world *world, struct end *from, struct end *to);

#endif
