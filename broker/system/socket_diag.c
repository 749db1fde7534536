/* SPDX-License-Identifier: MIT */
#include "broker/system/socket_diag.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sys/socket.h>

#include "common/descriptor.h"

void socket_diag_open(struct socket_diag *diag)
{
	diag->sequence = 0;
	diag->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

void socket_diag_close(struct socket_diag *diag)
{
	descriptor_close(&diag->fd);
}

static int peer_attribute(const struct nlattr *attribute, void *context)
{
	uint32_t *peer = context;

	if (mnl_attr_get_type(attribute) == UNIX_DIAG_PEER &&
	    mnl_attr_validate(attribute, MNL_TYPE_U32) == 0)
		*peer = mnl_attr_get_u32(attribute);
	return MNL_CB_OK;
}

static enum socket_peer answer_read(const struct nlmsghdr *header, uint32_t *peer)
{
	if (header->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *error = mnl_nlmsg_get_payload(header);

		return error->error == -ENOENT ? SOCKET_PEER_GONE : SOCKET_PEER_UNKNOWN;
	}
	if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY ||
	    mnl_attr_parse(header, sizeof(struct unix_diag_msg), peer_attribute, peer) < 0)
		return SOCKET_PEER_UNKNOWN;
	return *peer ? SOCKET_PEER_THERE : SOCKET_PEER_GONE;
}

/* *peer is the peer's inode to assume where the answer has none, and becomes the answer's. */
static enum socket_peer diag_ask(struct socket_diag *diag, ino_t inode, uint32_t show,
				 uint32_t *peer)
{
	_Alignas(8) char bytes[4096];
	struct nlmsghdr *header = mnl_nlmsg_put_header(bytes);
	struct unix_diag_req *request;
	ssize_t length;

	if (diag->fd < 0)
		return SOCKET_PEER_UNKNOWN;
	header->nlmsg_type = SOCK_DIAG_BY_FAMILY;
	header->nlmsg_flags = NLM_F_REQUEST;
	header->nlmsg_seq = ++diag->sequence;
	request = mnl_nlmsg_put_extra_header(header, sizeof(*request));
	request->sdiag_family = AF_UNIX;
	request->udiag_states = UINT32_MAX;
	request->udiag_ino = (uint32_t)inode;
	request->udiag_show = show;
	request->udiag_cookie[0] = UINT32_MAX; /* any */
	request->udiag_cookie[1] = UINT32_MAX;
	if (send(diag->fd, header, header->nlmsg_len, 0) < 0)
		return SOCKET_PEER_UNKNOWN;
	/*
	 * The kernel answers before send() returns. An answer with another sequence number is old.
	 */
	do {
		length = recv(diag->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (length < 0 || !mnl_nlmsg_ok((struct nlmsghdr *)bytes, (int)length))
			return SOCKET_PEER_UNKNOWN;
		header = (struct nlmsghdr *)bytes;
	} while (header->nlmsg_seq != diag->sequence);
	return answer_read(header, peer);
}

enum socket_peer socket_diag_peer(struct socket_diag *diag, ino_t inode)
{
	uint32_t peer = 0;

	return diag_ask(diag, inode, UDIAG_SHOW_PEER, &peer);
}

enum socket_peer socket_diag_there(struct socket_diag *diag, ino_t inode)
{
	uint32_t peer = 1;

	return diag_ask(diag, inode, 0, &peer);
}

enum socket_peer socket_diag_peer_inode(struct socket_diag *diag, ino_t inode, ino_t *peer)
{
	uint32_t number = 0;
	enum socket_peer answer = diag_ask(diag, inode, UDIAG_SHOW_PEER, &number);

	*peer = number;
	return answer;
}
