/* SPDX-License-Identifier: MIT */
/*
 * An adapter's life, its MAC address, and what is in it: packets that wait for a neighbour's MAC
 * address, and frames that are to be said when the bridge listens.
 *
 * Nothing is said while the bridge forwards a batch, as it notes in each port what of that batch
 * goes there. So what is to be said is kept, and the bridge asks for it afterwards.
 */
#include "broker/adapter/adapter_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "broker/switch/bridge.h"
#include "broker/broker.h"
#include "common/clock.h"
#include "broker/engine/frame.h"
#include "broker/adapter/neighbour_message.h"
#include "broker/switch/port.h"

static void adapter_due(struct ev_loop *loop, ev_timer *timer, int events);

/* ------------------------------------------------------------------------------ parcels */

static void parcel_free(struct parcel *parcel)
{
	frame_release(parcel->frame);
	free(parcel);
}

static struct parcel *parcel_new(uint32_t length)
{
	struct parcel *parcel = calloc(1, sizeof(*parcel));

	if (!parcel)
		return NULL;
	parcel->frame = frame_new(length);
	if (parcel->frame)
		return parcel;
	free(parcel);
	return NULL;
}

static void count_unresolved(struct adapter *adapter)
{
	port_count(adapter->port, MEMTUN_A_FROM_CLIENT_DROPPED_UNRESOLVED, 1);
}

static void waiting_remove(struct adapter *adapter, struct parcel *parcel)
{
	TAILQ_REMOVE(&adapter->waiting, parcel, link);
	adapter->waiting_count--;
	parcel->to->waiting--;
	parcel->to = NULL;
}

static void waiting_drop(struct adapter *adapter, struct parcel *parcel)
{
	waiting_remove(adapter, parcel);
	count_unresolved(adapter);
	parcel_free(parcel);
}

/* The one that has waited longest, for that neighbour or (NULL) for any. */
static struct parcel *waiting_oldest(struct adapter *adapter, const struct neighbour *neighbour)
{
	struct parcel *parcel;

	TAILQ_FOREACH(parcel, &adapter->waiting, link) {
		if (!neighbour || parcel->to == neighbour)
			return parcel;
	}
	return NULL;
}

void adapter_wait(struct adapter *adapter, struct neighbour *neighbour, const struct frame *frame)
{
	struct parcel *parcel = parcel_new(ETH_HLEN + frame->length);

	if (!parcel) {
		count_unresolved(adapter);
		return;
	}
	if (neighbour->waiting == ADAPTER_WAITING_A_NEIGHBOUR)
		waiting_drop(adapter, waiting_oldest(adapter, neighbour));
	else if (adapter->waiting_count == ADAPTER_WAITING)
		waiting_drop(adapter, waiting_oldest(adapter, NULL));
	memcpy(parcel->frame->data + ETH_HLEN, frame->data, frame->length);
	parcel->frame->offload = frame->offload;
	parcel->of_client = true;
	parcel->to = neighbour;
	neighbour->waiting++;
	adapter->waiting_count++;
	TAILQ_INSERT_TAIL(&adapter->waiting, parcel, link);
}

void adapter_release(struct adapter *adapter, struct neighbour *neighbour)
{
	while (neighbour->waiting) {
		struct parcel *parcel = waiting_oldest(adapter, neighbour);
		struct frame *frame = parcel->frame;

		waiting_remove(adapter, parcel);
		adapter_write_header(adapter, frame->data, neighbour->mac, frame->data + ETH_HLEN);
		TAILQ_INSERT_TAIL(&adapter->outgoing, parcel, link);
		bridge_hear(adapter->port);
	}
}

static void neighbour_forgotten(void *context, struct neighbour *neighbour)
{
	struct adapter *adapter = context;

	while (neighbour->waiting)
		waiting_drop(adapter, waiting_oldest(adapter, neighbour));
}

/* ------------------------------------------------------------------------------ life */

struct adapter *adapter_new(struct port *port)
{
	struct adapter *adapter = calloc(1, sizeof(*adapter));
	struct {
		uint64_t seed;
		unsigned char mac[ETH_ALEN];
	} random;
	struct address mac = {.kind = ADDRESS_ETHERNET};

	if (!adapter)
		return NULL;
	if (getrandom(&random, sizeof(random), 0) < 0) {
		free(adapter);
		return NULL;
	}
	adapter->port = port;
	/* One host's, and locally administered: IEEE 802, 8.2. */
	random.mac[0] = (unsigned char)((random.mac[0] & ~1) | 2);
	memcpy(adapter->mac, random.mac, ETH_ALEN);
	memcpy(mac.words, random.mac, ETH_ALEN);
	address_format(&mac, adapter->mac_text);
	neighbour_table_init(&adapter->neighbours, random.seed, neighbour_forgotten, adapter);
	address_ring_init(&adapter->learned, random.seed);
	TAILQ_INIT(&adapter->waiting);
	TAILQ_INIT(&adapter->outgoing);
	ev_timer_init(&adapter->timer, adapter_due, 0., 0.);
	adapter->timer.data = adapter;
	return adapter;
}

void adapter_free(struct adapter *adapter)
{
	struct parcel *parcel;

	if (!adapter)
		return;
	ev_timer_stop(adapter->port->broker->loop, &adapter->timer);
	while ((parcel = TAILQ_FIRST(&adapter->waiting)))
		waiting_drop(adapter, parcel);
	/* The bridge has listened to all of it before it did anything else. */
	assert(TAILQ_EMPTY(&adapter->outgoing));
	batch_free(adapter->bounce);
	free(adapter);
}

const char *adapter_mac(const struct adapter *adapter)
{
	return adapter->mac_text;
}

bool adapter_has(const struct adapter *adapter, const struct address *address)
{
	return adapter_config_has(adapter->port->adapter_config, address) ||
	       address_ring_has(&adapter->learned, address);
}

/* ------------------------------------------------------------------------------ speaking */

/* Has its own words said later. Where there are too many already, or no memory: not at all. */
static void adapter_say(struct adapter *adapter, const unsigned char *bytes, size_t length)
{
	struct parcel *parcel = NULL;

	if (adapter->words_count < ADAPTER_WORDS)
		parcel = parcel_new((uint32_t)length);
	if (!parcel)
		return;
	memcpy(parcel->frame->data, bytes, length);
	adapter->words_count++;
	TAILQ_INSERT_TAIL(&adapter->outgoing, parcel, link);
	bridge_hear(adapter->port);
}

/* Until the next answer is overdue. */
static void adapter_watch(struct adapter *adapter, int64_t now)
{
	int64_t deadline = neighbour_deadline(&adapter->neighbours);
	struct ev_loop *loop = adapter->port->broker->loop;

	if (deadline < 0 || ev_is_active(&adapter->timer))
		return;
	ev_timer_set(&adapter->timer,
		     deadline > now ? (double)(deadline - now) / (double)CLOCK_SECOND : 0., 0.);
	ev_timer_start(loop, &adapter->timer);
}

void adapter_ask(struct adapter *adapter, struct neighbour *neighbour, int64_t now)
{
	const struct address *from =
		adapter_config_source(adapter->port->adapter_config, &neighbour->address);
	unsigned char bytes[NEIGHBOUR_MESSAGE_SIZE];

	adapter_say(adapter, bytes,
		    neighbour_question_write(bytes, adapter->mac, from ? from : &neighbour->asker,
					     &neighbour->address,
					     neighbour->known ? neighbour->mac : NULL));
	neighbour_asked(&adapter->neighbours, neighbour, now);
	adapter_watch(adapter, now);
}

void adapter_answer(struct adapter *adapter, const struct address *address,
		    const struct address *to, const unsigned char *to_mac)
{
	unsigned char bytes[NEIGHBOUR_MESSAGE_SIZE];

	/* A full queue that drops nothing holds its port, and would take answers without end: those
	 * who ask aren't held. They ask again. */
	if (adapter->port->holds)
		return;
	adapter_say(adapter, bytes,
		    neighbour_answer_write(bytes, adapter->mac, address, to, to_mac));
}

static void adapter_due(struct ev_loop *loop, ev_timer *timer, int events)
{
	struct adapter *adapter = timer->data;
	struct neighbour *neighbour;
	int64_t now = clock_now();

	(void)loop;
	(void)events;
	while ((neighbour = neighbour_overdue(&adapter->neighbours, now))) {
		if (neighbour->questions < NEIGHBOUR_QUESTIONS)
			adapter_ask(adapter, neighbour, now);
		else
			neighbour_forget(&adapter->neighbours, neighbour);
	}
	adapter_watch(adapter, now);
	bridge_speak(adapter->port->bridge);
}

/* Sends a batch of what there is to say. */
static void adapter_speak_batch(struct adapter *adapter)
{
	/* To nobody only packets go: they are counted there. */
	bool heard = adapter->port->bridge->port_count > 1;
	struct parcel *parcels[BATCH_FRAMES];
	struct batch batch;
	unsigned int count = 0, sent = 0;
	struct parcel *parcel;

	while (count < BATCH_FRAMES && (parcel = TAILQ_FIRST(&adapter->outgoing))) {
		TAILQ_REMOVE(&adapter->outgoing, parcel, link);
		adapter->words_count -= !parcel->of_client;
		parcels[count++] = parcel;
		if (!heard && !parcel->of_client)
			continue;
		batch_set(&batch, sent, parcel->frame->data, parcel->frame->length);
		batch.frames[sent++].offload = parcel->frame->offload;
	}
	if (sent)
		bridge_switch(adapter->port, &batch, UINT32_MAX >> (BATCH_FRAMES - sent));
	batch_clear(&batch, sent);
	while (count)
		parcel_free(parcels[--count]);
}

void adapter_speak(struct adapter *adapter)
{
	while (!TAILQ_EMPTY(&adapter->outgoing))
		adapter_speak_batch(adapter);
}
