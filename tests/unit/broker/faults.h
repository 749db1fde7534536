/* SPDX-License-Identifier: MIT */
/*
 * Make the Nth call of one function fail. The linker wraps the functions (--wrap). It sees only
 * calls from statically linked code, and only those that no header renames: so the product is
 * compiled without _FORTIFY_SOURCE for this, and fcntl64 and fstat64 count as fcntl and fstat.
 * Allocations are counted besides, so that a leak is found. The product calls neither realloc nor
 * reallocarray.
 *
 * poll is wrapped for another reason: the broker runs in the same thread as the library's blocking
 * calls, so the wrapper runs the broker's loop each time such a call waits.
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

/* Count calls from now on, and make call `nth` of that function fail with this errno. */
void faults_arm(enum faulty which, unsigned int nth, int error);

/* Stop that. Return whether the call was made and failed. */
bool faults_disarm(void);

/* Return whether the call has failed already. */
bool faults_struck(void);

/* Return the number of allocations that have not been freed. */
long faults_allocations(void);

/* Set the function that poll calls while it waits; NULL removes it. When the function returns
 * false, poll fails with ETIME. */
void faults_set_turn(bool (*turn)(void *context), void *context);

#endif
