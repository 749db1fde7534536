/* SPDX-License-Identifier: MIT */
/*
 * What the functions behind rtnetlink_answer() share: the request that is being answered, its
 * attributes, and the interface that it is about.
 */
#ifndef MEMTUN_RTNETLINK_REQUEST_H
#define MEMTUN_RTNETLINK_REQUEST_H

#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>

#include "client/wrap/rtnetlink_answer.h"
#include "client/wrap/rtnetlink_message.h"

struct address;
struct interface;

struct request {
	struct interfaces *interfaces;
	const struct nlmsghdr *header;
	bool is_strict;
	bool is_dump;
	struct message_to to; /* of the answer's messages */
	struct reply *reply;
};

/* The attributes of a request; larger types are not looked at. */
#define ATTRIBUTES_MAX 64

struct attributes {
	const struct nlattr *at[ATTRIBUTES_MAX]; /* NULL: it is not there */
};

static const struct rtnetlink_result rtnetlink_kernel = {.part = RTNETLINK_KERNEL};
static const struct rtnetlink_result rtnetlink_both = {.part = RTNETLINK_BOTH};

static inline struct rtnetlink_result rtnetlink_ours(int error)
{
	return (struct rtnetlink_result){.part = RTNETLINK_OURS, .error = error};
}

/*
 * Return the structure at the head of the request's payload. A dump may have the family alone; then
 * the rest of *spare, which is returned, is zero. NULL: a request that is too short, which the
 * kernel refuses.
 */
const void *request_head(const struct request *request, void *spare, size_t size);

/* Find the attributes behind a structure of that size. -1: they are malformed. */
int request_attributes(const struct request *request, size_t size, struct attributes *attributes);

/* Read a number of 32 bits; 0 if the attribute is not there or too short. */
uint32_t attribute_number(const struct attributes *attributes, unsigned int type);

/* Read an IP address of the family. -1: it has another size. 0: also if it is not there; then
 * address->kind is 0. */
int attribute_address(const struct attributes *attributes, unsigned int type, unsigned char family,
		      struct address *address);

/* Find an interface by its number or name, among those that are known. NULL: there is none. */
struct interface *request_interface(const struct request *request, int index);
struct interface *request_interface_named(const struct request *request, const char *name);

/* Return whether the number can only be that of an interface of ours, which may have gone. */
bool request_is_our_index(int64_t index);

/*
 * Return the family of a dump: AF_INET, AF_INET6, or AF_UNSPEC for all. -1: it is one of the
 * kernel's that has no objects of ours. As the kernel, take a family without a handler for all.
 */
int request_dump_family(unsigned char family);

/* Append the message to the answer. */
void request_append(const struct request *request, const union message *message);

struct rtnetlink_result rtnetlink_link(const struct request *request);
struct rtnetlink_result rtnetlink_address(const struct request *request);
struct rtnetlink_result rtnetlink_route(const struct request *request);
struct rtnetlink_result rtnetlink_neighbour(const struct request *request);

#endif
