/* SPDX-License-Identifier: MIT */
/*
 * The functions of memtun/testing.h that tell what a tunnel is, that put faults on it, and that set
 * what new tunnels have.
 */
#include "client/io/testing_parts.h"

#include <errno.h>

#include "common/failed.h"

/* Return the tunnel's device if it is attached; NULL with ENODEV. */
static const struct tun_device *attached(const struct memtun_testing_tunnel *tunnel)
{
	const struct tun_device *device = tunnel ? &testing_tunnel(tunnel)->device : NULL;

	if (device && device->interface)
		return device;
	errno = ENODEV;
	return NULL;
}

const char *memtun_testing_name(const struct memtun_testing_tunnel *tunnel)
{
	const struct tun_device *device = attached(tunnel);

	return device ? device->interface->name : NULL;
}

const char *memtun_testing_requested_name(const struct memtun_testing_tunnel *tunnel)
{
	const struct tun_device *device = attached(tunnel);

	return device ? device->requested_name : NULL;
}

int memtun_testing_flags(const struct memtun_testing_tunnel *tunnel)
{
	const struct tun_device *device = attached(tunnel);

	return device ? (int)device->requested_flags : -1;
}

int memtun_testing_open_flags(const struct memtun_testing_tunnel *tunnel)
{
	return tunnel ? testing_tunnel(tunnel)->open_flags : failed(ENODEV);
}

/* ------------------------------------------------------------------------------ faults */

int memtun_testing_add_fault(struct memtun_testing_tunnel *tunnel, unsigned int calls,
			     unsigned int count, int error)
{
	struct io_tunnel *self = testing_tunnel(tunnel);
	int result = 0;

	if (!tunnel)
		return failed(ENODEV);
	if (calls & MEMTUN_IO_OPEN)
		return failed(EINVAL);
	pthread_mutex_lock(&self->system->lock);
	for (unsigned int i = 0; i < IO_CALLS && result == 0; i++) {
		if (calls & 1u << i)
			result = tunnel_faults_add(&self->faults, (enum memtun_io_call)(1u << i),
						   count, error);
	}
	pthread_mutex_unlock(&self->system->lock);
	return result;
}

unsigned int memtun_testing_count_faults(struct memtun_testing_tunnel *tunnel,
					 enum memtun_io_call call)
{
	struct io_tunnel *self = testing_tunnel(tunnel);
	unsigned int count;

	if (!tunnel)
		return 0;
	pthread_mutex_lock(&self->system->lock);
	count = tunnel_faults_count(&self->faults, call);
	pthread_mutex_unlock(&self->system->lock);
	return count;
}

void memtun_testing_clear_faults(struct memtun_testing_tunnel *tunnel, unsigned int calls)
{
	struct io_tunnel *self = testing_tunnel(tunnel);

	if (!tunnel)
		return;
	pthread_mutex_lock(&self->system->lock);
	for (unsigned int i = 0; i < IO_CALLS; i++) {
		if (calls & 1u << i)
			tunnel_faults_clear(&self->faults, (enum memtun_io_call)(1u << i));
	}
	pthread_mutex_unlock(&self->system->lock);
}

/* ------------------------------------------------------------------------------ new tunnels */

int memtun_testing_set_default_send_buffer(struct memtun_io *io, size_t size)
{
	struct io_tun *system = io_tun_of(io);

	if (!system)
		return failed(EOPNOTSUPP);
	pthread_mutex_lock(&system->lock);
	system->send_size = size;
	pthread_mutex_unlock(&system->lock);
	return 0;
}

int memtun_testing_set_default_error_when_empty(struct memtun_io *io, int error)
{
	struct io_tun *system = io_tun_of(io);

	if (!system)
		return failed(EOPNOTSUPP);
	pthread_mutex_lock(&system->lock);
	system->error_when_empty = error;
	pthread_mutex_unlock(&system->lock);
	return 0;
}
