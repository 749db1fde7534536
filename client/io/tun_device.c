/* SPDX-License-Identifier: MIT */
#include "client/io/tun_device.h"

#include <endian.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <limits.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/frame/frame_format.h"

/* A vnet header is no shorter; struct virtio_net_hdr. */
#define VNET_MINIMUM 10

_Static_assert(sizeof(struct virtio_net_hdr) == VNET_MINIMUM, "as tun_vnet.h has it");
_Static_assert(sizeof(struct tun_pi) == 4, "as TUNSETIFF without IFF_NO_PI promises");

/* Flags of TUNSETIFF that an interface remembers; IFF_NO_CARRIER is only acted upon. */
#define REMEMBERED_FLAGS (TUN_DEVICE_FEATURES & ~(IFF_TUN | IFF_TAP | IFF_NO_CARRIER))

/* ------------------------------------------------------------------------------ memory */

static int failed(int error)
{
	errno = error;
	return -1;
}

/*
 * Copies from or to the program's memory, as the kernel's copy_from_user() does: EFAULT instead of
 * a signal. If a sandbox forbids the call, our own memory can still be had directly.
 */
static int program_copy(const struct tun_device *device, void *ours, unsigned long theirs,
			size_t size, bool write)
{
	struct iovec local = {ours, size};
	struct iovec remote = {(void *)theirs, size};
	pid_t process = device->process ? device->process : getpid();
	ssize_t copied = write ? process_vm_writev(process, &local, 1, &remote, 1, 0)
			       : process_vm_readv(process, &local, 1, &remote, 1, 0);

	if (copied == (ssize_t)size)
		return 0;
	if (copied < 0 && errno != EFAULT && theirs && !device->process) {
		if (write)
			memcpy((void *)theirs, ours, size);
		else
			memcpy(ours, (const void *)theirs, size);
		return 0;
	}
	return failed(copied < 0 && device->process ? errno : EFAULT);
}

static int copy_in(const struct tun_device *device, void *to, unsigned long argument, size_t size)
{
	return program_copy(device, to, argument, size, false);
}

static int copy_out(const struct tun_device *device, unsigned long argument, void *from,
		    size_t size)
{
	return program_copy(device, from, argument, size, true);
}

static int copy_out_number(const struct tun_device *device, unsigned long argument, int number)
{
	return copy_out(device, argument, &number, sizeof(number));
}

/* ------------------------------------------------------------------------------ the interface */

void tun_interface_update(struct tun_interface *interface)
{
	bool tap = interface->flags & IFF_TAP;
	bool vnet = interface->flags & IFF_VNET_HDR;
	/* Without packet information a TUN's first byte has to tell the protocol. */
	size_t frame_minimum = tap ? ETH_HLEN : interface->flags & IFF_NO_PI ? 1 : 0;

	interface->packet_information = !(interface->flags & IFF_NO_PI);
	interface->header_size = (interface->packet_information ? sizeof(struct tun_pi) : 0) +
				 (vnet ? (size_t)interface->vnet_size : 0);
	interface->write_minimum = interface->header_size + frame_minimum;
	interface->looked_at = vnet || (!tap && !interface->packet_information);
}

void tun_interface_set_flags(struct tun_interface *interface, unsigned int flags)
{
	interface->flags = (interface->flags & ~REMEMBERED_FLAGS) | (flags & REMEMBERED_FLAGS);
	tun_interface_update(interface);
}

void tun_interface_init(struct tun_interface *interface, const char *name, unsigned int flags)
{
	memset(interface, 0, sizeof(*interface));
	strncpy(interface->name, name, IFNAMSIZ - 1);
	interface->flags = flags & IFF_TUN ? IFF_TUN : IFF_TAP;
	interface->carrier = true;
	interface->vnet_size = VNET_MINIMUM;
	interface->send_buffer = INT_MAX;
	interface->owner = (uid_t)-1;
	interface->group = (gid_t)-1;
	interface->type = ARPHRD_NONE;
	if (interface->flags & IFF_TAP) {
		interface->type = ARPHRD_ETHER;
		if (getrandom(interface->address, sizeof(interface->address), GRND_NONBLOCK) < 0)
			memcpy(interface->address + 1, name, strnlen(name, ETH_ALEN - 1));
		/* One station's, and administered here. */
		interface->address[0] = (interface->address[0] & 0xfc) | 0x02;
	}
	tun_interface_set_flags(interface, flags);
}

/* Copies the first bytes of the parts; there are as many. */
static void gather(void *to, size_t size, const struct iovec *parts, int count)
{
	unsigned char *at = to;

	for (int i = 0; i < count && size; i++) {
		size_t taken = parts[i].iov_len < size ? parts[i].iov_len : size;

		if (taken)
			memcpy(at, parts[i].iov_base, taken);
		at += taken;
		size -= taken;
	}
}

/* One byte of the parts, at a place that they reach to. */
static unsigned char byte_at(const struct iovec *parts, size_t place)
{
	while (place >= parts->iov_len)
		place -= parts++->iov_len;
	return ((const unsigned char *)parts->iov_base)[place];
}

/* As tun_vnet_hdr_get() and then virtio_net_hdr_to_skb() see it. */
static bool vnet_header_is_valid(const struct tun_interface *interface, const struct iovec *parts,
				 int count, size_t length)
{
	static const struct frame_format bare = {.vnet_size = VNET_MINIMUM};
	unsigned char headers[sizeof(struct tun_pi) + VNET_MINIMUM];
	size_t skipped = interface->packet_information ? sizeof(struct tun_pi) : 0;
	size_t frame_length = length - interface->header_size;
	struct virtio_net_hdr offload, decoded;
	size_t header_length;

	gather(headers, skipped + VNET_MINIMUM, parts, count);
	memcpy(&offload, headers + skipped, sizeof(offload));
	if (interface->little_endian) {
		offload.hdr_len = le16toh(offload.hdr_len);
		offload.gso_size = le16toh(offload.gso_size);
		offload.csum_start = le16toh(offload.csum_start);
		offload.csum_offset = le16toh(offload.csum_offset);
	}
	header_length = offload.hdr_len;
	if (offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM &&
	    (size_t)offload.csum_start + offload.csum_offset + 2 > header_length)
		header_length = (size_t)offload.csum_start + offload.csum_offset + 2;
	if (header_length > frame_length)
		return false;
	if (interface->flags & IFF_TAP && header_length && header_length < ETH_HLEN)
		return false;
	return frame_format_decode(&bare, &offload, frame_length, &decoded) == 0;
}

bool tun_interface_accepts_bytes(const struct tun_interface *interface, const struct iovec *parts,
				 int count, size_t length)
{
	if (interface->flags & IFF_VNET_HDR &&
	    !vnet_header_is_valid(interface, parts, count, length))
		return false;
	if (!(interface->flags & IFF_TAP) && !interface->packet_information) {
		unsigned char version = byte_at(parts, interface->header_size) >> 4;

		return version == 4 || version == 6;
	}
	return true;
}

/* ------------------------------------------------------------------------------ its filter */

static bool is_multicast(const unsigned char *address)
{
	return address[0] & 1;
}

/* The bit of an address among 64: the upper six of its Ethernet CRC, most significant bit first. */
static uint64_t filter_bit(const unsigned char *address)
{
	uint32_t crc = ~UINT32_C(0);
	unsigned int number = 0;

	for (int i = 0; i < ETH_ALEN; i++) {
		crc ^= address[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	for (int bit = 0; bit < 6; bit++)
		number = number << 1 | (crc >> bit & 1);
	return UINT64_C(1) << number;
}

bool tun_filter_passes(const struct tun_address_filter *filter, const unsigned char *frame)
{
	if (!filter->count)
		return true;
	for (unsigned int i = 0; i < filter->count; i++) {
		if (memcmp(filter->addresses[i], frame, ETH_ALEN) == 0)
			return true;
	}
	return is_multicast(frame) && filter->hashed & filter_bit(frame);
}

/* Returns how many addresses are compared exactly; 0 also if no filter can be made of them. */
static int set_filter(struct tun_device *device, unsigned long argument)
{
	struct tun_address_filter *filter = &device->interface->filter;
	struct tun_address_filter wanted = {0};
	struct {
		uint16_t flags;
		uint16_t count;
	} head;

	if (copy_in(device, &head, argument, sizeof(head)) < 0)
		return -1;
	argument += sizeof(head);
	if (head.count == 0) {
		filter->count = 0;
		return 0;
	}
	for (unsigned int i = 0; i < head.count; i++, argument += ETH_ALEN) {
		unsigned char address[ETH_ALEN];

		if (copy_in(device, address, argument, sizeof(address)) < 0)
			return -1;
		if (i < TUN_FILTER_EXACT) {
			memcpy(wanted.addresses[wanted.count++], address, ETH_ALEN);
		} else if (is_multicast(address)) {
			wanted.hashed |= filter_bit(address);
		} else {
			/* One station too many: the kernel then lets all frames through. */
			filter->count = 0;
			return 0;
		}
	}
	if (head.flags & TUN_FLT_ALLMULTI)
		wanted.hashed = ~UINT64_C(0);
	*filter = wanted;
	return (int)wanted.count;
}

/* ------------------------------------------------------------------------------ the ioctls */

static int set_interface(struct tun_device *device, unsigned long argument, struct ifreq *request)
{
	if (device->interface)
		return failed(EEXIST);
	request->ifr_name[IFNAMSIZ - 1] = '\0';
	if (device->operations->attach(device, request->ifr_name,
				       (unsigned short)request->ifr_flags) < 0)
		return -1;
	if (request->ifr_flags & IFF_NO_CARRIER)
		device->interface->carrier = false;
	else
		device->interface->carrier = true;
	return copy_out(device, argument, request, sizeof(*request));
}

static int get_interface(const struct tun_device *device, unsigned long argument)
{
	const struct tun_interface *interface = device->interface;
	struct ifreq answer = {0};

	memcpy(answer.ifr_name, interface->name, IFNAMSIZ);
	/* IFF_NOFILTER: no socket filter. It has the value of IFF_NO_PI, so that shows always. */
	answer.ifr_flags = (short)(interface->flags | IFF_NOFILTER |
				   (device->detached ? IFF_DETACH_QUEUE : 0));
	return copy_out(device, argument, &answer, sizeof(answer));
}

static int set_queue(struct tun_device *device, unsigned int flags)
{
	struct tun_interface *interface = device->interface;
	bool on = flags & IFF_ATTACH_QUEUE;

	if (on ? !device->detached
	       : !(flags & IFF_DETACH_QUEUE) || !interface || device->detached ||
			    !(interface->flags & IFF_MULTI_QUEUE))
		return failed(EINVAL);
	if (device->operations->enable && device->operations->enable(device, on) < 0)
		return -1;
	device->detached = !on;
	device->send_buffer = interface->send_buffer;
	interface->queues += on ? 1 : -1;
	interface->disabled_queues -= on ? 1 : -1;
	return 0;
}

static int set_persistent(struct tun_device *device, bool on)
{
	struct tun_interface *interface = device->interface;

	if (on == (bool)(interface->flags & IFF_PERSIST))
		return 0;
	if (device->operations->persist && device->operations->persist(device, on) < 0)
		return -1;
	interface->flags ^= IFF_PERSIST;
	return 0;
}

static int set_owner(struct tun_device *device, uid_t owner, gid_t group, bool valid)
{
	if (!valid)
		return failed(EINVAL);
	if (device->operations->own && device->operations->own(device, owner, group) < 0)
		return -1;
	device->interface->owner = owner;
	device->interface->group = group;
	return 0;
}

/* What is left of the bits when those that are known have been taken out has to be nothing. */
static int set_offload(struct tun_device *device, unsigned long wanted)
{
	const unsigned long udp_segments = 0x20 | 0x40; /* TUN_F_USO4 and TUN_F_USO6, one alone is
							   not known */
	unsigned long unknown = wanted;

	if (wanted & TUN_F_CSUM) {
		unknown &= ~(unsigned long)(TUN_F_CSUM | TUN_F_UFO);
		if (wanted & (TUN_F_TSO4 | TUN_F_TSO6))
			unknown &= ~(unsigned long)(TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN);
		if ((wanted & udp_segments) == udp_segments)
			unknown &= ~udp_segments;
	}
	if (unknown)
		return failed(EINVAL);
	if (device->operations->set_offload &&
	    device->operations->set_offload(device, (unsigned int)wanted) < 0)
		return -1;
	device->interface->offload = (unsigned int)wanted;
	return 0;
}

static int set_send_buffer(struct tun_device *device, unsigned long argument)
{
	int size;

	if (copy_in(device, &size, argument, sizeof(size)) < 0)
		return -1;
	if (size <= 0)
		return failed(EINVAL);
	/* Of all queues that are in use. */
	device->interface->send_buffer = size;
	return 0;
}

static int set_vnet_size(struct tun_device *device, unsigned long argument)
{
	int size;

	if (copy_in(device, &size, argument, sizeof(size)) < 0)
		return -1;
	if (size < VNET_MINIMUM)
		return failed(EINVAL);
	if (device->operations->set_vnet_size &&
	    device->operations->set_vnet_size(device, size) < 0)
		return -1;
	device->interface->vnet_size = size;
	tun_interface_update(device->interface);
	return 0;
}

static int set_little_endian(struct tun_device *device, unsigned long argument)
{
	int on;

	if (copy_in(device, &on, argument, sizeof(on)) < 0)
		return -1;
	device->interface->little_endian = on;
	return 0;
}

static int set_carrier(struct tun_device *device, unsigned long argument)
{
	unsigned int on;

	if (copy_in(device, &on, argument, sizeof(on)) < 0)
		return -1;
	if (on && !device->interface->queues)
		return failed(EPERM);
	device->interface->carrier = on;
	return 0;
}

static int get_address(const struct tun_device *device, unsigned long argument,
		       struct ifreq *request)
{
	const struct tun_interface *interface = device->interface;

	request->ifr_hwaddr.sa_family = interface->type;
	if (interface->type == ARPHRD_ETHER)
		memcpy(request->ifr_hwaddr.sa_data, interface->address, ETH_ALEN);
	else
		memset(request->ifr_hwaddr.sa_data, 0, sizeof(request->ifr_hwaddr.sa_data));
	return copy_out(device, argument, request, sizeof(*request));
}

static int set_address(struct tun_device *device, const struct ifreq *request)
{
	static const unsigned char zero[ETH_ALEN];
	const unsigned char *address = (const unsigned char *)request->ifr_hwaddr.sa_data;

	if (!(device->interface->flags & IFF_TAP))
		return failed(EOPNOTSUPP);
	if (request->ifr_hwaddr.sa_family != device->interface->type)
		return failed(EINVAL);
	if (is_multicast(address) || memcmp(address, zero, ETH_ALEN) == 0)
		return failed(EADDRNOTAVAIL);
	memcpy(device->interface->address, address, ETH_ALEN);
	return 0;
}

/* Those that come after TUNSETIFF. */
static int attached_ioctl(struct tun_device *device, unsigned int request, unsigned long argument,
			  struct ifreq *copied)
{
	struct tun_interface *interface = device->interface;

	switch (request) {
	case TUNGETIFF:
		return get_interface(device, argument);
	case TUNSETNOCSUM:
	case TUNSETDEBUG:
		return 0;
	case TUNSETPERSIST:
		return set_persistent(device, argument);
	case TUNSETOWNER:
		return set_owner(device, (uid_t)argument, interface->group,
				 (uid_t)argument != (uid_t)-1);
	case TUNSETGROUP:
		return set_owner(device, interface->owner, (gid_t)argument,
				 (gid_t)argument != (gid_t)-1);
	case TUNSETLINK:
		interface->type = (unsigned short)argument;
		return 0;
	case TUNSETOFFLOAD:
		return set_offload(device, argument);
	case TUNSETTXFILTER:
		return interface->flags & IFF_TAP ? set_filter(device, argument) : failed(EINVAL);
	case SIOCGIFHWADDR:
		return get_address(device, argument, copied);
	case SIOCSIFHWADDR:
		return set_address(device, copied);
	case TUNGETSNDBUF:
		return copy_out_number(device, argument,
				       device->detached ? device->send_buffer
							: interface->send_buffer);
	case TUNSETSNDBUF:
		return set_send_buffer(device, argument);
	case TUNGETVNETHDRSZ:
		return copy_out_number(device, argument, interface->vnet_size);
	case TUNSETVNETHDRSZ:
		return set_vnet_size(device, argument);
	case TUNGETVNETLE:
		return copy_out_number(device, argument, interface->little_endian);
	case TUNSETVNETLE:
		return set_little_endian(device, argument);
	case TUNSETCARRIER:
		return set_carrier(device, argument);
	default:
		/* Also TUNSETVNETBE and TUNGETVNETBE: few kernels are built with them. */
		return failed(EINVAL);
	}
}

int tun_device_ioctl(struct tun_device *device, unsigned long request, unsigned long argument)
{
	unsigned int command = (unsigned int)request;
	struct ifreq copied = {0};
	int index;

	if ((command == TUNSETIFF || command == TUNSETQUEUE ||
	     _IOC_TYPE(command) == _IOC_TYPE(SIOCGIFHWADDR)) &&
	    copy_in(device, &copied, argument, sizeof(copied)) < 0)
		return -1;
	switch (command) {
	case TUNGETFEATURES:
		return copy_out_number(device, argument, TUN_DEVICE_FEATURES);
	case TUNSETQUEUE:
		return set_queue(device, (unsigned short)copied.ifr_flags);
	case TUNSETIFF:
		return set_interface(device, argument, &copied);
	case TUNSETIFINDEX:
		if (device->interface)
			return failed(EPERM);
		if (copy_in(device, &index, argument, sizeof(index)) < 0)
			return -1;
		/* Interfaces have no number here: a good one is as good as none. */
		return index < 0 ? failed(EINVAL) : 0;
	default:
		return device->interface ? attached_ioctl(device, command, argument, &copied)
					 : failed(EBADFD);
	}
}
