/* SPDX-License-Identifier: MIT */
/*
* Interfaces of the kernel, with wrapped functions in place of the kernel: what it can refuse, and
 * what it can change without the broker. test_kernel.sh tests real interfaces.
 */
#include "tests/unit/broker/uplink/uplink_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "broker/system/kernel_device.h"
#include "broker/system/kernel_link.h"

/* The only interface of this kernel. */
static struct {
	bool there;
	char name[MEMTUN_NAME_SIZE]; /* its present name */
	uint32_t index;
	uint32_t queues;
	unsigned long owner;
	bool persistent;
	unsigned int opened, deleted, asked, named; /* numbers of calls */
	int open_error, ask_error;
	unsigned long failing; /* this ioctl fails, with EINVAL */
	bool is_old;           /* it refuses the offloads of UDP segments, as before Linux 6.2 */
	unsigned long offload;
} interface;

int __wrap_kernel_device_open(const struct kernel_device *device, char name[MEMTUN_NAME_SIZE],
			      char text[], size_t size);
int __wrap_kernel_link_ask(uint32_t index, struct kernel_link *link);
int __wrap_kernel_link_delete(uint32_t index);
unsigned int __wrap_if_nametoindex(const char *name);
int __wrap_ioctl(int fd, unsigned long request, ...);

int __wrap_kernel_device_open(const struct kernel_device *device, char name[MEMTUN_NAME_SIZE],
			      char text[], size_t size)
{
	snprintf(text, size, "cannot have '%s'", name);
	errno = interface.open_error;
	if (errno)
		return -1;
	if (device->fresh)
		assert_false(interface.there);
	interface.opened++;
	interface.there = true;
	strlcpy(interface.name, name, sizeof(interface.name));
	return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); /* as a device without frames */
}

int __wrap_kernel_link_ask(uint32_t index, struct kernel_link *link)
{
	memset(link, 0, sizeof(*link));
	interface.asked++;
	errno = interface.ask_error;
	if (!errno && (!interface.there || index != interface.index))
		errno = ENODEV;
	if (errno)
		return -1;
	strlcpy(link->name, interface.name, sizeof(link->name));
	link->mtu = 1400;
	link->queues = interface.queues;
	return 0;
}

int __wrap_kernel_link_delete(uint32_t index)
{
	assert_int_equal(index, interface.index);
	interface.deleted++;
	interface.there = false;
	return 0;
}

unsigned int __wrap_if_nametoindex(const char *name)
{
	interface.named++;
	return interface.there && strcmp(name, interface.name) == 0 ? interface.index : 0;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	unsigned long argument;
	va_list arguments;

	(void)fd;
	va_start(arguments, request);
	argument = va_arg(arguments, unsigned long);
	va_end(arguments);
	if (request == interface.failing || (request == TUNSETOFFLOAD && interface.is_old &&
					     argument & (TUN_F_USO4 | TUN_F_USO6))) {
		errno = EINVAL;
		return -1;
	}
	if (request == TUNSETOFFLOAD)
		interface.offload = argument;
	if (request == TUNSETOWNER)
		interface.owner = argument;
	if (request == TUNSETPERSIST)
		interface.persistent = argument;
	return 0;
}

static int set_up(void **state)
{
	memset(&interface, 0, sizeof(interface));
	interface.index = 7;
	if (broker_fixture_set_up(state) < 0)
		return -1;
	((struct broker_fixture *)*state)->broker->tunnels->kernel_allowed = true;
	return 0;
}

static void without_the_capability_the_kernel_is_not_asked(void **state)
{
	struct broker_fixture *fixture = *state;

	fixture->broker->tunnels->kernel_allowed = false;
	assert_int_equal(refused(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel"), EPERM);
	assert_int_equal(refused(fixture, MEMTUN_CMD_QUEUE_OPEN, "name=k,backend=kernel"), EPERM);
	assert_int_equal(interface.opened, 0);
	assert_false(exists(fixture, "k"));
}

static void options_of_tunnels_in_memory_are_refused(void **state)
{
	static const char *const options[] = {"bridge=b",  "peer=p",         "socket=seqpacket",
					      "mtu=1500",  "queue=10",       "overflow=block",
					      "address=1", "gateway=1.2.3.4"};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		char text[80];

		snprintf(text, sizeof(text), "name=k,backend=kernel,%s", options[i]);
		assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, text), EINVAL);
	}
	assert_int_equal(interface.opened, 0);
	/* Without a backend, a tunnel is in memory. */
	close(tunnel_opened(*state, "name=m,backend=memory,bridge=b,persistent"));
	close(tunnel_opened(*state, "name=m,backend=memory"));
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=m");
}

static void an_added_interface_belongs_to_its_user_and_persists(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel");
	assert_int_equal(interface.owner, FIXTURE_UID);
	assert_true(interface.persistent);
	assert_int_equal(shown(*state, "k", "backend"), MEMTUN_KERNEL);
	assert_int_equal(shown(*state, "k", "mtu"), 1400);
	close(tunnel_opened(*state, "name=k"));
	assert_int_equal(interface.opened, 2);
	assert_true(exists(*state, "k"));
	done(*state, MEMTUN_CMD_TUNNEL_DELETE, "name=k");
	assert_int_equal(interface.deleted, 1);
}

static void an_opened_interface_has_no_owner_and_is_opened_once(void **state)
{
	interface.owner = 5;
	close(tunnel_opened(*state, "name=k,backend=kernel"));
	assert_int_equal(interface.owner, 5);
	assert_false(interface.persistent);
	assert_int_equal(interface.opened, 1);
	interface.there = false;
	assert_false(exists(*state, "k"));
	assert_int_equal(interface.deleted, 0);
}

static void an_interface_that_cannot_be_made_leaves_no_tunnel(void **state)
{
	static const int errors[] = {EPERM, EBUSY, EINVAL, ENOENT, EMFILE};
	static const unsigned long failing[] = {TUNSETOWNER, TUNSETPERSIST};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		interface.open_error = errors[i];
		assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel"),
				 errors[i]);
		assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=k,backend=kernel"),
				 errors[i]);
		assert_false(exists(*state, "k"));
	}
	interface.open_error = 0;
	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		interface.failing = failing[i];
		assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel"),
				 EINVAL);
		interface.there = false; /* as its only descriptor was closed */
		assert_false(exists(*state, "k"));
	}
}

static void an_open_that_fails_keeps_the_interface(void **state)
{
	int fd = tunnel_opened(*state, "name=k,backend=kernel,multi_queue");

	interface.open_error = E2BIG;
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=k"), E2BIG);
	assert_true(exists(*state, "k"));
	assert_int_equal(interface.deleted, 0);
	interface.open_error = 0;
	/* The interface is deleted after the broker looked for it, so the open makes another
	 * one. */
	interface.ask_error = ENOBUFS;
	interface.index = 8;
	assert_int_equal(refused(*state, MEMTUN_CMD_QUEUE_OPEN, "name=k"), ENODEV);
	interface.ask_error = 0;
	assert_false(exists(*state, "k"));
	close(fd);
}

static void no_state_is_shown_while_the_kernel_cannot_be_asked(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel");
	interface.ask_error = ENOBUFS;
	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_TUNNEL_SHOW, "name=k"),
			 0);
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_STATE));
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_QUEUES));
	assert_false(attribute_set_has(&answer.message.set, MEMTUN_A_MTU));
	assert_true(exists(fixture, "k"));
}

static bool event_is_there(void *context)
{
	struct broker_fixture *fixture = context;
	char byte;

	return recv(fixture->client.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

static bool interface_was_asked(void *context)
{
	(void)context;
	return interface.asked > 0;
}

static void expect_event(struct broker_fixture *fixture, enum memtun_event event)
{
	struct answer answer;

	assert_true(broker_wait(fixture, event_is_there, fixture, 10.));
	assert_true(client_receive(&fixture->client, &answer));
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_EVENT), event);
}

static void assert_opener(struct broker_fixture *fixture, pid_t pid)
{
	struct answer answer;

	record_show(fixture, MEMTUN_CMD_TUNNEL_SHOW, "k", &answer);
	assert_int_equal(attribute_set_number(&answer.message.set, MEMTUN_A_PID), pid);
}

static void changes_of_the_interface_become_events(void **state)
{
	struct broker_fixture *fixture = *state;

	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel");
	close(tunnel_opened(fixture, "name=k"));
	interface.queues = 1;
	assert_opener(fixture, getpid());
	interface.queues = 0;
	done(fixture, MEMTUN_CMD_SUBSCRIBE, "");
	expect_event(fixture, MEMTUN_EVENT_CLOSED);
	/* Its owner opens it without the broker. */
	interface.queues = 1;
	expect_event(fixture, MEMTUN_EVENT_OPENED);
	assert_opener(fixture, 0);
	/* A failure to ask makes no event. */
	interface.ask_error = ENOBUFS;
	interface.asked = 0;
	assert_true(broker_wait(fixture, interface_was_asked, NULL, 10.));
	assert_false(event_is_there(fixture));
	interface.ask_error = 0;
	interface.queues = 0;
	expect_event(fixture, MEMTUN_EVENT_CLOSED);
	interface.there = false;
	expect_event(fixture, MEMTUN_EVENT_DELETED);
	assert_false(exists(fixture, "k"));
	assert_false(ev_is_active(&fixture->broker->engine->liveness.timer));
}

static void a_renamed_interface_is_not_deleted(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel");
	strlcpy(interface.name, "other", sizeof(interface.name));
	assert_false(exists(*state, "k"));
	assert_int_equal(interface.deleted, 0);
}

static void a_queue_in_memory_cannot_be_attached_to_it(void **state)
{
	struct broker_fixture *fixture = *state;
	struct answer answer;
	char options[64];
	uint64_t queue;

	assert_int_equal(client_ask(&fixture->client, &answer, MEMTUN_CMD_QUEUE_OPEN, ""), 0);
	queue = attribute_set_number(&answer.message.set, MEMTUN_A_QUEUE_ID);
	snprintf(options, sizeof(options), "queue-id=%u,name=k,backend=kernel", (unsigned)queue);
	assert_int_equal(refused(fixture, MEMTUN_CMD_QUEUE_ATTACH, options), EINVAL);
	assert_int_equal(interface.opened, 0);
	done(fixture, MEMTUN_CMD_TUNNEL_ADD, "name=k,backend=kernel");
	snprintf(options, sizeof(options), "queue-id=%u,name=k", (unsigned)queue);
	assert_int_equal(refused(fixture, MEMTUN_CMD_QUEUE_ATTACH, options), EINVAL);
	assert_true(exists(fixture, "k"));
	close(answer.fd);
}

static void a_template_skips_names_of_interfaces(void **state)
{
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap%d");
	interface.there = true;
	strlcpy(interface.name, "tap1", sizeof(interface.name));
	interface.open_error = EPERM;
	assert_int_equal(refused(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap%d,backend=kernel"),
			 EPERM);
	interface.open_error = 0;
	interface.there = false;
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap%d,backend=kernel");
	assert_string_equal(interface.name, "tap1");
}

static void a_template_asks_for_no_name_that_the_broker_has(void **state)
{
	for (int i = 0; i < 100; i++)
		done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap%d");
	interface.named = 0;
	done(*state, MEMTUN_CMD_TUNNEL_ADD, "name=tap%d,backend=kernel");
	assert_string_equal(interface.name, "tap100");
	/* Once whether the name is free, and once for the index of the new interface. */
	assert_int_equal(interface.named, 2);
}

static void an_uplink_with_an_unusable_interface_leaves_nothing(void **state)
{
	static const unsigned long failing[] = {TUNSETVNETHDRSZ, TUNSETVNETLE, TUNSETTXFILTER,
						TUNSETOFFLOAD};

	for (size_t i = 0; i < sizeof(failing) / sizeof(failing[0]); i++) {
		interface.failing = failing[i];
		uplink_refused(*state, EINVAL, "cannot use the interface 'u'",
			       "name=u,bridge=b,type=kernel");
		assert_null(uplink_find(((struct broker_fixture *)*state)->broker->uplinks, "u"));
	}
	interface.failing = 0;
	interface.open_error = EACCES;
	uplink_refused(*state, EACCES, "cannot have 'tap%d': Permission denied",
		       "name=u,bridge=b,type=kernel,device=tap%%d");
	uplink_refused(*state, EINVAL, "takes no group",
		       "name=u,bridge=b,type=kernel,group=230.0.0.1");
	uplink_refused(*state, EINVAL, "address is for a tun",
		       "name=u,bridge=b,type=kernel,address=10.0.0.1");
}

static void an_uplink_offers_and_takes_what_the_kernel_has(void **state)
{
	struct uplinks *uplinks = ((struct broker_fixture *)*state)->broker->uplinks;

	for (int old = 0; old < 2; old++) {
		interface.is_old = old;
		done(*state, MEMTUN_CMD_UPLINK_ADD, "name=u,bridge=b,type=kernel");
		/* The kernel gives no frames for fragmentation, but takes them. */
		assert_int_equal(interface.offload, old ? 0xf : 0x6f);
		assert_int_equal(uplink_find(uplinks, "u")->lane.format.offload, old ? 0x1f : 0x7f);
		done(*state, MEMTUN_CMD_UPLINK_DELETE, "name=u");
	}
}

/* Make a broker that may use the kernel's interfaces. */
#define KERNEL(test) cmocka_unit_test_setup_teardown(test, set_up, broker_fixture_tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		KERNEL(without_the_capability_the_kernel_is_not_asked),
		KERNEL(options_of_tunnels_in_memory_are_refused),
		KERNEL(an_added_interface_belongs_to_its_user_and_persists),
		KERNEL(an_opened_interface_has_no_owner_and_is_opened_once),
		KERNEL(an_interface_that_cannot_be_made_leaves_no_tunnel),
		KERNEL(an_open_that_fails_keeps_the_interface),
		KERNEL(no_state_is_shown_while_the_kernel_cannot_be_asked),
		KERNEL(changes_of_the_interface_become_events),
		KERNEL(a_renamed_interface_is_not_deleted),
		KERNEL(a_queue_in_memory_cannot_be_attached_to_it),
		KERNEL(a_template_skips_names_of_interfaces),
		KERNEL(a_template_asks_for_no_name_that_the_broker_has),
		KERNEL(an_uplink_with_an_unusable_interface_leaves_nothing),
		KERNEL(an_uplink_offers_and_takes_what_the_kernel_has),
	};

	return RUN_TESTS(tests);
}
