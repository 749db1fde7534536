// SPDX-License-Identifier: MIT

package memtun

import (
	"io"
	"strconv"
)

// Block types and options of draft-ietf-opsawg-pcapng.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	optionComment  = 1
	optionName     = 2
	optionFlags    = 2
	optionPacketID = 5
	optionTsresol  = 9
	resolution     = 9 // 10^-9 seconds

	linkEthernet = 1   // LINKTYPE_ETHERNET
	linkRaw      = 101 // LINKTYPE_RAW

	inbound, outbound = 1, 2 // from a client into the broker, and to a client
)

// PcapngWriter writes frames of captures as a pcapng file, for Wireshark and tcpdump. Each port has
// an interface, and a frame with faults has a packet comment.
type PcapngWriter struct {
	file       io.Writer
	nameOf     func(uint32) string
	interfaces map[pcapngInterface]uint32
}

type pcapngInterface struct {
	port uint32
	mode Mode
}

// NewPcapngWriter writes the beginning of a file. nameOf returns the name of the port that has an
// ID; nil names it by the number.
func NewPcapngWriter(file io.Writer, nameOf func(port uint32) string) (*PcapngWriter, error) {
	if nameOf == nil {
		nameOf = func(port uint32) string { return "port " + strconv.FormatUint(uint64(port), 10) }
	}
	w := &PcapngWriter{file, nameOf, make(map[pcapngInterface]uint32)}
	body := appendU32(nil, 0x1a2b3c4d) // the byte order
	body = appendU16(body, 1)          // version 1.0
	body = appendU16(body, 0)
	body = appendU64(body, ^uint64(0)) // a section of unknown length
	return w, w.block(blockSection, body)
}

func (w *PcapngWriter) block(kind uint32, body []byte) error {
	length := uint32(12 + len(body))
	block := appendU32(nil, kind)
	block = appendU32(block, length)
	block = append(block, body...)
	_, err := w.file.Write(appendU32(block, length))
	return err
}

func appendPcapngOption(data []byte, code uint16, value []byte) []byte {
	data = appendU16(data, code)
	data = appendU16(data, uint16(len(value)))
	data = append(data, value...)
	return append(data, make([]byte, -len(value)&3)...)
}

// interfaceOf returns the number of the port's interface, which this may have to write.
func (w *PcapngWriter) interfaceOf(frame Frame) (uint32, error) {
	key := pcapngInterface{frame.Port, frame.Mode}
	if number, ok := w.interfaces[key]; ok {
		return number, nil
	}
	link := uint16(linkEthernet)
	if frame.Mode == TUN {
		link = linkRaw
	}
	body := appendU16(nil, link)
	body = appendU16(body, 0)
	body = appendU32(body, 0) // no limit of the length
	body = appendPcapngOption(body, optionName, []byte(w.nameOf(frame.Port)))
	body = appendPcapngOption(body, optionTsresol, []byte{resolution})
	body = appendPcapngOption(body, 0, nil)
	number := uint32(len(w.interfaces))
	w.interfaces[key] = number
	return number, w.block(blockInterface, body)
}

// Write writes one frame.
func (w *PcapngWriter) Write(frame Frame) error {
	number, err := w.interfaceOf(frame)
	if err != nil {
		return err
	}
	time, length := uint64(frame.Time.UnixNano()), uint32(len(frame.Data))
	body := appendU32(nil, number)
	body = appendU32(body, uint32(time>>32))
	body = appendU32(body, uint32(time))
	body = appendU32(body, length)
	body = appendU32(body, length)
	body = append(body, frame.Data...)
	body = append(body, make([]byte, -len(frame.Data)&3)...)
	direction := uint32(outbound)
	if frame.Direction == FromClient {
		direction = inbound
	}
	body = appendPcapngOption(body, optionFlags, appendU32(nil, direction))
	if frame.ID != 0 {
		body = appendPcapngOption(body, optionPacketID, appendU64(nil, frame.ID))
	}
	if comment := frame.Comment(); comment != "" {
		body = appendPcapngOption(body, optionComment, []byte(comment))
	}
	return w.block(blockPacket, appendPcapngOption(body, 0, nil))
}
