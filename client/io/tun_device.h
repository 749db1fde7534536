/* SPDX-License-Identifier: MIT */
/*
 * What the kernel's tun device does apart from moving frames: its ioctls, with the kernel's results
 * and its order of errors, and its rules for what may be written. A struct tun_device is one open
 * of /dev/net/tun; a struct tun_interface is the network interface that TUNSETIFF attaches it to,
 * which the opens of a multi-queue interface share. Nothing here owns a descriptor or knows where
 * frames go; a backend says, by a few operations, where interfaces come from.
 *
 * Read in drivers/net/tun.c and tun_vnet.h of Linux 6.18 and compared with it by
 * tests/unit/client/io/test_io_kernel.c. There is no state "down" here: an interface is attached and works.
 */
#ifndef MEMTUN_TUN_DEVICE_H
#define MEMTUN_TUN_DEVICE_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

/* What TUNGETFEATURES answers: the flags that TUNSETIFF knows, as Linux 6.18 has them. */
#define TUN_DEVICE_FEATURES 0x7173u

/* So many addresses of TUNSETTXFILTER are compared exactly; the rest are hashed. */
#define TUN_FILTER_EXACT 8

/* Which frames come to the program: see TUNSETTXFILTER. */
struct tun_address_filter {
	unsigned int count; /* of the exact ones; 0: all frames come */
	uint64_t hashed;    /* multicast addresses, by six bits of their CRC */
	unsigned char addresses[TUN_FILTER_EXACT][6];
};

struct tun_interface {
	char name[IFNAMSIZ];
	unsigned int flags; /* IFF_TUN or IFF_TAP, IFF_PERSIST, and those of TUNSETIFF */
	bool little_endian; /* of the vnet header; else it is this machine's order */
	bool carrier;
	int vnet_size; /* kept even if there is no such header */
	int send_buffer;
	unsigned int offload; /* TUN_F_* */
	unsigned short type;  /* ARPHRD_* */
	unsigned char address[6];
	uid_t owner; /* (uid_t)-1: anyone */
	gid_t group;
	struct tun_address_filter filter;
	unsigned int queues;          /* opens that are attached */
	unsigned int disabled_queues; /* and those that TUNSETQUEUE took out */

	/* What follows from the above, for the calls that move frames: see tun_interface_update().
	 */
	bool packet_information;
	bool looked_at;       /* tun_interface_accepts() needs to see the bytes */
	size_t header_size;   /* packet information and vnet header */
	size_t write_minimum; /* shorter writes are EINVAL */
};

struct tun_device {
	const struct tun_device_operations *operations;
	struct tun_interface *interface; /* NULL before TUNSETIFF */
	bool detached;                   /* by TUNSETQUEUE; interface stays */
	int send_buffer;                 /* while it is detached; else the interface's */
	pid_t process;                   /* whose memory the arguments point into; 0: this one */
};

/* What differs by backend. Each returns 0, or -1 with errno. */
struct tun_device_operations {
	/*
	 * TUNSETIFF: finds or makes the interface, sets device->interface, counts the queue, and
	 * writes the interface's name; what of the name is unused is zero.
	 */
	int (*attach)(struct tun_device *device, char name[IFNAMSIZ], unsigned int flags);
	/* TUNSETQUEUE of an attached multi-queue device: takes the queue out, or back in. */
	int (*enable)(struct tun_device *device, bool on);
	/* These say it before it takes effect; NULL: nothing more is to be done. */
	int (*persist)(struct tun_device *device, bool on);
	int (*own)(struct tun_device *device, uid_t owner, gid_t group);
	int (*set_vnet_size)(struct tun_device *device, int size);
	int (*set_offload)(struct tun_device *device, unsigned int offload);
};

/*
 * The ioctl: 0 or more, or -1 with errno. argument is the number, or the pointer into the memory of
 * device->process, that the program gave. A pointer that leads nowhere gives EFAULT where the
 * kernel gives it, for it is read by process_vm_readv(2); where a sandbox forbids that call, only
 * NULL does.
 */
int tun_device_ioctl(struct tun_device *device, unsigned long request, unsigned long argument);

/* What the kernel gives a new interface; flags are those of TUNSETIFF. */
void tun_interface_init(struct tun_interface *interface, const char *name, unsigned int flags);

/* As TUNSETIFF attaches one more open to an interface that exists. */
void tun_interface_set_flags(struct tun_interface *interface, unsigned int flags);

/* To be called after flags or vnet_size have changed. */
void tun_interface_update(struct tun_interface *interface);

/* The rest of tun_interface_accepts(). */
bool tun_interface_accepts_bytes(const struct tun_interface *interface, const struct iovec *parts,
				 int count, size_t length);

/* May this, `length` bytes with all headers, be written? If not, the kernel says EINVAL. */
static inline bool tun_interface_accepts(const struct tun_interface *interface,
					 const struct iovec *parts, int count, size_t length)
{
	return length >= interface->write_minimum &&
	       (!interface->looked_at ||
		tun_interface_accepts_bytes(interface, parts, count, length));
}

/* Does the frame, of a TAP, pass the filter? */
bool tun_filter_passes(const struct tun_address_filter *filter, const unsigned char *frame);

#endif
