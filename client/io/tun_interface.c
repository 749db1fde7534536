/* SPDX-License-Identifier: MIT */
#include "client/io/tun_interface.h"

#include <endian.h>
#include <limits.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/random.h>

#include "common/frame/frame_format.h"
#include "common/frame/frame_view.h"

_Static_assert(sizeof(struct virtio_net_hdr) == TUN_VNET_MIN, "as tun_vnet.h has it");
_Static_assert(sizeof(struct tun_pi) == 4, "as TUNSETIFF without IFF_NO_PI promises");

/* The flags of TUNSETIFF that an interface keeps. IFF_NO_CARRIER only clears the carrier. */
#define KEPT_FLAGS (TUN_DEVICE_FEATURES & ~(IFF_TUN | IFF_TAP | IFF_NO_CARRIER))

void tun_interface_update(struct tun_interface *interface)
{
	bool tap = interface->flags & IFF_TAP;
	bool vnet = interface->flags & IFF_VNET_HDR;
	/* Without packet information, a TUN's first byte has the protocol. */
	size_t frame_min = tap ? ETH_HLEN : interface->flags & IFF_NO_PI ? 1 : 0;

	interface->packet_information = !(interface->flags & IFF_NO_PI);
	interface->header_size = (interface->packet_information ? sizeof(struct tun_pi) : 0) +
				 (vnet ? (size_t)interface->vnet_size : 0);
	interface->write_min = interface->header_size + frame_min;
	interface->looked_at = vnet || (!tap && !interface->packet_information);
}

void tun_interface_set_flags(struct tun_interface *interface, unsigned int flags)
{
	interface->flags = (interface->flags & ~KEPT_FLAGS) | (flags & KEPT_FLAGS);
	tun_interface_update(interface);
}

void tun_interface_init(struct tun_interface *interface, const char *name, unsigned int flags)
{
	memset(interface, 0, sizeof(*interface));
	strncpy(interface->name, name, IFNAMSIZ - 1);
	interface->flags = flags & IFF_TUN ? IFF_TUN : IFF_TAP;
	interface->carrier = true;
	interface->vnet_size = TUN_VNET_MIN;
	interface->send_buffer = INT_MAX;
	interface->owner = (uid_t)-1;
	interface->group = (gid_t)-1;
	interface->type = ARPHRD_NONE;
	if (interface->flags & IFF_TAP) {
		interface->type = ARPHRD_ETHER;
		if (getrandom(interface->address, sizeof(interface->address), GRND_NONBLOCK) < 0)
			memcpy(interface->address + 1, name, strnlen(name, ETH_ALEN - 1));
		/* The bits of IEEE 802, 8.2.2: not a group address, and locally administered. */
		interface->address[0] = (interface->address[0] & 0xfc) | 0x02;
	}
	tun_interface_set_flags(interface, flags);
}

/* Copy the first `size` bytes of the parts, which have at least as many. */
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

/* Return the byte at `place` in the parts, which are longer than that. */
static unsigned char byte_at(const struct iovec *parts, size_t place)
{
	while (place >= parts->iov_len)
		place -= parts++->iov_len;
	return ((const unsigned char *)parts->iov_base)[place];
}

/* Return whether the kernel's tun_vnet_hdr_get() and virtio_net_hdr_to_skb() take the header. */
static bool vnet_header_is_valid(const struct tun_interface *interface, const struct iovec *parts,
				 int count, size_t length)
{
	static const struct frame_format bare = {.vnet_size = TUN_VNET_MIN};
	unsigned char headers[sizeof(struct tun_pi) + TUN_VNET_MIN];
	size_t skipped = interface->packet_information ? sizeof(struct tun_pi) : 0;
	size_t frame_length = length - interface->header_size;
	struct virtio_net_hdr offload, decoded;
	size_t header_length;

	gather(headers, skipped + TUN_VNET_MIN, parts, count);
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
		unsigned char first = byte_at(parts, interface->header_size);
		uint8_t version = packet_ip_version(&first, sizeof(first));

		return version == 4 || version == 6;
	}
	return true;
}

/*
 * Return the one of 64 bits that stands for an address. Its number is the upper six bits of the
 * address's Ethernet CRC, most significant bit first, as addr_hash_set() in the kernel has it.
 */
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
	return mac_is_multicast(frame) && filter->hashed & filter_bit(frame);
}

bool tun_filter_add(struct tun_address_filter *filter, const unsigned char *address)
{
	if (filter->count < TUN_FILTER_EXACT)
		memcpy(filter->addresses[filter->count++], address, ETH_ALEN);
	else if (mac_is_multicast(address))
		filter->hashed |= filter_bit(address);
	else
		return false;
	return true;
}
