// SPDX-License-Identifier: MIT

package memtun

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// header is the protocol's header, which is there if the module is in memtun's sources.
const header = "../../include/memtun/protocol.h"

// unused are the attributes that this package neither sends nor reads.
var unused = map[string]bool{"unspec": true, "plain": true, "detailed": true}

// TestNumbersAreThoseOfTheProtocol compares the numbers of attributes, counters and words.
func TestNumbersAreThoseOfTheProtocol(t *testing.T) {
	data, err := os.ReadFile(header)
	if err != nil {
		t.Skip("not in memtun's sources: ", err)
	}
	seen := 0
	for _, match := range regexp.MustCompile(`(?m)^\tMEMTUN_([A-Z0-9_]+) = (\d+),`).FindAllStringSubmatch(string(data), -1) {
		number, err := strconv.Atoi(match[2])
		if err != nil {
			t.Fatal(err)
		}
		name := strings.ToLower(match[1])
		switch {
		case strings.HasPrefix(name, "a_"):
			checkAttribute(t, strings.TrimPrefix(name, "a_"), number)
		case strings.HasPrefix(name, "event_"):
			checkWord(t, "event", strings.TrimPrefix(name, "event_"), number)
		case strings.HasPrefix(name, "uplink_"):
			checkWord(t, "type", strings.TrimPrefix(name, "uplink_"), number)
		case strings.HasPrefix(name, "clock_"):
			checkWord(t, "clock", strings.TrimPrefix(name, "clock_"), number)
		case strings.HasPrefix(name, "life_"):
			checkWord(t, "life", strings.TrimPrefix(name, "life_"), number)
		default:
			continue
		}
		seen++
	}
	if seen < 180 {
		t.Errorf("only %d numbers were compared", seen)
	}
}

func checkAttribute(t *testing.T, name string, number int) {
	t.Helper()
	if unused[name] {
		return
	}
	word := strings.ReplaceAll(name, "_", "-")
	if word == "queue-limit" {
		word = "queue"
	}
	if counter, ok := counterNumbers[uint16(number)]; ok && string(counter) == word {
		return
	}
	for _, spelling := range []string{word, name} {
		if row, ok := attributes[spelling]; ok && int(row.number) == number {
			return
		}
	}
	t.Errorf("attribute %s is not number %d", name, number)
}

func checkWord(t *testing.T, of, name string, number int) {
	t.Helper()
	if word := attributes[of].word(uint64(number)); word != strings.ReplaceAll(name, "_", "-") {
		t.Errorf("number %d of %s is %s, not %s", number, of, word, name)
	}
}
