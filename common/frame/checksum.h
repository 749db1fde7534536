/* SPDX-License-Identifier: MIT */
/* The Internet checksum (RFC 1071): sums of 16-bit words in ones' complement arithmetic. */
#ifndef MEMTUN_CHECKSUM_H
#define MEMTUN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Byte order: words are read as they are in memory, and the result is to be stored the same way. A
 * folded checksum is therefore in network byte order already: copy it into the header without
 * htons(). Two running sums of the same bytes may differ; compare only what they fold to.
 */

/*
 * Return the running sum plus `length` bytes, which may have any alignment. The first sum is 0. The
 * next call continues where this one ends, so every length but the last must be even; an odd last
 * length counts as if a zero byte followed.
 */
uint32_t checksum_add(uint32_t sum, const void *data, size_t length);

/*
 * Return the complement of the sum in 16 bits: the value of the header's checksum field. Over a
 * message that contains its own correct checksum the result is 0. UDP sends 0xffff instead of 0,
 * because 0 means "no checksum" (RFC 768).
 */
uint16_t checksum_fold(uint32_t sum);

/*
 * Return the checksum of bytes whose checksum field has the sum of the pseudo header, as a sender
 * leaves it to the receiver. It is 0xffff instead of 0, as UDP needs it.
 */
uint16_t checksum_complete(const void *data, size_t length);

/*
 * Return the sum of the pseudo header, from which the checksums of TCP, UDP and ICMPv6 start. from
 * and to are addresses in network byte order, 4 or 16 bytes long. length is the number of bytes in
 * the transport header and its payload, in host byte order.
 */
uint32_t checksum_pseudo_ipv4(const void *from, const void *to, uint8_t protocol, uint16_t length);
uint32_t checksum_pseudo_ipv6(const void *from, const void *to, uint8_t protocol, uint32_t length);

#endif
