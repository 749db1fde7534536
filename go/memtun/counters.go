// SPDX-License-Identifier: MIT

package memtun

import (
	"sort"
	"strings"
)

// Counter names a counter of a port, as memtun's JSON does. memtun(1) describes them.
type Counter string

// The counters of frames from the client and to it, and those of what rules did to them.
const (
	FromClientFrames                 Counter = "from-client-frames"
	FromClientBytes                  Counter = "from-client-bytes"
	FromClientDroppedEmpty           Counter = "from-client-dropped-empty"
	FromClientDroppedRunt            Counter = "from-client-dropped-runt"
	FromClientDroppedOversize        Counter = "from-client-dropped-oversize"
	FromClientDroppedMalformed       Counter = "from-client-dropped-malformed"
	FromClientDroppedNoDestination   Counter = "from-client-dropped-no-destination"
	FromClientDroppedOverrun         Counter = "from-client-dropped-overrun"
	FromClientDroppedForeign         Counter = "from-client-dropped-foreign"
	FromClientDroppedUnresolved      Counter = "from-client-dropped-unresolved"
	ToClientOffered                  Counter = "to-client-offered"
	ToClientFrames                   Counter = "to-client-frames"
	ToClientBytes                    Counter = "to-client-bytes"
	ToClientQueued                   Counter = "to-client-queued"
	ToClientDroppedFull              Counter = "to-client-dropped-full"
	ToClientDroppedNoClient          Counter = "to-client-dropped-no-client"
	ToClientDroppedMTU               Counter = "to-client-dropped-mtu"
	ToClientDroppedNeedsSegmentation Counter = "to-client-dropped-needs-segmentation"
	ToClientDroppedRefused           Counter = "to-client-dropped-refused"
	ToClientDroppedNotIP             Counter = "to-client-dropped-not-ip"
	ToClientCopiedBytes              Counter = "to-client-copied-bytes"
	ToClientUnread                   Counter = "to-client-unread"
	FromClientDroppedLoss            Counter = "from-client-dropped-loss"
	FromClientDroppedListed          Counter = "from-client-dropped-listed"
	FromClientDroppedPMTU            Counter = "from-client-dropped-pmtu"
	FromClientDroppedLinkDown        Counter = "from-client-dropped-link-down"
	FromClientDroppedDiscarded       Counter = "from-client-dropped-discarded"
	FromClientDroppedWaitingFull     Counter = "from-client-dropped-waiting-full"
	FromClientDuplicated             Counter = "from-client-duplicated"
	FromClientCorrupted              Counter = "from-client-corrupted"
	FromClientTruncated              Counter = "from-client-truncated"
	FromClientDelayed                Counter = "from-client-delayed"
	FromClientReordered              Counter = "from-client-reordered"
	FromClientHeld                   Counter = "from-client-held"
	FromClientWaiting                Counter = "from-client-waiting"
	ToClientDroppedLoss              Counter = "to-client-dropped-loss"
	ToClientDroppedListed            Counter = "to-client-dropped-listed"
	ToClientDroppedPMTU              Counter = "to-client-dropped-pmtu"
	ToClientDroppedLinkDown          Counter = "to-client-dropped-link-down"
	ToClientDroppedDiscarded         Counter = "to-client-dropped-discarded"
	ToClientDroppedWaitingFull       Counter = "to-client-dropped-waiting-full"
	ToClientDuplicated               Counter = "to-client-duplicated"
	ToClientCorrupted                Counter = "to-client-corrupted"
	ToClientTruncated                Counter = "to-client-truncated"
	ToClientDelayed                  Counter = "to-client-delayed"
	ToClientReordered                Counter = "to-client-reordered"
	ToClientHeld                     Counter = "to-client-held"
	ToClientWaiting                  Counter = "to-client-waiting"
)

// counterNumbers has the attribute of each counter.
var counterNumbers = map[uint16]Counter{
	64:  FromClientFrames,
	65:  FromClientBytes,
	66:  FromClientDroppedEmpty,
	67:  FromClientDroppedRunt,
	68:  FromClientDroppedOversize,
	69:  FromClientDroppedMalformed,
	70:  FromClientDroppedNoDestination,
	71:  FromClientDroppedOverrun,
	72:  FromClientDroppedForeign,
	73:  FromClientDroppedUnresolved,
	74:  ToClientOffered,
	75:  ToClientFrames,
	76:  ToClientBytes,
	77:  ToClientQueued,
	78:  ToClientDroppedFull,
	79:  ToClientDroppedNoClient,
	80:  ToClientDroppedMTU,
	81:  ToClientDroppedNeedsSegmentation,
	82:  ToClientDroppedRefused,
	83:  ToClientDroppedNotIP,
	84:  ToClientCopiedBytes,
	85:  ToClientUnread,
	180: FromClientDroppedLoss,
	181: FromClientDroppedListed,
	182: FromClientDroppedPMTU,
	183: FromClientDroppedLinkDown,
	184: FromClientDroppedDiscarded,
	185: FromClientDroppedWaitingFull,
	186: FromClientDuplicated,
	187: FromClientCorrupted,
	188: FromClientTruncated,
	189: FromClientDelayed,
	190: FromClientReordered,
	191: FromClientHeld,
	192: FromClientWaiting,
	193: ToClientDroppedLoss,
	194: ToClientDroppedListed,
	195: ToClientDroppedPMTU,
	196: ToClientDroppedLinkDown,
	197: ToClientDroppedDiscarded,
	198: ToClientDroppedWaitingFull,
	199: ToClientDuplicated,
	200: ToClientCorrupted,
	201: ToClientTruncated,
	202: ToClientDelayed,
	203: ToClientReordered,
	204: ToClientHeld,
	205: ToClientWaiting,
}

// Counters are the numbers of frames that a port has counted since it was made.
type Counters map[Counter]uint64

// Drops returns the counters of dropped frames that are not 0.
func (c Counters) Drops() Counters {
	drops := make(Counters)
	for counter, count := range c {
		if count != 0 && strings.Contains(string(counter), "-dropped-") {
			drops[counter] = count
		}
	}
	return drops
}

// String lists the counters that are not 0, in the order of their names.
func (c Counters) String() string {
	var words []string
	for counter, count := range c {
		if count != 0 {
			words = append(words, string(counter)+"="+uintText(count))
		}
	}
	sort.Strings(words)
	return strings.Join(words, " ")
}
