/* SPDX-License-Identifier: MIT */
#include "client/command/pcapng.h"

#include <string.h>
#include <sys/uio.h>

#include "client/command/output.h"
#include "config.h"

/*
 * Block types and option codes are from sections 4 and 11 of the draft; link types are from
 * tcpdump.org.
 */
#define BLOCK_SECTION 0x0a0d0d0a
#define BLOCK_INTERFACE 1
#define BLOCK_STATISTICS 5
#define BLOCK_ENHANCED_PACKET 6
#define BYTE_ORDER_MAGIC 0x1a2b3c4d
#define OPTION_END 0
#define OPTION_COMMENT 1
#define OPTION_SECTION_APPLICATION 4
#define OPTION_INTERFACE_NAME 2
#define OPTION_INTERFACE_RESOLUTION 9
#define OPTION_PACKET_FLAGS 2
#define OPTION_PACKET_DROPPED 4
#define OPTION_PACKET_ID 5
#define OPTION_STATISTICS_RECEIVED 4
#define OPTION_STATISTICS_DROPPED 5
#define LINK_ETHERNET 1
#define LINK_RAW_IP 101

/* A block without its frame. The longest one has a comment, and four words for each other option. */
struct block {
	uint32_t words[32 + PCAPNG_COMMENT_MAX / 4];
	size_t count;
};

static void block_begin(struct block *block, uint32_t type)
{
	block->count = 0;
	block->words[block->count++] = type;
	block->words[block->count++] = 0; /* the length, which block_write() sets */
}

static void block_put(struct block *block, uint32_t word)
{
	block->words[block->count++] = word;
}

/* A time is two words, the upper half first. */
static void block_put_time(struct block *block, uint64_t time)
{
	block_put(block, (uint32_t)(time >> 32));
	block_put(block, (uint32_t)time);
}

static void block_put_option(struct block *block, uint16_t code, const void *value, uint16_t length)
{
	size_t words = ((size_t)length + 3) / 4;
	uint16_t header[2] = {code, length};

	memcpy(&block->words[block->count++], header, sizeof(header));
	if (words)
		block->words[block->count + words - 1] = 0;
	if (length)
		memcpy(&block->words[block->count], value, length);
	block->count += words;
}

static int block_write(int fd, struct block *block)
{
	struct iovec part = {block->words, 0};

	block->words[1] = (uint32_t)(block->count + 1) * 4;
	block_put(block, block->words[1]);
	part.iov_len = block->count * 4;
	return output_write(fd, &part, 1);
}

int pcapng_write_section(int fd)
{
	static const char application[] = "memtun " PACKAGE_VERSION;
	static const uint16_t version[2] = {1, 0};
	struct block block;
	uint32_t word;

	block_begin(&block, BLOCK_SECTION);
	block_put(&block, BYTE_ORDER_MAGIC);
	memcpy(&word, version, sizeof(word));
	block_put(&block, word);
	block_put(&block, UINT32_MAX); /* 64 bits of ones: the section's length is unknown */
	block_put(&block, UINT32_MAX);
	block_put_option(&block, OPTION_SECTION_APPLICATION, application, sizeof(application) - 1);
	block_put_option(&block, OPTION_END, NULL, 0);
	return block_write(fd, &block);
}

int pcapng_write_interface(int fd, const char *name, enum memtun_mode mode)
{
	static const uint8_t nanoseconds = 9;
	uint16_t link[2] = {mode == MEMTUN_TAP ? LINK_ETHERNET : LINK_RAW_IP, 0};
	struct block block;
	uint32_t word;

	block_begin(&block, BLOCK_INTERFACE);
	memcpy(&word, link, sizeof(word));
	block_put(&block, word);
	block_put(&block, 0); /* no limit on a frame's length */
	block_put_option(&block, OPTION_INTERFACE_NAME, name, (uint16_t)strnlen(name, 64));
	block_put_option(&block, OPTION_INTERFACE_RESOLUTION, &nanoseconds, 1);
	block_put_option(&block, OPTION_END, NULL, 0);
	return block_write(fd, &block);
}

int pcapng_write_frame(int fd, const struct pcapng_frame *frame)
{
	static const char padding[4];
	uint32_t flags = frame->direction;
	struct block head, tail;
	size_t padded = ((size_t)frame->length + 3) / 4 * 4;
	struct iovec parts[4];

	block_begin(&head, BLOCK_ENHANCED_PACKET);
	block_put(&head, frame->interface);
	block_put_time(&head, frame->time);
	block_put(&head, frame->length);
	block_put(&head, frame->length);
	tail.count = 0;
	block_put_option(&tail, OPTION_PACKET_FLAGS, &flags, sizeof(flags));
	if (frame->missed)
		block_put_option(&tail, OPTION_PACKET_DROPPED, &frame->missed,
				 sizeof(frame->missed));
	if (frame->id)
		block_put_option(&tail, OPTION_PACKET_ID, &frame->id, sizeof(frame->id));
	if (frame->comment)
		block_put_option(&tail, OPTION_COMMENT, frame->comment,
				 (uint16_t)strnlen(frame->comment, PCAPNG_COMMENT_MAX));
	block_put_option(&tail, OPTION_END, NULL, 0);
	head.words[1] = (uint32_t)((head.count + tail.count + 1) * 4 + padded);
	block_put(&tail, head.words[1]);
	parts[0] = (struct iovec){head.words, head.count * 4};
	parts[1] = (struct iovec){(void *)(uintptr_t)frame->data, frame->length};
	parts[2] = (struct iovec){(void *)(uintptr_t)padding, padded - frame->length};
	parts[3] = (struct iovec){tail.words, tail.count * 4};
	return output_write(fd, parts, 4);
}

int pcapng_write_statistics(int fd, uint32_t interface, uint64_t time, uint64_t captured,
			    uint64_t missed)
{
	struct block block;

	block_begin(&block, BLOCK_STATISTICS);
	block_put(&block, interface);
	block_put_time(&block, time);
	block_put_option(&block, OPTION_STATISTICS_RECEIVED, &captured, sizeof(captured));
	block_put_option(&block, OPTION_STATISTICS_DROPPED, &missed, sizeof(missed));
	block_put_option(&block, OPTION_END, NULL, 0);
	return block_write(fd, &block);
}
