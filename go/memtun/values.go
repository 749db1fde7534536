// SPDX-License-Identifier: MIT

package memtun

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// values are the attributes of a record, by their numbers.
type values map[uint16][]byte

func uintText(number uint64) string {
	return strconv.FormatUint(number, 10)
}

// number returns the number of an attribute; 0 if it is missing.
func (v values) number(word string) uint64 {
	return numberOf(v[attributes[word].number])
}

// text returns the string of an attribute; "" if it is missing.
func (v values) text(word string) string {
	return cString(v[attributes[word].number])
}

// numberOf returns a u32 or a u64, by its size.
func numberOf(data []byte) uint64 {
	switch len(data) {
	case 4:
		return uint64(native.Uint32(data))
	case 8:
		return native.Uint64(data)
	}
	return 0
}

// word returns the word of a kindWord. A number that this package does not know is its own word.
func (a attribute) word(number uint64) string {
	if number >= 1 && number <= uint64(len(a.words)) && a.words[number-1] != "" {
		return a.words[number-1]
	}
	return uintText(number)
}

// record is what a struct is decoded into: each field with a tag is the attribute of that word.
func (v values) decode(record any) {
	decodeStruct(v, reflect.ValueOf(record).Elem())
}

func decodeStruct(v values, record reflect.Value) {
	for i := 0; i < record.NumField(); i++ {
		field := record.Type().Field(i)
		if field.Type == reflect.TypeOf(Counters(nil)) {
			record.Field(i).Set(reflect.ValueOf(v.counters()))
			continue
		}
		word, ok := field.Tag.Lookup("memtun")
		if !ok {
			continue
		}
		row := attributes[word]
		if data, found := v[row.number]; found {
			decodeField(row, data, record.Field(i))
		}
	}
}

// counters returns the counters of the record; nil if it has none.
func (v values) counters() Counters {
	var found Counters
	for number, counter := range counterNumbers {
		if data, ok := v[number]; ok {
			if found == nil {
				found = make(Counters)
			}
			found[counter] = numberOf(data)
		}
	}
	return found
}

func decodeField(row attribute, data []byte, field reflect.Value) {
	number := numberOf(data)
	switch field.Kind() {
	case reflect.Pointer:
		field.Set(reflect.New(field.Type().Elem()))
		decodeField(row, data, field.Elem())
	case reflect.Bool:
		field.SetBool(number != 0)
	case reflect.Uint32, reflect.Uint64:
		field.SetUint(number)
	case reflect.Int, reflect.Int64: // also time.Duration
		field.SetInt(int64(number))
	case reflect.Float64:
		field.SetFloat(float64(number) / row.scale())
	case reflect.String:
		if row.kind == kindWord {
			field.SetString(row.word(number))
		} else {
			field.SetString(cString(data))
		}
	case reflect.Slice:
		separator := "+"
		if row.number == attributes["changed"].number {
			separator = ","
		}
		if text := cString(data); text != "" {
			field.Set(reflect.ValueOf(strings.Split(text, separator)))
		}
	default:
		panic("memtun: no way to decode a " + field.Type().String())
	}
}

// scale returns what a number is multiplied by in the protocol.
func (a attribute) scale() float64 {
	switch a.kind {
	case kindPercent:
		return 1e7 // billionths
	case kindThousandths:
		return 1e3
	}
	return 1
}

// encode returns the value of an attribute in a request.
func (a attribute) encode(word string, value any) ([]byte, error) {
	switch a.kind {
	case kindText:
		return encodeText(word, value.(string))
	case kindFlag:
		if value.(bool) {
			return appendU32(nil, 1), nil
		}
		return appendU32(nil, 0), nil
	case kindWord:
		for i, known := range a.words {
			if known == value.(string) && known != "" {
				return appendU32(nil, uint32(i+1)), nil
			}
		}
		return nil, fmt.Errorf("%s is one of %s, not %q", word, strings.Join(a.words, ", "), value)
	case kindPercent, kindThousandths:
		scaled := value.(float64)*a.scale() + 0.5
		if !(scaled >= 0 && scaled < 1<<32) {
			return nil, fmt.Errorf("%s is out of range: %v", word, value)
		}
		return appendU32(nil, uint32(scaled)), nil
	case kindU64:
		return encodeU64(word, value)
	}
	number, ok := value.(int)
	if unsigned, is := value.(uint32); is {
		return appendU32(nil, unsigned), nil
	}
	if !ok || number < 0 || int64(number) >= 1<<32 {
		return nil, fmt.Errorf("%s is out of range: %v", word, value)
	}
	return appendU32(nil, uint32(number)), nil
}

func encodeU64(word string, value any) ([]byte, error) {
	if duration, ok := value.(time.Duration); ok {
		if duration < 0 {
			return nil, fmt.Errorf("%s is negative: %v", word, duration)
		}
		return appendU64(nil, uint64(duration)), nil
	}
	return appendU64(nil, value.(uint64)), nil
}

func encodeText(word, text string) ([]byte, error) {
	if strings.IndexByte(text, 0) >= 0 {
		return nil, fmt.Errorf("%s has a 0 byte: %q", word, text)
	}
	if len(text) >= recordMax {
		return nil, fmt.Errorf("%s has %d bytes", word, len(text))
	}
	return append([]byte(text), 0), nil
}
