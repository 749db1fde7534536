/* SPDX-License-Identifier: MIT */
/*
 * Makes the Nth call of one function fail. The functions are wrapped by the linker (--wrap), so
 * only calls of what is linked in statically are seen, and only where no header renames them: the
 * product is compiled without FORTIFY for this, and fcntl64 and fstat64 count as fcntl and fstat.
 * Allocations are counted besides, so that one that isn't given back is noticed. The product calls
 * neither realloc nor reallocarray.
 *
 * poll is wrapped too, for another reason: a blocking call of the library, in the same thread as
 * the broker that is to answer it, runs the broker's loop each time it waits.
 */
#ifndef MEMTUN_TESTS_FAULTS_H
#define MEMTUN_TESTS_FAULTS_H

#include <stdbool.h>
#include <sys/socket.h>

enum faulty {
	FAULTY_MALLOC,
	FAULTY_CALLOC,
	FAULTY_STRDUP,
	FAULTY_SOCKETPAIR,
	FAULTY_FCNTL,
	FAULTY_SENDMSG,
	FAULTY_RECVMSG,
	FAULTY_SENDMMSG,
	FAULTY_RECVMMSG,
	FAULTY_ACCEPT4,
	FAULTY_FSTAT,
	FAULTY_SETSOCKOPT,
	FAULTY_GETSOCKOPT,
	FAULTY_COUNT,
};

extern const char *const faulty_names[FAULTY_COUNT];

/* From now on calls are counted, and call number `nth` of that function fails with this errno. */
void faults_arm(enum faulty which, unsigned int nth, int error);

/* No more. True: the call was made, and it failed. */
bool faults_disarm(void);

/* Has the call failed already? */
bool faults_struck(void);

/* Allocations that have not been freed. */
long faults_allocations(void);

/* What runs the other side while poll waits; false: it has run often enough, and poll fails with
 * ETIME. NULL: nothing does. */
void faults_set_turn(bool (*turn)(void *context), void *context);

#endif
