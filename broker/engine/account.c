/* SPDX-License-Identifier: MIT */
#include "broker/engine/account.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/fault.h"

/*
 * The bounds. Idle captures and injectors take one descriptor and some 300 bytes each. A
 * subscriber that reads nothing takes up to 64 KiB of events, and the send buffer of its socket. A
 * hand-in takes one descriptor and what its client has sent, for 10 seconds at most. The bytes are
 * those of four captures whose readers are as slow as captures allow, and of 16 for all clients.
 */
static const struct {
	const char *name;
	uint64_t max;       /* of one account */
	uint64_t total_max; /* of all accounts */
} bounds[ACCOUNT_ITEMS] = {
	[ACCOUNT_CAPTURES] = {"captures", 64, 1024},
	[ACCOUNT_INJECTORS] = {"injectors", 64, 1024},
	[ACCOUNT_SUBSCRIPTIONS] = {"subscriptions", 1, 256},
	[ACCOUNT_HAND_INS] = {"hand-ins", 16, 256},
	[ACCOUNT_BYTES] = {"bytes", UINT64_C(64) << 20, UINT64_C(256) << 20},
};

static int account_compare(struct account *one, struct account *other)
{
	return one->id < other->id ? -1 : one->id > other->id;
}

RB_GENERATE_INTERNAL(account_tree, account, by_id, account_compare, __attribute__((unused)) static)

struct account *account_open(struct accounts *accounts, uint32_t id, uid_t uid, pid_t pid)
{
	struct account *account = calloc(1, sizeof(*account));

	if (!account)
		return NULL;
	account->accounts = accounts;
	account->id = id;
	account->uid = uid;
	account->pid = pid;
	account->is_open = true;
	RB_INSERT(account_tree, &accounts->by_id, account);
	return account;
}

static void account_free_if_unused(struct account *account)
{
	if (account->is_open || !LIST_EMPTY(&account->objects))
		return;
	RB_REMOVE(account_tree, &account->accounts->by_id, account);
	free(account);
}

void account_close(struct account *account)
{
	account->is_open = false;
	account_free_if_unused(account);
}

void account_end_item(struct account *account, enum account_item item)
{
	struct account_object *object, *next;

	for (object = LIST_FIRST(&account->objects); object; object = next) {
		next = LIST_NEXT(object, in_account);
		if (object->item == item)
			object->end(object);
	}
}

void account_end_objects(struct account *account)
{
	struct account_object *object, *next;

	/* The last object of a closed account frees the account. */
	for (object = LIST_FIRST(&account->objects); object; object = next) {
		next = LIST_NEXT(object, in_account);
		object->end(object);
	}
}

struct account *account_next(struct accounts *accounts, uint32_t id)
{
	struct account key = {.id = id + 1};

	return RB_NFIND(account_tree, &accounts->by_id, &key);
}

int account_check(const struct account *account, enum account_item item, struct fault *fault)
{
	if (account->used[item] >= bounds[item].max)
		return fault_set(fault, EDQUOT,
				 "this session has %" PRIu64 " %s, and no more may be made",
				 account->used[item], bounds[item].name);
	if (account->accounts->used[item] >= bounds[item].total_max)
		return fault_set(fault, EDQUOT,
				 "the broker has %" PRIu64 " %s, and no more may be made: "
				 "memtun session shows whose they are",
				 account->accounts->used[item], bounds[item].name);
	return 0;
}

bool account_charge(struct account *account, enum account_item item, uint64_t amount)
{
	if (account->used[item] + amount > bounds[item].max ||
	    account->accounts->used[item] + amount > bounds[item].total_max)
		return false;
	account->used[item] += amount;
	account->accounts->used[item] += amount;
	return true;
}

void account_refund(struct account *account, enum account_item item, uint64_t amount)
{
	account->used[item] -= amount;
	account->accounts->used[item] -= amount;
}

void account_add(struct account *account, struct account_object *object, enum account_item item,
		 void (*end)(struct account_object *object))
{
	object->account = account;
	object->item = item;
	object->end = end;
	account->used[item]++;
	account->accounts->used[item]++;
	LIST_INSERT_HEAD(&account->objects, object, in_account);
}

void account_remove(struct account_object *object)
{
	account_refund(object->account, object->item, 1);
	LIST_REMOVE(object, in_account);
	account_free_if_unused(object->account);
}
