/* SPDX-License-Identifier: MIT */
/* An adapter's life, and the timer for its announcements and its neighbours. */
#include "broker/adapter/adapter_parts.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/random.h>

#include "broker/adapter/neighbour_message.h"
#include "broker/engine/batch.h"
#include "broker/engine/engine.h"
#include "common/clock.h"
#include "common/container_of.h"
#include "common/identity.h"

static void adapter_due(struct due *due);

static void neighbour_forgotten(void *context, struct neighbour *neighbour)
{
	adapter_drop_pending(context, neighbour);
}

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
	if (!adapter)
		return;
	due_cancel(&adapter->engine->due, &adapter->due);
	adapter_drop_pending(adapter, NULL);
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

void adapter_schedule(struct adapter *adapter)
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

static void adapter_due(struct due *due)
{
	struct adapter *adapter = container_of(due, struct adapter, due);
	struct neighbour *neighbour;
	int64_t now = due_now(&adapter->engine->due);

	adapter_announce_due(adapter, now);
	while ((neighbour = neighbour_overdue(&adapter->neighbours, now))) {
		if (neighbour->probes < NEIGHBOUR_PROBES_MAX)
			adapter_solicit(adapter, neighbour, now);
		else
			neighbour_forget(&adapter->neighbours, neighbour);
	}
	adapter_schedule(adapter);
	adapter->operations->flush_now(adapter->port);
}
