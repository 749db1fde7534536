// SPDX-License-Identifier: MIT

package memtun_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"time"

	"memtun"
)

// broadcast is the header of an Ethernet frame to all hosts.
const broadcast = "\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x01\x88\xb5"

func Example() {
	ctx := context.Background()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	a, err := broker.Open(ctx, "a", memtun.WithBridge("lab"))
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	b, err := broker.Open(ctx, "b", memtun.WithBridge("lab"))
	if err != nil {
		log.Fatal(err)
	}
	defer b.Close()

	fmt.Fprint(a, broadcast+"hello")
	b.SetReadDeadline(time.Now().Add(5 * time.Second))
	frame := make([]byte, memtun.FrameMax)
	length, err := b.Read(frame)
	fmt.Printf("%s %v\n", frame[len(broadcast):length], err)
	// Output: hello <nil>
}

func ExampleClient_Capture() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	a, err := broker.Open(ctx, "a", memtun.WithBridge("lab"))
	if err != nil {
		log.Fatal(err)
	}
	defer a.Close()
	capture, err := broker.Capture(ctx, "lab", memtun.WithFaults())
	if err != nil {
		log.Fatal(err)
	}
	defer capture.Close()

	fmt.Fprint(a, broadcast+"hello")
	for i := 0; i < 2; i++ {
		frame, err := capture.Next(ctx)
		fmt.Println(frame.Direction, len(frame.Data), frame.Comment(), err)
	}
	// Output:
	// from-client 19  <nil>
	// from-client 19 dropped: no-destination <nil>
}

func ExampleClient_AddRule() {
	ctx := context.Background()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{ManualClock: true})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	if _, err := broker.Add(ctx, "a", memtun.WithBridge("lab")); err != nil {
		log.Fatal(err)
	}
	rule, err := broker.AddRule(ctx, "a", memtun.WithDirection(memtun.FromClient),
		memtun.WithLoss(2.5), memtun.WithDelay(20*time.Millisecond), memtun.WithSeed(7))
	fmt.Println(rule.Number, rule.Loss, rule.Delay, rule.Seed, err)
	clock, err := broker.AdvanceClock(ctx, time.Minute)
	fmt.Println(clock.Time, err)
	// Output:
	// 1 2.5 20ms 7 <nil>
	// 1m0s <nil>
}

func ExampleClient_Watch() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	watch, err := broker.Watch(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer watch.Close()
	if _, err := broker.Add(ctx, "a", memtun.WithBridge("lab")); err != nil {
		log.Fatal(err)
	}
	for event := range watch.Events() {
		fmt.Println(event.Kind, event.Name)
		if event.Kind == memtun.EventAdded {
			break
		}
	}
	// Output:
	// bridge-added lab
	// added a
}

func ExampleClient_Inject() {
	ctx := context.Background()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	if _, err := broker.Add(ctx, "a"); err != nil {
		log.Fatal(err)
	}
	_, err = broker.Inject(ctx, "a", [][]byte{[]byte(broadcast)})
	fmt.Println(err)
	// Output: memtun: "a" dropped injected frames (no-client: 1)
}

func ExampleError() {
	ctx := context.Background()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	_, err = broker.Show(ctx, "nothing")
	fmt.Println(err, errors.Is(err, fs.ErrNotExist))
	// Output: memtun: there is no tunnel 'nothing' true
}

// A program inherits the tunnel as descriptor 3.
func ExampleClient_Open_program() {
	ctx := context.Background()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	tunnel, err := broker.Open(ctx, "vm0")
	if err != nil {
		log.Fatal(err)
	}
	defer tunnel.Close()
	program := exec.Command("sh", "-c", "test -S /dev/fd/3 && echo a socket")
	program.ExtraFiles = []*os.File{tunnel}
	output, err := program.Output()
	fmt.Print(string(output), err)
	// Output:
	// a socket
	// <nil>
}
