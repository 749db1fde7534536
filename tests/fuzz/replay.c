/* SPDX-License-Identifier: MIT */
/*
 * Call a fuzz target with each file named on the command line, so that the corpus is tested where
 * there is no libFuzzer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* Larger than any useful input, bytes. */
#define LARGEST (1024 * 1024)

static int replay(const char *path)
{
	static uint8_t data[LARGEST];
	FILE *file = fopen(path, "rb");
	size_t size;

	if (!file) {
		fprintf(stderr, "cannot open %s: %s\n", path, strerror(errno));
		return -1;
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	fprintf(stderr, "%s\n", path); /* if the target aborts, this is the input */
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "no file to replay\n");
		return EXIT_FAILURE;
	}
	for (int i = 1; i < argc; i++) {
		if (replay(argv[i]) < 0)
			return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
