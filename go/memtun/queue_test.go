// SPDX-License-Identifier: MIT

package memtun_test

import (
	"errors"
	"reflect"
	"syscall"
	"testing"
	"time"

	"memtun"
	"memtun/memtuntest"
)

func TestQueueIsAttachedToOneTunnelAfterTheOther(t *testing.T) {
	countDescriptors(t)
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	other := broker.Tunnel("other")
	for _, socket := range []memtun.Socket{"", memtun.Stream} {
		file, queue, err := broker.OpenQueue(ctx, socket)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		file.SetDeadline(time.Now().Add(20 * time.Second))
		for _, name := range []string{"first", "second"} {
			tunnel, err := broker.AttachQueue(ctx, queue, name, memtun.WithBridge(memtuntest.BridgeName))
			if err != nil {
				t.Fatal(err)
			}
			if tunnel.Name != name || tunnel.QueueID != queue.QueueID || tunnel.State != memtun.Opened {
				t.Errorf("attached: %+v", tunnel)
			}
			if _, err := memtun.NewFramer(file, tunnel).Write(ether(name)); err != nil {
				t.Fatal(err)
			}
			if got := read(t, other); got != string(ether(name)) {
				t.Errorf("read %q", got)
			}
			if _, err := broker.AttachQueue(ctx, queue, "third"); !errors.Is(err, syscall.EEXIST) {
				t.Errorf("attached twice: %v", err)
			}
			if queue, err = broker.DetachQueue(ctx, tunnel); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := broker.DetachQueue(ctx, queue); !errors.Is(err, syscall.EINVAL) {
			t.Errorf("detached twice: %v", err)
		}
		file.Close()
		if err := broker.WaitState(ctx, "second", memtun.Closed); err != nil {
			t.Error(err)
		}
	}
	if _, err := broker.AttachQueue(ctx, memtun.Tunnel{Socket: memtun.Seqpacket, QueueID: 99999}, "a"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no queue: %v", err)
	}
}

func TestInterfaceIsShownAndSet(t *testing.T) {
	broker := memtuntest.Broker(t)
	ctx := broker.Context()
	broker.Tunnel("a")
	if _, err := broker.SetInterface(ctx, "a", memtun.WithInterfaceNeighbour("10.0.0.2 lladdr 02:00:00:00:00:01")); err != nil {
		t.Fatal(err)
	}
	first, err := broker.SetInterface(ctx, "a", memtun.WithInterfaceFlags(syscall.IFF_UP|syscall.IFF_MULTICAST),
		memtun.WithInterfaceMAC("02:00:00:00:00:07"), memtun.WithInterfaceTxqlen(7),
		memtun.WithInterfaceAddress("10.0.0.1/24 broadcast 10.0.0.255", "10.0.1.1/24"),
		memtun.WithInterfaceRoute("default via 10.0.0.2"), memtun.WithInterfaceNeighbour(),
		memtun.WithInterfaceCarrier(false))
	if err != nil {
		t.Fatal(err)
	}
	shown, err := broker.Show(ctx, "a")
	if err != nil {
		t.Fatal(err)
	}
	shown.Counters = nil
	first.Counters, first.PID, first.Program = nil, shown.PID, shown.Program
	if !reflect.DeepEqual(first, shown) {
		t.Errorf("answered %+v, shown %+v", first, shown)
	}
	if up := uint32(syscall.IFF_UP | syscall.IFF_MULTICAST); shown.InterfaceFlags&up != up ||
		shown.InterfaceMAC != "02:00:00:00:00:07" || shown.InterfaceTxqlen != 7 ||
		!reflect.DeepEqual(shown.InterfaceAddress, []string{"10.0.0.1/24 broadcast 10.0.0.255", "10.0.1.1/24"}) ||
		!reflect.DeepEqual(shown.InterfaceRoute, []string{"default via 10.0.0.2"}) ||
		shown.InterfaceNeighbour != nil || shown.InterfaceCarrier == nil || *shown.InterfaceCarrier {
		t.Errorf("shown: %+v", shown)
	}
	revision := memtun.WithInterfaceRevision(shown.InterfaceRevision)
	if again, err := broker.SetInterface(ctx, "a", memtun.WithInterfaceFlags(0), revision); err != nil ||
		again.InterfaceFlags&syscall.IFF_UP != 0 || again.InterfaceRevision == shown.InterfaceRevision {
		t.Errorf("set down: %+v: %v", again, err)
	}
	if _, err := broker.SetInterface(ctx, "a", memtun.WithInterfaceFlags(syscall.IFF_UP), revision); !errors.Is(err, syscall.ESTALE) {
		t.Errorf("an old revision: %v", err)
	}
	if _, err := broker.SetInterface(ctx, "nothing"); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("no tunnel: %v", err)
	}
}
