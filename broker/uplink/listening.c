/* SPDX-License-Identifier: MIT */
#include "broker/uplink/listening.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "broker/engine/engine.h"
#include "broker/switch/bridge.h"
#include "common/clock.h"
#include "common/container_of.h"
#include "common/descriptor.h"
#include "common/log.h"
#include "common/user.h"

/* Nanoseconds between two events of refused peers. Those in between are only counted. */
#define EVENT_INTERVAL (CLOCK_SECOND / 10)

/* ------------------------------------------------------------------------------ options */

/* Read the mode of the socket's file: octal digits, and no bits but read and write. */
static int mode_read(struct listening *listening, const char *text, struct fault *fault)
{
	char *end;
	unsigned long mode = strtoul(text, &end, 8);

	if (text[0] < '0' || text[0] > '7' || *end || mode & ~0666UL)
		return fault_set(fault, EINVAL,
				 "socket-mode is an octal mode of reading and writing, such as "
				 "0660, not '%.40s'",
				 text);
	listening->mode = (mode_t)mode;
	return 0;
}

static int group_read(struct listening *listening, const char *text, struct fault *fault)
{
	const char *wrong;
	long long group = strtonum(text, 0, UINT32_MAX - 1, &wrong);

	if (wrong)
		return fault_set(fault, EINVAL, "socket-group '%.40s' is no number of a group",
				 text);
	listening->group = (gid_t)group;
	return 0;
}

int listening_prepare(struct listening *listening, const struct attribute_set *options,
		      struct fault *fault)
{
	const char *name = attribute_set_string(options, MEMTUN_A_NAME);
	const char *mode = attribute_set_string(options, MEMTUN_A_SOCKET_MODE);
	const char *group = attribute_set_string(options, MEMTUN_A_SOCKET_GROUP);
	char last[32];

	LIST_INIT(&listening->ports);
	listening->directory = -1;
	listening->socket = (struct control_socket){.fd = -1, .lock = -1};
	listening->max = attribute_set_has(options, MEMTUN_A_MAX)
				 ? (unsigned int)attribute_set_number(options, MEMTUN_A_MAX)
				 : LISTENING_MAX_DEFAULT;
	listening->allows_any = attribute_set_number(options, MEMTUN_A_ALLOW) == MEMTUN_ALLOW_ANY;
	listening->mode = listening->allows_any ? 0666 : 0600;
	listening->group = (gid_t)-1;
	if (snprintf(last, sizeof(last), "%s%u", name, listening->max - 1) >= MEMTUN_NAME_SIZE)
		return fault_set(fault, EINVAL,
				 "the name '%s' is too long: a name of its ports, '%s', has more "
				 "than 15 bytes",
				 name, last);
	if (!listening->allows_any && (mode || group))
		return fault_set(fault, EINVAL, "%s needs allow any, which admits other users",
				 mode ? "socket-mode" : "socket-group");
	if (mode && mode_read(listening, mode, fault) < 0)
		return -1;
	return group ? group_read(listening, group, fault) : 0;
}

void listening_tell(const struct fault *fault, char text[UPLINK_TEXT_SIZE])
{
	const char *error = strerror(fault->error);
	size_t length = strlen(fault->text);
	size_t tail = strlen(error) + strlen(": ");

	if (length > tail && strcmp(fault->text + length - strlen(error), error) == 0)
		length -= tail;
	snprintf(text, UPLINK_TEXT_SIZE, "%.*s", (int)length, fault->text);
	errno = fault->error;
}

int listening_set_mode(const struct listening *listening, const char *path, mode_t mode)
{
	descriptor_owned fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char link[40];

	if (fd < 0)
		return -1;
	if (listening->group != (gid_t)-1 &&
	    fchownat(fd, "", (uid_t)-1, listening->group, AT_EMPTY_PATH) < 0)
		return -1;
	/* fchmod(2) refuses a descriptor of O_PATH. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	return chmod(link, mode);
}

/* ------------------------------------------------------------------------------ refusing */

static void refusal_publish(struct listening *listening, const char *reason)
{
	struct event_sink *events = &listening->uplink.port.engine->events;
	struct attribute_set set;
	int64_t now = clock_now();

	if (!event_sink_has_subscribers(events) ||
	    (listening->told && now - listening->told < EVENT_INTERVAL))
		return;
	listening->told = now;
	uplink_describe(&listening->uplink, false, &set);
	attribute_set_put_string(&set, MEMTUN_A_REASON, reason);
	event_publish(events, MEMTUN_EVENT_UPLINK_REFUSED, &set);
}

void listening_refuse(struct listening *listening, const char *format, ...)
{
	char reason[MEMTUN_TEXT_SIZE];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	listening->refused++;
	log_line(LOG_LEVEL_WARNING, "%s has refused a peer: %s", listening->uplink.port.name,
		 reason);
	refusal_publish(listening, reason);
}

bool listening_has_room(struct listening *listening, unsigned int waiting)
{
	struct accepted *accepted, *next;

	/* The loop may tell of a new peer before it tells of the end of an old one. */
	LIST_FOREACH_SAFE(accepted, &listening->ports, in_listening, next) {
		accepted->uplink.kind->delete_if_dead(&accepted->uplink);
	}
	if (listening->connected + waiting < listening->max)
		return true;
	listening_refuse(listening, "%u peers are connected, the maximum", listening->max);
	return false;
}

bool listening_admits(struct listening *listening, uid_t uid)
{
	if (listening->allows_any || user_is(uid, 0) || user_is(uid, geteuid()))
		return true;
	if (uid == PEER_UNKNOWN)
		listening_refuse(listening,
				 "the kernel does not tell its user, and allow any is not set");
	else
		listening_refuse(listening, "it belongs to user %u, and allow any is not set", uid);
	return false;
}

/* ------------------------------------------------------------------------------ ports */

int peer_identify(struct peer *peer, int fd)
{
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
		return -1;
	peer->uid = credentials.uid;
	peer->pid = credentials.pid;
	return 0;
}

/* Put the options of a port into the set: those that uplinks of all types have, as the listening
 * uplink has them now. `described` is room for what they borrow from. */
static void port_options(const struct listening *listening, struct attribute_set *options,
			 struct attribute_set *described)
{
	enum memtun_attribute which = MEMTUN_A_UNSPEC;

	uplink_describe((struct uplink *)(uintptr_t)&listening->uplink, false, described);
	attribute_set_clear(options);
	while ((which = attribute_set_next_option(described, which, OPTION_UPLINK_ANY)) !=
	       MEMTUN_A_END) {
		if (attribute_is_string(which))
			attribute_set_put_string(options, which,
						 attribute_set_string(described, which));
		else
			attribute_set_put_number(options, which,
						 attribute_set_number(described, which));
	}
}

/* Add the uplink that is the port. NULL with the fault filled. */
static struct uplink *port_add(struct listening *listening, const struct peer *peer,
			       struct uplink_handed *handed, struct fault *fault)
{
	struct uplink *uplink = &listening->uplink;
	char template[MEMTUN_NAME_SIZE + sizeof("%d")];
	struct attribute_set options, described;
	char name[MEMTUN_NAME_SIZE];
	unsigned int number;

	snprintf(template, sizeof(template), "%s%%d", uplink->port.name);
	if (port_names_expand(uplink->uplinks->names, template, 0, &number, name) < 0) {
		fault_set(fault, ENFILE, "no name %s is free", template);
		return NULL;
	}
	port_options(listening, &options, &described);
	if (!uplink->port.bridge) {
		fault_set(fault, ENOENT, "'%s' is on no bridge", uplink->port.name);
		return NULL;
	}
	attribute_set_put_string(&options, MEMTUN_A_NAME, name);
	attribute_set_put_string(&options, MEMTUN_A_LISTENER, uplink->port.name);
	if (peer->uid != PEER_UNKNOWN)
		attribute_set_put_number(&options, MEMTUN_A_UID, peer->uid);
	if (peer->pid)
		attribute_set_put_number(&options, MEMTUN_A_PID, (uint64_t)peer->pid);
	if (peer->remote)
		attribute_set_put_string(&options, MEMTUN_A_REMOTE, peer->remote);
	return uplink_add(uplink->uplinks, &options, handed, uplink->port.owner, fault);
}

struct accepted *listening_accept(struct listening *listening, const struct peer *peer,
				  struct uplink_handed *handed)
{
	struct fault fault = {0};
	struct uplink *uplink = port_add(listening, peer, handed, &fault);
	struct accepted *accepted;

	descriptor_close(&handed->fd);
	descriptor_close(&handed->life);
	if (!uplink) {
		listening_refuse(listening, "%s", fault.text);
		return NULL;
	}
	accepted = container_of(uplink, struct accepted, uplink);
	accepted->listening = listening;
	LIST_INSERT_HEAD(&listening->ports, accepted, in_listening);
	listening->connected++;
	listening->accepted++;
	return accepted;
}

void listening_delete_ports(struct listening *listening)
{
	struct accepted *accepted;

	while ((accepted = LIST_FIRST(&listening->ports)))
		uplink_delete(&accepted->uplink);
}

void listening_describe(const struct uplink *uplink, struct attribute_set *set)
{
	const struct listening *listening = container_of(uplink, const struct listening, uplink);

	attribute_set_put_number(set, MEMTUN_A_MAX, listening->max);
	attribute_set_put_number(set, MEMTUN_A_CONNECTED, listening->connected);
	attribute_set_put_number(set, MEMTUN_A_ACCEPTED, listening->accepted);
	attribute_set_put_number(set, MEMTUN_A_REFUSED, listening->refused);
}
