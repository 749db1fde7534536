/* SPDX-License-Identifier: MIT */
/*
 * This file makes and frees adapters. It keeps the packets that wait for a neighbour's MAC address,
 * queues the frames to send to the bridge, and announces the adapter's addresses and multicast
 * groups.
 *
 * An adapter must not send while the bridge forwards a batch, because each port then has a mask of
 * that batch's frames. The adapter queues its frames, and the bridge calls adapter_flush()
 * afterwards.
 */
#include "broker/adapter/adapter_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker/engine/engine.h"
#include "common/clock.h"
#include "broker/engine/batch.h"
#include "broker/adapter/multicast_listener.h"
#include "broker/adapter/neighbour_message.h"
#include "common/container_of.h"
#include "common/identity.h"

static void adapter_due(struct due *due);

/* ------------------------------------------------------------------------------ pending frames */

static void pending_frame_free(struct pending_frame *pending_frame)
{
	frame_release(pending_frame->frame);
	free(pending_frame);
}

static struct pending_frame *pending_frame_new(uint32_t length)
{
	struct pending_frame *pending_frame = calloc(1, sizeof(*pending_frame));

	if (!pending_frame)
		return NULL;
	pending_frame->frame = frame_new(length);
	if (pending_frame->frame)
		return pending_frame;
	free(pending_frame);
	return NULL;
}

void adapter_drop_unresolved(struct adapter *adapter, const struct frame *frame, uint32_t header)
{
	struct frame packet = {
		.data = frame->data + header,
		.length = frame->length - header,
		.offload = frame->offload,
		.id = frame->id,
	};

	if (packet.offload.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		packet.offload.csum_start = (uint16_t)(packet.offload.csum_start - ETH_HLEN);
	adapter->operations->drop(adapter->port, MEMTUN_TUN, &packet,
				  MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED);
}

static void waiting_remove(struct adapter *adapter, struct pending_frame *pending_frame)
{
	TAILQ_REMOVE(&adapter->waiting, pending_frame, link);
	adapter->waiting_count--;
	pending_frame->to->waiting--;
	pending_frame->to = NULL;
}

static void waiting_drop(struct adapter *adapter, struct pending_frame *pending_frame)
{
	waiting_remove(adapter, pending_frame);
	adapter_drop_unresolved(adapter, pending_frame->frame, ETH_HLEN);
	pending_frame_free(pending_frame);
}

/* Return the oldest waiting packet for that neighbour or, if it is NULL, for any neighbour. */
static struct pending_frame *waiting_oldest(struct adapter *adapter,
					    const struct neighbour *neighbour)
{
	struct pending_frame *pending_frame;

	TAILQ_FOREACH(pending_frame, &adapter->waiting, link) {
		if (!neighbour || pending_frame->to == neighbour)
			return pending_frame;
	}
	return NULL;
}

void adapter_queue_pending(struct adapter *adapter, struct neighbour *neighbour,
			   const struct frame *frame)
{
	struct pending_frame *pending_frame = pending_frame_new(ETH_HLEN + frame->length);

	if (!pending_frame) {
		adapter_drop_unresolved(adapter, frame, 0);
		return;
	}
	if (neighbour->waiting == ADAPTER_PENDING_NEIGHBOUR_MAX)
		waiting_drop(adapter, waiting_oldest(adapter, neighbour));
	else if (adapter->waiting_count == ADAPTER_PENDING_MAX)
		waiting_drop(adapter, waiting_oldest(adapter, NULL));
	memcpy(pending_frame->frame->data + ETH_HLEN, frame->data, frame->length);
	pending_frame->frame->offload = frame->offload;
	pending_frame->frame->id = frame->id;
	pending_frame->of_client = true;
	pending_frame->to = neighbour;
	neighbour->waiting++;
	adapter->waiting_count++;
	TAILQ_INSERT_TAIL(&adapter->waiting, pending_frame, link);
}

void adapter_send_pending(struct adapter *adapter, struct neighbour *neighbour)
{
	while (neighbour->waiting) {
		struct pending_frame *pending_frame = waiting_oldest(adapter, neighbour);
		struct frame *frame = pending_frame->frame;

		waiting_remove(adapter, pending_frame);
		adapter_write_header(adapter, frame->data, neighbour->mac);
		TAILQ_INSERT_TAIL(&adapter->outgoing, pending_frame, link);
		adapter->operations->flush_later(adapter->port);
	}
}

static void neighbour_forgotten(void *context, struct neighbour *neighbour)
{
	struct adapter *adapter = context;

	while (neighbour->waiting)
		waiting_drop(adapter, waiting_oldest(adapter, neighbour));
}

/* ------------------------------------------------------------------------------ life */

struct adapter *adapter_new(struct engine *engine, const struct adapter_operations *operations,
			    struct port *port, const char *name,
			    const struct adapter_config *config)
{
	struct adapter *adapter = calloc(1, sizeof(*adapter));
	uint64_t seed;
	struct address mac;

	if (!adapter)
		return NULL;
	if (getrandom(&seed, sizeof(seed), 0) < 0) {
		free(adapter);
		return NULL;
	}
	adapter->engine = engine;
	adapter->operations = operations;
	adapter->port = port;
	adapter->config = config;
	identity_mac(engine->identity, name, adapter_config_first_ipv4(config), adapter->mac);
	mac = address_ethernet(adapter->mac, 0);
	address_format(&mac, adapter->mac_text);
	neighbour_table_init(&adapter->neighbours, seed, neighbour_forgotten, adapter);
	address_ring_init(&adapter->learned, seed);
	TAILQ_INIT(&adapter->waiting);
	TAILQ_INIT(&adapter->outgoing);
	return adapter;
}

void adapter_free(struct adapter *adapter)
{
	struct pending_frame *pending_frame;

	if (!adapter)
		return;
	due_cancel(&adapter->engine->due, &adapter->due);
	while ((pending_frame = TAILQ_FIRST(&adapter->waiting)))
		waiting_drop(adapter, pending_frame);
	/* The bridge flushes its adapters after each batch, so no frame is queued here. */
	assert(TAILQ_EMPTY(&adapter->outgoing));
	batch_free(adapter->bounce);
	free(adapter);
}

const char *adapter_mac(const struct adapter *adapter)
{
	return adapter->mac_text;
}

void adapter_set_config(struct adapter *adapter, const struct adapter_config *config)
{
	adapter->config = config;
	adapter_announce(adapter);
}

void adapter_move(struct adapter *adapter)
{
	neighbour_forget_all(&adapter->neighbours);
	adapter_announce(adapter);
}

void adapter_count(struct adapter *adapter, enum memtun_attribute counter, uint64_t number)
{
	adapter->operations->count(adapter->port, counter, number);
}

bool adapter_has(const struct adapter *adapter, const struct address *address)
{
	return adapter_config_has(adapter->config, address) ||
	       address_ring_has(&adapter->learned, address);
}

/* ------------------------------------------------------------------------------ sending */

/* Queue a control frame of the adapter. The frame is dropped if ADAPTER_CONTROL_MAX frames wait
 * already or memory is short. */
static void adapter_queue_control(struct adapter *adapter, const unsigned char *bytes,
				  size_t length)
{
	struct pending_frame *pending_frame = NULL;

	if (adapter->control_count < ADAPTER_CONTROL_MAX)
		pending_frame = pending_frame_new((uint32_t)length);
	if (!pending_frame)
		return;
	memcpy(pending_frame->frame->data, bytes, length);
	adapter->control_count++;
	TAILQ_INSERT_TAIL(&adapter->outgoing, pending_frame, link);
	adapter->operations->flush_later(adapter->port);
}

/* Run adapter_due() when the next probe or announcement is due. */
static void adapter_schedule(struct adapter *adapter)
{
	struct due_queue *queue = &adapter->engine->due;
	int64_t deadline = neighbour_deadline(&adapter->neighbours);

	if (adapter->announcements)
		deadline = clock_earlier(deadline, adapter->announcement_at);
	if (deadline < 0)
		due_cancel(queue, &adapter->due);
	else
		due_set(queue, &adapter->due, deadline, adapter_due);
}

void adapter_solicit(struct adapter *adapter, struct neighbour *neighbour, int64_t now)
{
	const struct address *from = adapter_config_source(adapter->config, &neighbour->address);
	unsigned char bytes[NEIGHBOUR_MESSAGE_SIZE];

	adapter_queue_control(adapter, bytes,
			      neighbour_request_write(bytes, adapter->mac,
						      from ? from : &neighbour->sender,
						      &neighbour->address,
						      neighbour->known ? neighbour->mac : NULL));
	neighbour_probed(&adapter->neighbours, neighbour, now);
	adapter_schedule(adapter);
}

void adapter_reply(struct adapter *adapter, const struct address *address, const struct address *to,
		   const unsigned char *to_mac)
{
	unsigned char bytes[NEIGHBOUR_MESSAGE_SIZE];

	/* While a full backlog pauses the port, replies would add to that backlog without a limit,
	 * because the senders of requests are not paused. The senders repeat their requests. */
	if (adapter->operations->is_paused(adapter->port))
		return;
	adapter_queue_control(adapter, bytes,
			      neighbour_reply_write(bytes, adapter->mac, address, to, to_mac));
}

/* ------------------------------------------------------------------------------ announcements */

void adapter_announce(struct adapter *adapter)
{
	adapter->announcements = ADAPTER_ANNOUNCEMENTS;
	adapter->announcement_at = due_now(&adapter->engine->due);
	adapter_schedule(adapter);
}

/* Add the solicited-node group of an IPv6 address to the array, unless it is there already. */
static void groups_add(struct address groups[], unsigned int *count, const struct address *address)
{
	const struct address group = neighbour_group(address);

	for (unsigned int i = 0; i < *count; i++) {
		if (address_equal(&groups[i], &group))
			return;
	}
	groups[(*count)++] = group;
}

/* Return the configured link-local address, or NULL. */
static const struct address *adapter_link_local(const struct adapter *adapter)
{
	const struct address *address;

	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		if (address_is_link_local(address))
			return address;
	}
	return NULL;
}

/* Send a report of the groups. Do nothing if there are none. */
static void groups_report(struct adapter *adapter, const struct address groups[],
			  unsigned int count, enum multicast_record type)
{
	unsigned char bytes[MULTICAST_REPORT_SIZE];

	if (count)
		adapter_queue_control(adapter, bytes,
				      multicast_report_write(bytes, adapter->mac,
							     adapter_link_local(adapter), groups,
							     count, type));
}

void adapter_join_group(struct adapter *adapter, const struct address *address)
{
	const struct address group = neighbour_group(address);

	if (address->kind == ADDRESS_IPV6)
		groups_report(adapter, &group, 1, MULTICAST_RECORD_TO_EXCLUDE);
}

/* Report the groups of all IPv6 addresses, in as many reports as they need. */
static void adapter_report(struct adapter *adapter, enum multicast_record type)
{
	struct address groups[MULTICAST_REPORT_GROUPS_MAX];
	const struct address *address;
	unsigned int count = 0;

	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		if (address->kind == ADDRESS_IPV6)
			groups_add(groups, &count, address);
	}
	for (unsigned int i = 0; i < ADDRESS_RING_MAX; i++) {
		address = &adapter->learned.entries[i].address;
		if (address->kind != ADDRESS_IPV6)
			continue;
		if (count == MULTICAST_REPORT_GROUPS_MAX) {
			groups_report(adapter, groups, count, type);
			count = 0;
		}
		groups_add(groups, &count, address);
	}
	groups_report(adapter, groups, count, type);
}

/* Return whether one of the adapter's IPv6 addresses is in that solicited-node group. */
static bool adapter_has_group(const struct adapter *adapter, const struct address *group)
{
	const struct address *address;
	struct address of;

	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		of = neighbour_group(address);
		if (address->kind == ADDRESS_IPV6 && address_equal(&of, group))
			return true;
	}
	for (unsigned int i = 0; i < ADDRESS_RING_MAX; i++) {
		address = &adapter->learned.entries[i].address;
		of = neighbour_group(address);
		if (address->kind == ADDRESS_IPV6 && address_equal(&of, group))
			return true;
	}
	return false;
}

void adapter_report_groups(struct adapter *adapter, const struct address *group)
{
	bool general = !group->words[0] && !group->words[1];

	/* While the port is paused, send no report, for the reason in adapter_reply(). A querier
	 * repeats its query. */
	if (adapter->operations->is_paused(adapter->port))
		return;
	if (general || adapter_has_group(adapter, group))
		adapter_report(adapter, MULTICAST_RECORD_IS_EXCLUDE);
}

/* Report the groups and announce the configured addresses. */
static void adapter_send_announcements(struct adapter *adapter)
{
	const struct address *address;

	adapter_report(adapter, MULTICAST_RECORD_TO_EXCLUDE);
	for (unsigned int i = 0; (address = adapter_config_address(adapter->config, i)); i++) {
		unsigned char bytes[NEIGHBOUR_MESSAGE_SIZE];

		adapter_queue_control(adapter, bytes,
				      neighbour_announcement_write(bytes, adapter->mac, address));
	}
}

static void adapter_due(struct due *due)
{
	struct adapter *adapter = container_of(due, struct adapter, due);
	struct neighbour *neighbour;
	int64_t now = due_now(&adapter->engine->due);

	if (adapter->announcements && now >= adapter->announcement_at) {
		adapter->announcements--;
		adapter->announcement_at = now + ADAPTER_ANNOUNCEMENT_INTERVAL;
		adapter_send_announcements(adapter);
	}
	while ((neighbour = neighbour_overdue(&adapter->neighbours, now))) {
		if (neighbour->probes < NEIGHBOUR_PROBES_MAX)
			adapter_solicit(adapter, neighbour, now);
		else
			neighbour_forget(&adapter->neighbours, neighbour);
	}
	adapter_schedule(adapter);
	adapter->operations->flush_now(adapter->port);
}

/* Send a batch of the queued frames. */
static void adapter_flush_batch(struct adapter *adapter)
{
	/* If the bridge has no other port, send only the packets of the client, so that the bridge
	 * counts them as dropped. */
	bool heard = !adapter->operations->is_alone(adapter->port);
	struct pending_frame *pending_frames[BATCH_FRAMES];
	struct batch batch;
	unsigned int count = 0, sent = 0;
	struct pending_frame *pending_frame;

	while (count < BATCH_FRAMES && (pending_frame = TAILQ_FIRST(&adapter->outgoing))) {
		TAILQ_REMOVE(&adapter->outgoing, pending_frame, link);
		adapter->control_count -= !pending_frame->of_client;
		pending_frames[count++] = pending_frame;
		if (!heard && !pending_frame->of_client)
			continue;
		batch_set(&batch, sent, pending_frame->frame->data, pending_frame->frame->length);
		batch.frames[sent].headroom = pending_frame->frame->headroom;
		batch.frames[sent].id = pending_frame->frame->id;
		batch.frames[sent++].offload = pending_frame->frame->offload;
	}
	if (sent)
		adapter->operations->send_to_bridge(adapter->port, &batch,
						    UINT64_MAX >> (BATCH_FRAMES - sent));
	batch_clear(&batch, sent);
	while (count)
		pending_frame_free(pending_frames[--count]);
}

void adapter_flush(struct adapter *adapter)
{
	while (!TAILQ_EMPTY(&adapter->outgoing))
		adapter_flush_batch(adapter);
}
