/* SPDX-License-Identifier: MIT */
/*
 * The Internet checksum, eight bytes at a time. Each addition waits for the carry of the one before
 * it, so four independent sums are about twice as fast as one (measured with 1448 bytes).
 */
#include "common/frame/checksum.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

/*
 * A ones' complement sum depends neither on the width of the words nor on their byte order (RFC
 * 1071, section 2). Since 2^16 - 1 divides 2^64 - 1, the sum of 64-bit words, each carry added
 * back, folds down to the same 16 bits.
 */

static uint64_t add_with_carry(uint64_t sum, uint64_t word)
{
	sum += word;
	return sum + (sum < word);
}

uint32_t checksum_add(uint32_t sum, const void *data, size_t length)
{
	const uint8_t *bytes = data;
	uint64_t total = sum;
	uint64_t sums[3] = {0};
	uint64_t words[4];
	uint64_t word;

	for (; length >= sizeof(words); length -= sizeof(words), bytes += sizeof(words)) {
		memcpy(words, bytes, sizeof(words));
		total = add_with_carry(total, words[0]);
		sums[0] = add_with_carry(sums[0], words[1]);
		sums[1] = add_with_carry(sums[1], words[2]);
		sums[2] = add_with_carry(sums[2], words[3]);
	}
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		total = add_with_carry(total, sums[i]);
	for (; length >= sizeof(word); length -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		total = add_with_carry(total, word);
	}
	if (length > 0) {
		word = 0;
		memcpy(&word, bytes, length);
		total = add_with_carry(total, word);
	}
	/* Fold twice: the first sum may carry into bit 32. */
	total = (total & UINT32_MAX) + (total >> 32);
	total = (total & UINT32_MAX) + (total >> 32);
	return (uint32_t)total;
}

uint16_t checksum_fold(uint32_t sum)
{
	sum = (sum & UINT16_MAX) + (sum >> 16);
	sum = (sum & UINT16_MAX) + (sum >> 16);
	return (uint16_t)~sum;
}

uint16_t checksum_complete(const void *data, size_t length)
{
	uint16_t checksum = checksum_fold(checksum_add(0, data, length));

	return checksum ? checksum : 0xffff;
}

uint32_t checksum_pseudo_ipv4(const void *from, const void *to, uint8_t protocol, uint16_t length)
{
	const uint16_t rest[] = {htons(protocol), htons(length)};
	uint32_t sum = checksum_add(0, rest, sizeof(rest));

	sum = checksum_add(sum, from, sizeof(struct in_addr));
	return checksum_add(sum, to, sizeof(struct in_addr));
}

uint32_t checksum_pseudo_ipv6(const void *from, const void *to, uint8_t protocol, uint32_t length)
{
	const uint32_t rest[] = {htonl(protocol), htonl(length)};
	uint32_t sum = checksum_add(0, rest, sizeof(rest));

	sum = checksum_add(sum, from, sizeof(struct in6_addr));
	return checksum_add(sum, to, sizeof(struct in6_addr));
}
