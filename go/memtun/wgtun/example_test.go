// SPDX-License-Identifier: MIT

package wgtun_test

import (
	"context"
	"fmt"
	"log"

	"memtun"
	"memtun/wgtun"
)

// Event stands for tun.Event of wireguard-go.
type Event int

func ExampleOpen() {
	ctx := context.Background()
	broker, err := memtun.StartBroker(ctx, memtun.BrokerConfig{})
	if err != nil {
		log.Fatal(err)
	}
	defer broker.Close()
	device, err := wgtun.Open[Event](ctx, broker, "wg%d", memtun.WithBridge("lab"), memtun.WithMTU(1420))
	if err != nil {
		log.Fatal(err)
	}
	defer device.Close()
	name, _ := device.Name()
	mtu, _ := device.MTU()
	fmt.Println(name, mtu, <-device.Events() == wgtun.EventUp)
	// Output: wg0 1420 true
}
