/* SPDX-License-Identifier: MIT */
#include "client/command/inject_file.h"

#include <inttypes.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/command/command.h"
#include "client/command/injection.h"
#include "common/clock.h"

static bool link_type_fits(int link, enum memtun_mode mode)
{
	if (mode == MEMTUN_TAP)
		return link == DLT_EN10MB;
	return link == DLT_RAW || link == DLT_IPV4 || link == DLT_IPV6;
}

/* Draw a bar if standard error is a terminal, at most four times per second. */
static void show_progress(pcap_t *pcap, long size, uint64_t frames, bool last)
{
	static int64_t shown;
	long at = size > 0 ? ftell(pcap_file(pcap)) : 0;
	int width = size > 0 ? (int)(40 * at / size) : 0;

	if (!isatty(STDERR_FILENO) || (!last && clock_now() - shown < CLOCK_SECOND / 4))
		return;
	shown = clock_now();
	fprintf(stderr, "\r[%-40.*s] %llu frames%s", width,
		"########################################", (unsigned long long)frames,
		last ? "\n" : "");
}

/*
 * Inject a frame of the file without the frame check sequence that the file's link type announces
 * (pcap-savefile(5): a number of 16-bit words). A frame is cut if its file has fewer bytes than the
 * frame had (a snapshot length).
 */
static int inject_packet(const struct inject_file *file, const struct pcap_pkthdr *header,
			 const void *data, int link, uint64_t number)
{
	uint32_t check =
		LT_FCS_LENGTH_PRESENT((uint32_t)link) ? 2 * LT_FCS_LENGTH((uint32_t)link) : 0;
	uint32_t whole = header->len > check ? header->len - check : 0;

	if (header->caplen < whole && !file->allow_truncated)
		return command_fail(EXIT_REFUSED,
				    "%s: frame %" PRIu64 " is cut: %u of %u bytes are there; "
				    "--allow-truncated injects these",
				    file->path, number, header->caplen, whole);
	return injection_captured(file->injection, data,
				  header->caplen < whole ? header->caplen : whole);
}

static int inject_all(struct inject_file *file, pcap_t *pcap, long size)
{
	int link = pcap_datalink_ext(pcap);
	struct pcap_pkthdr *header;
	const unsigned char *data;
	uint64_t frames = 0;
	int status = 0, read;

	while ((read = pcap_next_ex(pcap, &header, &data)) == 1 && status == 0) {
		status = inject_timing_wait(&file->timing, file->memtun,
					    header->ts.tv_sec * CLOCK_SECOND + header->ts.tv_usec);
		if (status == 0)
			status = inject_packet(file, header, data, link, ++frames);
		show_progress(pcap, size, frames, false);
	}
	show_progress(pcap, size, frames, true);
	if (read == PCAP_ERROR && status == 0)
		status = command_fail(EXIT_REFUSED, "%s: %s", file->path, pcap_geterr(pcap));
	return status;
}

/* Return the size of the file behind the stream; 0 if it has none. */
static long stream_size(FILE *stream)
{
	long begin = stream ? ftell(stream) : -1;
	long size = 0;

	if (begin >= 0 && fseek(stream, 0, SEEK_END) == 0) {
		size = ftell(stream);
		fseek(stream, begin, SEEK_SET);
	}
	return size;
}

int inject_file(struct inject_file *file)
{
	char text[PCAP_ERRBUF_SIZE];
	pcap_t *pcap = pcap_open_offline_with_tstamp_precision(file->path,
							       PCAP_TSTAMP_PRECISION_NANO, text);
	const char *link;
	int status;

	if (!pcap)
		/* The text has the name only if the file can't be opened. */
		return command_fail(EXIT_REFUSED, "%s%s%s",
				    strstr(text, file->path) ? "" : file->path,
				    strstr(text, file->path) ? "" : ": ", text);
	link = pcap_datalink_val_to_name(pcap_datalink(pcap));
	if (link_type_fits(pcap_datalink(pcap), file->injection->mode))
		status = inject_all(file, pcap, stream_size(pcap_file(pcap)));
	else
		status = command_fail(EXIT_REFUSED, "%s has link type %s, and %s is a %s",
				      file->path, link ? link : "unknown", file->injection->name,
				      file->injection->mode == MEMTUN_TAP ? "tap" : "tun");
	pcap_close(pcap);
	return status;
}
