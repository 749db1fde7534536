// SPDX-License-Identifier: MIT

package memtun

import (
	"encoding/binary"
	"fmt"
	"strings"
	"syscall"
	"unsafe"
)

// The sizes and numbers of records, from memtun-protocol(7) and <linux/netlink.h>.
const (
	recordMax       = 32768 // bytes of a record, in either direction
	protocolVersion = 1 << 16
	headerSize      = 16 // struct nlmsghdr
	attributeSize   = 4  // struct nlattr
	errorBodySize   = 20 // behind the header of an error: the errno, and the request's header
	errorText       = 1  // NLMSGERR_ATTR_MSG

	typeError = 2
	typeDone  = 3

	flagRequest = 0x1
	flagMulti   = 0x2
	flagAck     = 0x4
	flagDump    = 0x300
)

// FrameMax is the largest frame that the broker forwards, in bytes. The headers of WithPI and
// WithVnetHdr come on top of it, with at most 24 bytes.
const FrameMax = 69632

const headersMax = 24

type command uint16

const (
	cmdHello         command = 0x10
	cmdTunnelAdd     command = 0x11
	cmdTunnelSet     command = 0x12
	cmdTunnelDelete  command = 0x13
	cmdTunnelShow    command = 0x14
	cmdQueueOpen     command = 0x15
	cmdQueueAttach   command = 0x16
	cmdQueueDetach   command = 0x17
	cmdBridgeAdd     command = 0x18
	cmdBridgeDelete  command = 0x19
	cmdBridgeShow    command = 0x1a
	cmdSubscribe     command = 0x1b
	cmdEvent         command = 0x1c
	cmdCapture       command = 0x1d
	cmdInject        command = 0x1e
	cmdUplinkAdd     command = 0x1f
	cmdUplinkDelete  command = 0x20
	cmdUplinkShow    command = 0x21
	cmdAddressShow   command = 0x22
	cmdSessionShow   command = 0x23
	cmdSessionDelete command = 0x24
	cmdUplinkSet     command = 0x25
	cmdHandIn        command = 0x26
	cmdInterfaceSet  command = 0x28
	cmdTunnelRename  command = 0x29
	cmdClockShow     command = 0x30
	cmdClockAdvance  command = 0x31
	cmdClockNext     command = 0x32
	cmdQuiet         command = 0x33
	cmdImpairAdd     command = 0x34
	cmdImpairShow    command = 0x35
	cmdImpairSet     command = 0x36
	cmdImpairDelete  command = 0x37
	cmdImpairRelease command = 0x38
)

// hasDescriptor tells whether an answer has a descriptor, which the caller of the request owns.
func (kind command) hasDescriptor() bool {
	switch kind {
	case cmdQueueOpen, cmdCapture, cmdInject, cmdHandIn:
		return true
	}
	return false
}

// native is the byte order of this machine. (encoding/binary has it from Go 1.21 on.)
var native = func() binary.ByteOrder {
	one := uint16(1)
	if *(*byte)(unsafe.Pointer(&one)) == 1 {
		return binary.LittleEndian
	}
	return binary.BigEndian
}()

// appendU16 and its companions append a number in host byte order.
func appendU16(data []byte, value uint16) []byte {
	var buffer [2]byte
	native.PutUint16(buffer[:], value)
	return append(data, buffer[:]...)
}

func appendU32(data []byte, value uint32) []byte {
	var buffer [4]byte
	native.PutUint32(buffer[:], value)
	return append(data, buffer[:]...)
}

func appendU64(data []byte, value uint64) []byte {
	var buffer [8]byte
	native.PutUint64(buffer[:], value)
	return append(data, buffer[:]...)
}

// appendAttribute appends an attribute and its padding.
func appendAttribute(data []byte, number uint16, value []byte) []byte {
	data = appendU16(data, uint16(attributeSize+len(value)))
	data = appendU16(data, number)
	data = append(data, value...)
	return append(data, make([]byte, -len(value)&3)...)
}

// buildRecord returns one request.
func buildRecord(kind command, flags uint16, sequence uint32, attributes []byte) []byte {
	record := make([]byte, 0, headerSize+len(attributes))
	record = appendU32(record, uint32(headerSize+len(attributes)))
	record = appendU16(record, uint16(kind))
	record = appendU16(record, flags)
	record = appendU32(record, sequence)
	record = appendU32(record, 0)
	return append(record, attributes...)
}

// message is one record of the broker.
type message struct {
	kind     uint16
	flags    uint16
	sequence uint32
	values   values
	errno    syscall.Errno // of an error; 0 is an acknowledgement
	text     string        // the broker's explanation of the error
}

// parseAttributes returns the value of each attribute, which are parts of data.
func parseAttributes(data []byte) (values, error) {
	found := make(values)
	for len(data) > 0 {
		if len(data) < attributeSize {
			return nil, fmt.Errorf("an attribute is cut off")
		}
		length, number := int(native.Uint16(data)), native.Uint16(data[2:])
		if length < attributeSize || length > len(data) {
			return nil, fmt.Errorf("attribute %d has the length %d", number, length)
		}
		found[number] = data[attributeSize:length]
		next := (length + 3) &^ 3
		if next > len(data) {
			return nil, fmt.Errorf("the padding of attribute %d is missing", number)
		}
		data = data[next:]
	}
	return found, nil
}

// parseRecord reads a record. The values of the message are parts of it.
func parseRecord(record []byte) (message, error) {
	if len(record) < headerSize {
		return message{}, fmt.Errorf("the record has only %d bytes", len(record))
	}
	if length := native.Uint32(record); int(length) != len(record) {
		return message{}, fmt.Errorf("the record has %d bytes, and its header says %d",
			len(record), length)
	}
	m := message{
		kind:     native.Uint16(record[4:]),
		flags:    native.Uint16(record[6:]),
		sequence: native.Uint32(record[8:]),
	}
	body := record[headerSize:]
	if m.kind == typeError {
		if len(body) < errorBodySize {
			return message{}, fmt.Errorf("the error is cut off")
		}
		m.errno = syscall.Errno(-int32(native.Uint32(body)))
		body = body[errorBodySize:]
	}
	found, err := parseAttributes(body)
	if err != nil {
		return message{}, err
	}
	if m.kind == typeError {
		m.text = strings.ToValidUTF8(cString(found[errorText]), "\ufffd")
		return m, nil
	}
	m.values = found
	return m, nil
}

// cString returns the string before the 0 byte at its end.
func cString(data []byte) string {
	return strings.TrimRight(string(data), "\x00")
}
