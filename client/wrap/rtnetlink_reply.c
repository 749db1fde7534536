/* SPDX-License-Identifier: MIT */
#include "client/wrap/rtnetlink_reply.h"

#include <stdlib.h>
#include <string.h>

void reply_free(struct reply *reply)
{
	free(reply->bytes);
	*reply = (struct reply){0};
}

/* Return room for that many bytes, all zero. NULL: no memory. */
static void *reply_room(struct reply *reply, size_t length)
{
	size_t aligned = MNL_ALIGN(length);
	char *room;

	if (reply->used + aligned > reply->size) {
		size_t size = reply->size * 2 + aligned + REPLY_DATAGRAM;
		char *grown = realloc(reply->bytes, size);

		if (!grown) {
			reply->is_short = true;
			return NULL;
		}
		reply->bytes = grown;
		reply->size = size;
	}
	room = reply->bytes + reply->used;
	memset(room, 0, aligned);
	reply->used += aligned;
	return room;
}

void reply_append(struct reply *reply, const struct nlmsghdr *message)
{
	void *room = reply_room(reply, message->nlmsg_len);

	if (room)
		memcpy(room, message, message->nlmsg_len);
}

void reply_error(struct reply *reply, const struct nlmsghdr *request, unsigned int port, int error,
		 bool is_capped)
{
	size_t kept = error == 0 || is_capped ? sizeof(*request) : request->nlmsg_len;
	size_t length = MNL_NLMSG_HDRLEN + sizeof(struct nlmsgerr) - sizeof(*request) + kept;
	struct nlmsghdr *header = reply_room(reply, length);
	struct nlmsgerr *body;

	if (!header)
		return;
	*header = (struct nlmsghdr){
		.nlmsg_len = (uint32_t)length,
		.nlmsg_type = NLMSG_ERROR,
		.nlmsg_flags = kept == request->nlmsg_len ? 0 : NLM_F_CAPPED,
		.nlmsg_seq = request->nlmsg_seq,
		.nlmsg_pid = port,
	};
	body = mnl_nlmsg_get_payload(header);
	body->error = error;
	memcpy(&body->msg, request, kept);
}

void reply_done(struct reply *reply, const struct nlmsghdr *request, unsigned int port)
{
	struct nlmsghdr *header = reply_room(reply, MNL_NLMSG_HDRLEN + sizeof(int));

	if (header)
		*header = (struct nlmsghdr){
			.nlmsg_len = MNL_NLMSG_HDRLEN + sizeof(int),
			.nlmsg_type = NLMSG_DONE,
			.nlmsg_flags = NLM_F_MULTI,
			.nlmsg_seq = request->nlmsg_seq,
			.nlmsg_pid = port,
		};
}

static const struct nlmsghdr *message_at(const struct reply *reply, size_t at)
{
	return (const void *)(reply->bytes + at);
}

static bool is_shared(const struct nlmsghdr *message)
{
	return message->nlmsg_flags & NLM_F_MULTI && message->nlmsg_type != NLMSG_DONE;
}

size_t reply_datagram(const struct reply *reply, size_t at)
{
	size_t length = 0;

	while (at + length < reply->used) {
		const struct nlmsghdr *message = message_at(reply, at + length);
		size_t next = MNL_ALIGN(message->nlmsg_len);

		if (length && (!is_shared(message) || length + next > REPLY_DATAGRAM))
			break;
		length += next;
		if (!is_shared(message))
			/* The last message's padding is not sent. */
			return length - next + message->nlmsg_len;
	}
	return length;
}
