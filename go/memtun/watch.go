// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"sync"
	"time"
)

// Event is a change of a tunnel, a bridge, an uplink or a rule.
type Event struct {
	Kind EventKind `memtun:"event"`
	// Time is that of CLOCK_MONOTONIC.
	Time time.Duration `memtun:"time"`
	// Of the object.
	ID     uint32 `memtun:"id"`
	Name   string `memtun:"name"`
	Bridge string `memtun:"bridge"`
	State  State  `memtun:"state"`
	// Changed has the keys that were set.
	Changed []string `memtun:"changed"`
	// FormerName is the name that a tunnel had before it was renamed.
	FormerName string `memtun:"former-name"`
	// QueueID is that of the queue that was opened or closed.
	QueueID uint32 `memtun:"queue-id"`
	// Reason is why an uplink is down or has refused a peer.
	Reason string `memtun:"reason"`
	// Address and VLAN are those of EventAddressMoving.
	Address string `memtun:"address"`
	VLAN    int    `memtun:"vlan"`

	values values
}

// Tunnel returns the record of the tunnel that an event is about.
func (e Event) Tunnel() Tunnel { return recordOf[Tunnel](e) }

// Uplink returns the record of the uplink that an event is about.
func (e Event) Uplink() Uplink { return recordOf[Uplink](e) }

// Rule returns the record of the rule that an event is about.
func (e Event) Rule() Rule { return recordOf[Rule](e) }

func recordOf[T any](e Event) T {
	var record T
	e.values.decode(&record)
	return record
}

// Watch is a subscription to the events of a broker, on a connection of its own.
type Watch struct {
	session  *session
	events   chan Event
	stop     chan struct{}
	stopOnce sync.Once
	err      error // written before events is closed
}

// Watch subscribes to all changes from now on, until the context ends.
func (c *Client) Watch(ctx context.Context) (*Watch, error) {
	w := &Watch{events: make(chan Event, 64), stop: make(chan struct{})}
	s, err := dialSession(ctx, c.Address())
	if err != nil {
		return nil, err
	}
	w.session = s
	// Until the hello is answered, nothing can stop deliver, which waits for the program.
	s.takeEvents(w.deliver)
	if _, err := s.request(ctx, cmdSubscribe, 0); err != nil {
		close(w.stop)
		s.close()
		return nil, err
	}
	go w.run(ctx)
	return w, nil
}

// Events returns the channel of the events. It is closed at the end of the subscription. A program
// that does not receive from it for too long loses events, and gets one of the kind EventLost.
func (w *Watch) Events() <-chan Event {
	return w.events
}

// Err returns why the channel was closed: the error of the context, that of the connection, or nil
// after Close. Call it when the channel is closed.
func (w *Watch) Err() error {
	return w.err
}

// Close ends the subscription. A second call does nothing.
func (w *Watch) Close() {
	w.stopOnce.Do(func() { close(w.stop) })
	<-w.session.ended
}

// deliver takes the records of the session's goroutine. Until the program receives an event, that
// goroutine does not receive records, so that the broker knows when the program is too slow.
func (w *Watch) deliver(m message) {
	event := Event{Kind: EventLost}
	if m.kind != typeError {
		event = Event{values: m.values}
		m.values.decode(&event)
	}
	select {
	case w.events <- event:
	case <-w.stop:
	}
}

// run ends the subscription with the context, with Close or with the connection.
func (w *Watch) run(ctx context.Context) {
	var err error
	select {
	case <-ctx.Done():
		err = ctx.Err()
		w.stopOnce.Do(func() { close(w.stop) })
	case <-w.stop:
	case <-w.session.ended:
		err = w.session.explain(nil)
	}
	w.session.close()
	w.err = err
	close(w.events)
}
