/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum (RFC 1071): sums of 16-bit words in ones' complement arithmetic.
 *
 * Byte order: words are read as they lie in memory and the result is meant to be stored the same
 * way. So a folded checksum is in network order already: memcpy() it into the header, no htons().
 * A running sum is only good for being passed on; don't compare sums, compare what they fold to.
 */
#ifndef MEMTUN_CHECKSUM_H
#define MEMTUN_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Adds length bytes, of any alignment, to a running sum that started at 0. The words of the next
 * piece begin where this piece ends, so only the last piece may have an odd length: it counts as
 * if a zero byte followed.
 */
uint32_t checksum_add(uint32_t sum, const void *data, size_t length);

/*
 * The complement of the sum in 16 bits: what belongs in the header. Over a message that includes
 * its own right checksum it is 0. UDP sends 0xffff where this gives 0 (RFC 768).
 */
uint16_t checksum_fold(uint32_t sum);

/*
 * Sums that TCP, UDP (both families) and ICMPv6 start from. from and to are addresses as they lie
 * in the header, 4 or 16 bytes; length is that of the transport header and payload, in host order.
 */
uint32_t checksum_pseudo_ipv4(const void *from, const void *to, uint8_t protocol, uint16_t length);
uint32_t checksum_pseudo_ipv6(const void *from, const void *to, uint8_t protocol, uint32_t length);

#endif
