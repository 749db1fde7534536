/* SPDX-License-Identifier: MIT */
/*
 * An account: what one client makes the broker keep, with bounds for one account and for all
 * together, because a client may connect again. It outlives the connection for as long as a capture
 * or an injector of the client does, because another process may use their descriptors.
 */
#ifndef MEMTUN_ACCOUNT_H
#define MEMTUN_ACCOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/tree.h>
#include <sys/types.h>

struct fault;

enum account_item {
	ACCOUNT_CAPTURES,
	ACCOUNT_INJECTORS,
	ACCOUNT_SUBSCRIPTIONS,
	ACCOUNT_HAND_INS,
	ACCOUNT_BYTES, /* of records that wait in captures */
	ACCOUNT_ITEMS, /* the number of items */
};

RB_HEAD(account_tree, account);

struct accounts {
	struct account_tree by_id;
	uint64_t used[ACCOUNT_ITEMS]; /* by all accounts */
};

struct account {
	RB_ENTRY(account) by_id;
	struct accounts *accounts;
	uint32_t id; /* of the session */
	uid_t uid;
	pid_t pid;
	bool is_open; /* the client is connected */
	uint64_t used[ACCOUNT_ITEMS];
	LIST_HEAD(, account_object) objects;
};

/* An object that an account keeps, such as a capture. The object embeds this. */
struct account_object {
	LIST_ENTRY(account_object) in_account;
	struct account *account;
	enum account_item item;

	/* Free the object, which removes it from its account. */
	void (*end)(struct account_object *object);
};

/* Open an account for a client that has connected. NULL with ENOMEM. */
struct account *account_open(struct accounts *accounts, uint32_t id, uid_t uid, pid_t pid);

/* Close the account of a client that has disconnected. The last object of the account frees it. */
void account_close(struct account *account);

/* End the account's objects of that item. The account must be open. */
void account_end_item(struct account *account, enum account_item item);

/* End the objects of the account, which is freed unless it is open. */
void account_end_objects(struct account *account);

/* Return the first account with an id above `id`, or NULL. */
struct account *account_next(struct accounts *accounts, uint32_t id);

/* Check that one more of the item is within the bounds. -1 with EDQUOT, the fault filled. */
int account_check(const struct account *account, enum account_item item, struct fault *fault);

/* Charge the amount to the account. Return false, and charge nothing, if it would be too much. */
bool account_charge(struct account *account, enum account_item item, uint64_t amount);

/* Take back what was charged. */
void account_refund(struct account *account, enum account_item item, uint64_t amount);

/* Add an object to the account, where account_check() has found room for it. */
void account_add(struct account *account, struct account_object *object, enum account_item item,
		 void (*end)(struct account_object *object));

/* Remove the object from its account. If the account is closed and this was the last object, free
 * the account. */
void account_remove(struct account_object *object);

#endif
