/* SPDX-License-Identifier: MIT */
#include "common/control_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/descriptor.h"

/* How many connections may wait for accept(2): the kernel's default maximum (somaxconn). */
#define BACKLOG 4096

int control_socket_parse(const char *address, struct sockaddr_un *name, socklen_t *size,
			 struct fault *fault)
{
	size_t length = strlen(address);

	memset(name, 0, sizeof(*name));
	name->sun_family = AF_UNIX;
	if (length == 0 || strcmp(address, "@") == 0)
		return fault_set(fault, EINVAL, "the socket's address is empty");
	if (length >= sizeof(name->sun_path))
		return fault_set(
			fault, ENAMETOOLONG,
			"the socket's address '%.40s...' has %zu bytes, and unix(7) allows %zu",
			address, length, sizeof(name->sun_path) - 1);
	memcpy(name->sun_path, address, length);
	if (address[0] == '@')
		name->sun_path[0] = '\0';
	/* In the abstract namespace a NUL at the end would belong to the name. */
	*size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length +
			    (address[0] == '@' ? 0 : 1));
	return 0;
}

/* Return whether the locked file is still the one at the path. */
static bool lock_is_at(int lock, const char *path)
{
	struct stat locked, found;

	return fstat(lock, &locked) == 0 && lstat(path, &found) == 0 &&
	       locked.st_ino == found.st_ino && locked.st_dev == found.st_dev;
}

static int lock_take(const char *address, struct fault *fault)
{
	char path[CONTROL_ADDRESS_SIZE + sizeof(".lock")];

	snprintf(path, sizeof(path), "%s.lock", address);
	for (;;) {
		descriptor_owned lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

		if (lock < 0)
			return fault_set(fault, errno, "cannot make %s: %s", path, strerror(errno));
		if (flock(lock, LOCK_EX | LOCK_NB) < 0) {
			if (errno == EWOULDBLOCK)
				return fault_set(fault, EADDRINUSE,
						 "a broker listens on %s already", address);
			return fault_set(fault, errno, "cannot lock %s: %s", path, strerror(errno));
		}
		/* The broker that had the lock removes the file before it unlocks it. */
		if (lock_is_at(lock, path))
			return descriptor_take(&lock);
	}
}

static void lock_release(int *lock, const char *address)
{
	char path[CONTROL_ADDRESS_SIZE + sizeof(".lock")];

	snprintf(path, sizeof(path), "%s.lock", address);
	if (*lock >= 0)
		unlink(path);
	descriptor_close(lock);
}

/*
 * Open the directory of the path, and store the last part of the path in *last. The owner of the
 * directory may replace it by a link to another one at any moment. So what is checked and then
 * removed is found through this descriptor, not twice through the path. -1 with errno.
 */
static int directory_open(const char *path, const char **last)
{
	const char *slash = strrchr(path, '/');
	char directory[CONTROL_ADDRESS_SIZE];

	*last = slash ? slash + 1 : path;
	if (slash)
		snprintf(directory, sizeof(directory), "%.*s", (int)(*last - path), path);
	return open(slash ? directory : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int control_socket_clear(const struct sockaddr_un *name, socklen_t size, int type)
{
	descriptor_owned directory = -1;
	descriptor_owned probe = -1;
	struct stat status;
	const char *last;

	directory = directory_open(name->sun_path, &last);
	if (directory < 0 || fstatat(directory, last, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : -1;
	if (!S_ISSOCK(status.st_mode)) {
		errno = EEXIST;
		return -1;
	}
	probe = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (probe < 0)
		return -1;
	if (connect(probe, (const struct sockaddr *)name, size) < 0) {
		if (errno == ECONNREFUSED)
			return unlinkat(directory, last, 0) == 0 || errno == ENOENT ? 0 : -1;
		/* EAGAIN: the listener's backlog is full. EPERM: the datagram socket has a peer.
		 * EPROTOTYPE: the socket is of another type. */
		if (errno != EAGAIN && errno != EPERM && errno != EPROTOTYPE)
			return -1;
	}
	errno = EADDRINUSE;
	return -1;
}

void control_socket_remove(const char *path, dev_t device, ino_t file)
{
	descriptor_owned directory = -1;
	struct stat status;
	const char *last;

	directory = directory_open(path, &last);
	if (directory >= 0 && fstatat(directory, last, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	    status.st_ino == file && status.st_dev == device)
		unlinkat(directory, last, 0);
}

/* Remove a dead broker's socket. The caller has the lock. */
static int socket_clear(const struct sockaddr_un *name, socklen_t size, int type,
			struct fault *fault)
{
	if (control_socket_clear(name, size, type) == 0)
		return 0;
	if (errno == EEXIST)
		return fault_set(fault, errno, "%s exists and is no socket", name->sun_path);
	if (errno == EADDRINUSE)
		return fault_set(fault, errno, "another program listens on %s", name->sun_path);
	return fault_set(fault, errno, "cannot replace %s: %s", name->sun_path, strerror(errno));
}

static int socket_bind(int fd, const char *address, const struct sockaddr_un *name, socklen_t size,
		       int type, struct fault *fault)
{
	/* Set the mode before the name exists, so that no other user can connect in between. */
	if (fchmod(fd, 0600) < 0 || bind(fd, (const struct sockaddr *)name, size) < 0)
		return fault_set(fault, errno, "cannot listen on %s: %s", address,
				 errno == EADDRINUSE ? "another program does already"
						     : strerror(errno));
	if (type == SOCK_DGRAM || listen(fd, BACKLOG) == 0)
		return 0;
	fault_set(fault, errno, "cannot listen on %s: %s", address, strerror(errno));
	if (address[0] != '@')
		unlink(address);
	return -1;
}

int control_socket_listen(struct control_socket *control, const char *address, int type,
			  struct fault *fault)
{
	descriptor_owned lock = -1;
	descriptor_owned fd = -1;
	struct sockaddr_un name;
	socklen_t size;

	if (control_socket_parse(address, &name, &size, fault) < 0)
		return -1;
	if (address[0] != '@') {
		lock = lock_take(address, fault);
		if (lock < 0)
			return -1;
	}
	if (lock >= 0 && socket_clear(&name, size, type, fault) < 0)
		goto fail;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0) {
		fault_set(fault, errno, "cannot make a socket: %s", strerror(errno));
		goto fail;
	}
	control->refuses_descriptors = descriptor_refuse_others(fd);
	if (socket_bind(fd, address, &name, size, type, fault) < 0)
		goto fail;
	control->path[0] = '\0';
	if (lock >= 0)
		snprintf(control->path, sizeof(control->path), "%s", address);
	control->fd = descriptor_take(&fd);
	control->lock = descriptor_take(&lock);
	return 0;

fail:
	lock_release(&lock, address);
	return -1;
}

void control_socket_move(struct control_socket *to, struct control_socket *from)
{
	*to = *from;
	from->fd = -1;
	from->lock = -1;
	from->path[0] = '\0';
}

void control_socket_close(struct control_socket *control)
{
	if (control->path[0])
		unlink(control->path);
	descriptor_close(&control->fd);
	lock_release(&control->lock, control->path);
}
