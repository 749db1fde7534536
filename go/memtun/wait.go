// SPDX-License-Identifier: MIT

package memtun

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"time"
)

// graceTime is how much longer than its context a request waits for the broker to say why the time
// was not enough.
const graceTime = time.Second

// patiently runs a request whose answer takes as long as the context allows. The broker reads no
// further request of a client meanwhile, so the request has a connection of its own, whose end is
// the end of the wait. The broker gets the time limit, because only it knows what is missing.
func (c *Client) patiently(ctx context.Context, ask func(context.Context, *session, ...Option) error) error {
	var limit []Option
	patient := ctx
	if deadline, ok := ctx.Deadline(); ok {
		rest := time.Until(deadline)
		if rest <= 0 {
			<-ctx.Done() // its timer ends it a moment later
			return contextError(ctx, "no time to wait")
		}
		limit = []Option{with("time-limit", rest)}
		extended, cancel := context.WithDeadline(context.Background(), deadline.Add(graceTime))
		defer cancel()
		finished := make(chan struct{})
		defer close(finished)
		go func() {
			select {
			case <-ctx.Done():
				if errors.Is(ctx.Err(), context.Canceled) {
					cancel()
				}
			case <-finished:
			}
		}()
		patient = extended
	}
	s, err := dialSession(ctx, c.Address())
	if err != nil {
		return err
	}
	defer s.close()
	err = ask(patient, s, limit...)
	if err != nil && errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return contextError(ctx, "no answer of the broker")
	}
	return err
}

// WaitQuiet returns when programs and broker have read all frames of these ports and bridges, or of
// all ports if there is no name. A test uses it in place of a sleep.
//
// It returns the names of uplinks whose frames count as read once they are sent. At the deadline of
// the context, the error is ETIMEDOUT and tells what is unread.
func (c *Client) WaitQuiet(ctx context.Context, names ...string) ([]string, error) {
	return c.quiet(ctx, names)
}

// WaitIdle waits as WaitQuiet does, and also until no frame has come for the idle time.
func (c *Client) WaitIdle(ctx context.Context, idle time.Duration, names ...string) ([]string, error) {
	return c.quiet(ctx, names, with("idle", idle))
}

// WaitDrained waits until the program that has the tunnel has read all frames for it.
func (c *Client) WaitDrained(ctx context.Context, name string) error {
	if _, err := c.Show(ctx, name); err != nil {
		return err
	}
	_, err := c.quiet(ctx, []string{name}, WithDirection(ToClient))
	return err
}

// WaitSent waits until the broker has read all frames that programs have written to these ports and
// bridges, or to all ports if there is no name.
func (c *Client) WaitSent(ctx context.Context, names ...string) error {
	_, err := c.quiet(ctx, names, WithDirection(FromClient))
	return err
}

func (c *Client) quiet(ctx context.Context, names []string, opts ...Option) ([]string, error) {
	for _, name := range names {
		if name == "" || strings.Contains(name, ",") {
			return nil, newError(errInvalid, "%q is not a name of a port or a bridge", name)
		}
	}
	if len(names) > 0 {
		opts = append(opts, with("names", strings.Join(names, ",")))
	}
	var unsure []string
	err := c.patiently(ctx, func(ctx context.Context, s *session, limit ...Option) error {
		replies, err := s.request(ctx, cmdQuiet, 0, append(limit, opts...)...)
		for _, each := range replies {
			unsure = append(unsure, each.values.text("name"))
		}
		return err
	})
	return unsure, err
}

// WaitState waits until a tunnel is Opened or Closed, or an uplink is Up or Down. It need not exist
// yet, and one that does not exist counts as Closed and Down. If the object has the other kind, the
// error is EINVAL.
func (c *Client) WaitState(ctx context.Context, name string, state State) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watch, err := c.Watch(ctx)
	if err != nil {
		return err
	}
	defer watch.Close()
	for {
		now, err := c.state(ctx, name, state)
		if err != nil || now == state {
			return err
		}
		if reached, err := watch.next(ctx, name, state); err != nil || reached {
			return err
		}
	}
}

// state returns the state of a tunnel or of an uplink, by the kind that has the awaited state.
func (c *Client) state(ctx context.Context, name string, awaited State) (State, error) {
	tunnel, tunnelErr := c.Show(ctx, name)
	if tunnelErr != nil && !errors.Is(tunnelErr, syscall.ENOENT) {
		return "", tunnelErr
	}
	uplink, uplinkErr := c.ShowUplink(ctx, name)
	if uplinkErr != nil && !errors.Is(uplinkErr, syscall.ENOENT) {
		return "", uplinkErr
	}
	switch awaited {
	case Opened, Closed:
		if uplinkErr == nil {
			return "", newError(errInvalid, "%q is an uplink, which is up or down", name)
		}
		if tunnelErr != nil {
			return Closed, nil
		}
		return tunnel.State, nil
	case Up, Down:
		if tunnelErr == nil {
			return "", newError(errInvalid, "%q is a tunnel, which is open or closed", name)
		}
		if uplinkErr != nil {
			return Down, nil
		}
		return uplink.State, nil
	}
	return "", newError(errInvalid, "there is no state %q", awaited)
}

// next waits for an event about the object, and tells whether it has reached the state. The state
// may be another one again by now. After other events of the object, the caller looks again.
func (w *Watch) next(ctx context.Context, name string, state State) (bool, error) {
	for {
		select {
		case event, ok := <-w.Events():
			if !ok {
				if ctx.Err() != nil {
					return false, contextError(ctx, name+" is not "+string(state))
				}
				return false, w.Err()
			}
			if event.Kind == EventLost {
				return false, nil
			}
			if event.Name != name {
				continue
			}
			return event.State == state, nil
		case <-ctx.Done():
			return false, contextError(ctx, name+" is not "+string(state))
		}
	}
}

// --- the clock ---

// Clock returns what the broker's logical clock shows.
func (c *Client) Clock(ctx context.Context) (Clock, error) {
	var clock Clock
	_, err := c.one(ctx, cmdClockShow, &clock)
	return clock, err
}

// AdvanceClock moves the manual clock, and runs each event until then at its time.
func (c *Client) AdvanceClock(ctx context.Context, move time.Duration) (Clock, error) {
	var clock Clock
	_, err := c.one(ctx, cmdClockAdvance, &clock, with("move", move))
	return clock, err
}

// AdvanceToNext waits until the broker is quiet, moves the manual clock to the next event, and runs all
// events of that time. The error is ENODATA if nothing is due.
func (c *Client) AdvanceToNext(ctx context.Context) (Clock, error) {
	var clock Clock
	err := c.patiently(ctx, func(ctx context.Context, s *session, limit ...Option) error {
		_, err := s.one(ctx, cmdClockNext, &clock, limit...)
		return err
	})
	return clock, err
}
