/* SPDX-License-Identifier: MIT */
/*
 * The state of a tun interface: what the ioctls set, which frames may be written to it, and which
 * frames its filter lets through. It owns nothing, knows no descriptor and makes no system call but
 * getrandom(2).
 */
#ifndef MEMTUN_TUN_INTERFACE_H
#define MEMTUN_TUN_INTERFACE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What TUNGETFEATURES answers: the flags that TUNSETIFF knows in Linux 6.18. */
#define TUN_DEVICE_FEATURES 0x7173u

/* Bytes of the shortest vnet header, struct virtio_net_hdr. */
#define TUN_VNET_MIN 10

/* How many addresses of TUNSETTXFILTER are compared exactly (the kernel's FLT_EXACT_COUNT). */
#define TUN_FILTER_EXACT 8

/* The frames for the program that TUNSETTXFILTER lets through. */
struct tun_address_filter {
	unsigned int count; /* of addresses that are compared exactly; 0: all frames pass */
	uint64_t hashed;    /* further multicast addresses, by six bits of their CRC */
	unsigned char addresses[TUN_FILTER_EXACT][6];
};

struct tun_interface {
	char name[IFNAMSIZ];
	unsigned int flags; /* IFF_TUN or IFF_TAP, IFF_PERSIST, and those of TUNSETIFF */
	bool little_endian; /* the vnet header's byte order; else it is this machine's */
	bool carrier;
	int vnet_size; /* bytes, also while there is no vnet header */
	int send_buffer;
	unsigned int offload; /* TUN_F_* */
	unsigned short type;  /* ARPHRD_* */
	unsigned char address[6];
	uid_t owner; /* (uid_t)-1: any user */
	gid_t group; /* (gid_t)-1: any group */
	struct tun_address_filter filter;
	unsigned int queues;          /* opens that are attached */
	unsigned int disabled_queues; /* opens that TUNSETQUEUE has detached */

	/* Derived from the above by tun_interface_update(), for the calls that move frames. */
	bool packet_information;
	bool looked_at;     /* tun_interface_accepts() has to read the bytes */
	size_t header_size; /* bytes of packet information and vnet header */
	size_t write_min;   /* a shorter write is EINVAL */
};

/* Return whether the MAC is a group address: IEEE 802, 8.2.2. */
static inline bool mac_is_multicast(const unsigned char *mac)
{
	return mac[0] & 1;
}

/* Make *interface what the kernel makes a new one; flags are those of TUNSETIFF. */
void tun_interface_init(struct tun_interface *interface, const char *name, unsigned int flags);

/* Set the flags of TUNSETIFF, as for the first queue of an interface that exists already. */
void tun_interface_set_flags(struct tun_interface *interface, unsigned int flags);

/* Set the derived members. To be called after a change of flags or vnet_size. */
void tun_interface_update(struct tun_interface *interface);

/* Do the part of tun_interface_accepts() that reads the bytes. */
bool tun_interface_accepts_bytes(const struct tun_interface *interface, const struct iovec *parts,
				 int count, size_t length);

/*
 * Return whether a write of these parts, `length` bytes with all headers, is one that the kernel
 * does not refuse with EINVAL.
 */
static inline bool tun_interface_accepts(const struct tun_interface *interface,
					 const struct iovec *parts, int count, size_t length)
{
	return length >= interface->write_min &&
	       (!interface->looked_at ||
		tun_interface_accepts_bytes(interface, parts, count, length));
}

/* Return whether the Ethernet frame passes the filter. */
bool tun_filter_passes(const struct tun_address_filter *filter, const unsigned char *frame);

/*
 * Add an address to the filter. Return false if no exact place is left and the address, which is
 * not multicast, cannot be hashed.
 */
bool tun_filter_add(struct tun_address_filter *filter, const unsigned char *address);

#endif
