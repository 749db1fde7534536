/* SPDX-License-Identifier: MIT */
#include "broker/system/socket_diag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "common/descriptor.h"
#include "common/failed.h"

void socket_diag_open(struct socket_diag *diag)
{
	diag->sequence = 0;
	diag->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

void socket_diag_close(struct socket_diag *diag)
{
	descriptor_close(&diag->fd);
}

/* What an answer has. */
struct diag_answer {
	uint32_t peer; /* the peer's inode; 0: none */
	bool has_queues;
	struct unix_diag_rqlen queues;
};

static int answer_attribute(const struct nlattr *attribute, void *context)
{
	struct diag_answer *answer = context;

	if (mnl_attr_get_type(attribute) == UNIX_DIAG_PEER &&
	    mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
		answer->peer = mnl_attr_get_u32(attribute);
	if (mnl_attr_get_type(attribute) == UNIX_DIAG_RQLEN &&
	    mnl_attr_get_payload_len(attribute) >= sizeof(answer->queues)) {
		memcpy(&answer->queues, mnl_attr_get_payload(attribute), sizeof(answer->queues));
		answer->has_queues = true;
	}
	return MNL_CB_OK;
}

static enum socket_peer answer_read(const struct nlmsghdr *header, struct diag_answer *answer)
{
	if (header->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);

		return error->error == -ENOENT ? SOCKET_PEER_GONE : SOCKET_PEER_UNKNOWN;
	}
	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    mnl_attr_parse(header, sizeof(struct unix_diag_msg), answer_attribute, answer) < 0)
		return SOCKET_PEER_UNKNOWN;
	return answer->peer ? SOCKET_PEER_THERE : SOCKET_PEER_GONE;
}

/* Room for a request and for its answer. */
#define RECORD_SIZE 4096

/* Begin a request in these bytes, and return its payload of that size. */
static void *request_begin(struct socket_diag *diag, void *bytes, size_t size)
{
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);

	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST;
	header->nlmsg_seq = ++diag->sequence;
	return mnl_nlmsg_put_extra_header(header, size);
}

/* Send the request, and receive its answer into the same bytes. NULL: there is none. */
static const struct nlmsghdr *request_send(struct socket_diag *diag, void *bytes)
{
	const struct nlmsghdr *header = bytes;
	ssize_t length;

	if (diag->fd < 0 || send(diag->fd, header, header->nlmsg_len, 0) < 0)
		return NULL;
	/*
	 * The kernel answers before send() returns. An answer with another sequence number is old.
	 */
	do {
		length = recv(diag->fd, bytes, RECORD_SIZE, MSG_DONTWAIT);
		if (length < 0 || !mnl_nlmsg_ok(header, (int)length))
			return NULL;
	} while (header->nlmsg_seq != diag->sequence);
	return header;
}

/* answer->peer is the peer's inode to assume where the kernel's answer has none. */
static enum socket_peer diag_ask(struct socket_diag *diag, ino_t inode, uint32_t show,
				 struct diag_answer *answer)
{
	_Alignas(8) char bytes[RECORD_SIZE];
	struct unix_diag_req *request = request_begin(diag, bytes, sizeof(*request));
	const struct nlmsghdr *header;

	request->sdiag_family = AF_UNIX;
	request->udiag_states = UINT32_MAX;
	request->udiag_ino = (uint32_t)inode;
	request->udiag_show = show;
	request->udiag_cookie[0] = UINT32_MAX; /* any */
	request->udiag_cookie[1] = UINT32_MAX;
	header = request_send(diag, bytes);
	return header ? answer_read(header, answer) : SOCKET_PEER_UNKNOWN;
}

enum socket_peer socket_diag_peer(struct socket_diag *diag, ino_t inode)
{
	struct diag_answer answer = {0};

	return diag_ask(diag, inode, UDIAG_SHOW_PEER, &answer);
}

enum socket_peer socket_diag_there(struct socket_diag *diag, ino_t inode)
{
	struct diag_answer answer = {.peer = 1};

	return diag_ask(diag, inode, 0, &answer);
}

enum socket_peer socket_diag_peer_inode(struct socket_diag *diag, ino_t inode, ino_t *peer)
{
	struct diag_answer answer = {0};
	enum socket_peer result = diag_ask(diag, inode, UDIAG_SHOW_PEER, &answer);

	*peer = answer.peer;
	return result;
}

enum socket_peer socket_diag_queues(struct socket_diag *diag, ino_t inode, uint32_t *to_read,
				    uint32_t *sent)
{
	struct diag_answer answer = {.peer = 1};
	enum socket_peer result = diag_ask(diag, inode, UDIAG_SHOW_RQLEN, &answer);

	*to_read = answer.queues.udiag_rqueue;
	*sent = answer.queues.udiag_wqueue;
	return result == SOCKET_PEER_THERE && !answer.has_queues ? SOCKET_PEER_UNKNOWN : result;
}

/* ------------------------------------------------------------------------------ TCP */

/* Store the address and the port, in network byte order as they are. */
static void address_store(const struct sockaddr_storage *address, uint32_t words[4], uint16_t *port)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;

	if (address->ss_family == AF_INET)
		memcpy(words, &v4->sin_addr, sizeof(v4->sin_addr));
	else
		memcpy(words, &v6->sin6_addr, sizeof(v6->sin6_addr));
	*port = address->ss_family == AF_INET ? v4->sin_port : v6->sin6_port;
}

int socket_diag_tcp_user(struct socket_diag *diag, int fd, uid_t *uid)
{
	_Alignas(8) char bytes[RECORD_SIZE];
	struct inet_diag_req_v2 *request = request_begin(diag, bytes, sizeof(*request));
	struct sockaddr_storage own, other;
	socklen_t own_size = sizeof(own), other_size = sizeof(other);
	const struct inet_diag_msg *socket;
	const struct nlmsghdr *answer;

	if (getsockname(fd, (struct sockaddr *)&own, &own_size) < 0 ||
	    getpeername(fd, (struct sockaddr *)&other, &other_size) < 0)
		return -1;
	request->sdiag_family = (uint8_t)own.ss_family;
	request->sdiag_protocol = IPPROTO_TCP;
	request->idiag_states = UINT32_MAX;
	/* The source is that of the socket to find, which is the other end. */
	address_store(&other, request->id.idiag_src, &request->id.idiag_sport);
	address_store(&own, request->id.idiag_dst, &request->id.idiag_dport);
	request->id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
	request->id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
	answer = request_send(diag, bytes);
	if (!answer || answer->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    mnl_nlmsg_get_payload_len(answer) < sizeof(*socket))
		return failed(ENOENT);
	socket = mnl_nlmsg_get_payload(answer);
	/* A socket that no process has open has inode 0, and on some kernels uid 0. */
	if (!socket->idiag_inode)
		return failed(ENOENT);
	*uid = socket->idiag_uid;
	return 0;
}
